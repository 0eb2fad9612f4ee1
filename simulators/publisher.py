"""Writes producers' events to the logs: idempotent, in order, with a bounded queue.

At the bound the caller waits; when Kafka takes nothing for `stall_s`, the simulation stops with a
sentence, to be started again. What was delivered by then is a prefix of what was meant.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka import KafkaError, Message, Producer

from schemas.codec import Codec, record_for
from schemas.topics import Event, Topics, topic_of
from simulators import metrics
from simulators.errors import PublisherStalled
from simulators.schedule import Planned

MAX_QUEUED = 20_000

Delivered = Callable[[Event, int, int], None]
"""event, partition, offset"""


class Publisher:
    def __init__(self, bootstrap: str, topics: Topics, codec: Codec, *, stall_s: float) -> None:
        self._topics = topics
        self._codec = codec
        self._stall_s = stall_s
        self._failure: str | None = None
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "client.id": "hcp-simulators",
                "enable.idempotence": True,
                "linger.ms": 1,
                "queue.buffering.max.messages": MAX_QUEUED,
                "message.timeout.ms": int(stall_s * 1000),
                "error_cb": self._on_error,
                "log_level": 2,
            }
        )

    def publish(self, planned: Planned, delivered: Delivered | None = None) -> None:
        """Hand over; `delivered` is called from a later `publish`, `poll` or `flush`."""
        event = planned.event
        record = record_for(topic_of(type(event)), event, planned.envelope, self._codec)

        def on_delivery(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                self._failure = self._failure or error.str()
            elif delivered is not None:
                delivered(event, int(message.partition() or 0), int(message.offset() or 0))

        deadline = time.monotonic() + self._stall_s
        while True:
            self._check()
            try:
                self._producer.produce(
                    self._topics.name_of(record.topic),
                    value=record.value,
                    key=record.key,
                    headers=list(record.headers),
                    on_delivery=on_delivery,
                )
                break
            except BufferError:
                if time.monotonic() > deadline:
                    raise PublisherStalled(
                        f"Kafka took none of {MAX_QUEUED} records for {self._stall_s:g} s"
                    ) from None
                self._producer.poll(0.1)
        metrics.PUBLISHED.labels(event.FULL_NAME).inc()
        self._producer.poll(0)

    def poll(self) -> None:
        """Serve delivery reports. Raises PublisherStalled when a record was lost."""
        self._producer.poll(0)
        self._check()

    def flush(self) -> None:
        """Everything handed over is in the log. Raises PublisherStalled."""
        left = self._producer.flush(self._stall_s)
        self._check()
        if left:
            raise PublisherStalled(f"Kafka did not take {left} records within {self._stall_s:g} s")

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._failure = self._failure or error.str()

    def _check(self) -> None:
        if self._failure is not None:
            raise PublisherStalled(f"Kafka did not take a record: {self._failure}")
