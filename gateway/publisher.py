"""Writes producer events to the logs and waits for the broker's acknowledgement.

One idempotent producer; a thread of its own serves librdkafka's callbacks, so the event loop never
waits for the network. An event that is not acknowledged in time is an Unavailable answer: it may
still arrive, and the caller's retry, with the same identifiers, changes nothing twice.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from gateway import metrics
from gateway.broker import ASK_S, librdkafka
from gateway.errors import Unavailable
from gateway.position import Position
from gateway.settings import Settings
from schemas.codec import Codec, OutRecord, record_for
from schemas.envelope import Envelope
from schemas.errors import RegistryUnavailable, SchemaNotRegistered
from schemas.topics import Event, Topics, topic_of

log = logging.getLogger(__name__)

SOURCE = "/hcp/gateway"
POLL_S = 0.1
MAX_QUEUED = 10_000
RETRY_SENTENCE = "Repeat the request with the same Idempotency-Key or workload_id."


class Publisher:
    def __init__(self, settings: Settings, codec: Codec) -> None:
        self._codec = codec
        self._topics = Topics(settings.topic_prefix)
        self._timeout_s = settings.gateway_publish_timeout_s
        self._kafka = settings.kafka
        self._producer: Producer
        self._partitions: dict[str, int] = {}
        self._asking: asyncio.Task[None] | None = None
        self._ask_again = 0.0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="hcp-publisher", daemon=True)

    def open(self) -> None:
        self._producer = self._new_producer()
        self._thread.start()

    def _new_producer(self) -> Producer:
        settings: dict[str, Any] = {
            "bootstrap.servers": self._kafka,
            "client.id": "hcp-gateway",
            "enable.idempotence": True,
            "linger.ms": 2,
            "message.timeout.ms": int(self._timeout_s * 1000),
            "queue.buffering.max.messages": MAX_QUEUED,
        }
        return Producer(settings, logger=librdkafka)

    async def publish(self, event: Event, envelope: Envelope) -> Position:
        """Where the event lies once every in-sync replica has it.

        Raises Unavailable when the broker or the registry does not answer in time.
        """
        started = time.monotonic()
        try:
            record = await asyncio.to_thread(
                record_for, topic_of(type(event)), event, envelope, self._codec
            )
            position = await self._produce(record)
        except (RegistryUnavailable, SchemaNotRegistered, Unavailable):
            metrics.PUBLISH_FAILURES.labels(event.FULL_NAME).inc()
            raise
        metrics.PUBLISH_DURATION.observe(time.monotonic() - started)
        metrics.PUBLISHED.labels(event.FULL_NAME).inc()
        return position

    async def partitions(self, log: str) -> int | None:
        """How many a log has, asked once: they are chosen once. None while the broker is away.

        However many want to know, one question is on its way, and one that failed is asked again
        after ASK_S.

        log: its name without the environment's prefix
        """
        if log not in self._partitions:
            if self._asking is None or (self._asking.done() and time.monotonic() > self._ask_again):
                self._asking = asyncio.create_task(self._ask_for_partitions())
            await asyncio.shield(self._asking)
        return self._partitions.get(log)

    async def _ask_for_partitions(self) -> None:
        try:
            listed = await asyncio.to_thread(self._producer.list_topics, timeout=ASK_S)
        except KafkaException as error:
            log.warning("asking for the partitions of logs: %s", error)
        else:
            self._partitions = {
                name.removeprefix(self._topics.prefix): len(topic.partitions)
                for name, topic in listed.topics.items()
                if topic.partitions and name.startswith(self._topics.prefix)
            }
        self._ask_again = time.monotonic() + ASK_S

    def close(self) -> None:
        """Send what is waiting, bounded by the publish timeout."""
        self._producer.flush(self._timeout_s)
        self._closing.set()
        self._thread.join(timeout=5)

    async def _produce(self, record: OutRecord) -> Position:
        loop = asyncio.get_running_loop()
        acknowledged: asyncio.Future[Message] = loop.create_future()

        def delivered(error: KafkaError | None, message: Message) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_resolve, acknowledged, error, message)

        try:
            self._producer.produce(
                self._topics.name_of(record.topic),
                value=record.value,
                key=record.key,
                headers=record.headers,
                on_delivery=delivered,
            )
        except (BufferError, KafkaException) as error:
            log.warning("the producer refused a record: %s", error)
            raise Unavailable(f"The log takes no more events now. {RETRY_SENTENCE}") from error
        try:
            # librdkafka gives up first, by message.timeout.ms; the margin is for its callback.
            async with asyncio.timeout(self._timeout_s + 1):
                message = await acknowledged
        except (TimeoutError, KafkaException) as error:
            log.warning("an event was not acknowledged: %s", error or "no answer")
            raise Unavailable(
                f"The log did not acknowledge the event in time. {RETRY_SENTENCE}"
            ) from error
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        return Position(record.topic.name, partition, offset)

    def _poll(self) -> None:
        while not self._closing.is_set():
            try:
                self._producer.poll(POLL_S)
            except KafkaException as error:  # connections that fail raise nothing: only an end does
                log.error("the producer cannot go on, and another one takes over: %s", error)
                self._renew()

    def _renew(self) -> None:
        """librdkafka's producer takes nothing more after a fatal error, for as long as it lives.

        What waits in the old one is told so now; a caller's retry, with the same identifiers,
        changes nothing twice.
        """
        dead, self._producer = self._producer, self._new_producer()
        metrics.PRODUCERS_LOST.inc()
        try:
            dead.purge()
            dead.flush(1)
        except KafkaException as error:
            log.warning("the producer that is gone: %s", error)


def _resolve(future: asyncio.Future[Message], error: KafkaError | None, message: Message) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(message)
    else:
        future.set_exception(KafkaException(error))
