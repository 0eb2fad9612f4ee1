"""Where the projections put the records that they could not apply."""

from __future__ import annotations

from confluent_kafka import KafkaError, Message, Producer

from projections.errors import LogUnreadable
from schemas.codec import OutRecord
from schemas.topics import MAX_RECORD_BYTES, Topics

_FLUSH_S = 30


class DeadLetters:
    """Writes dead letters; on return they are durable."""

    def __init__(self, bootstrap: str, topics: Topics) -> None:
        self._topics = topics
        self._failed: str | None = None
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "message.max.bytes": MAX_RECORD_BYTES,
                "log_level": 2,
            }
        )

    def write(self, letters: list[OutRecord]) -> None:
        """Raises LogUnreadable; then none may be relied on, and the batch must not be applied."""
        self._failed = None
        for letter in letters:
            self._producer.produce(
                self._topics.name_of(letter.topic),
                key=letter.key,
                value=letter.value,
                headers=list(letter.headers),
                on_delivery=self._delivered,
            )
            self._producer.poll(0)
        if self._producer.flush(_FLUSH_S) or self._failed:
            raise LogUnreadable(
                f"a dead letter could not be written: {self._failed or 'Kafka gave no answer'}"
            )

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._failed = error.str()
