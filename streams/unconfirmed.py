"""An adviser's verdicts that the authority of the log has still to confirm.

The authority answers a partition's inputs in order, and a refusal is its first answer to an input:
so its first word about an input, or about a later one, settles it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from schemas.codec import Codec
from schemas.envelope import Cause
from schemas.topics import Event, Topic
from streams.answers import Asked
from streams.errors import VerdictOverruled
from streams.log import Log
from streams.verdicts import verdict_of

TAKEN = ""
"""The verdict on an input that is not refused; any other is the reason."""
MAX_UNCONFIRMED = 100_000
"""Verdicts that wait for the authority. Of more only the first offset is kept: when the authority
gets there, the state is made again from the log, which then holds its verdicts."""
_CHUNK = 10_000  # records read at a time in search of the authority's word


class Unconfirmed:
    """Of one partition. verdicts: by offset, in ascending order; forgotten_from: the first offset
    whose verdict is not kept, None for all."""

    def __init__(self, verdicts: Mapping[int, str], forgotten_from: int | None) -> None:
        self.verdicts = dict(sorted(verdicts.items()))
        self.forgotten_from = forgotten_from

    def add(self, offset: int, verdict: str) -> None:
        if self.forgotten_from is not None:
            return
        if len(self.verdicts) >= MAX_UNCONFIRMED:
            self.forgotten_from = offset
            return
        self.verdicts[offset] = verdict

    def hear(self, cause: Cause, answer: Event) -> None:
        """The authority's answer to the input at `cause.offset`: it has answered all before.

        Raises VerdictOverruled.
        """
        said = cause.offset
        if self.forgotten_from is not None and said >= self.forgotten_from:
            raise VerdictOverruled(f"{cause}: more than {MAX_UNCONFIRMED} verdicts waited for it")
        while self.verdicts:
            offset = next(iter(self.verdicts))
            if offset > said:
                return
            verdict = self.verdicts.pop(offset)
            word = _word(answer) if offset == said else TAKEN
            if verdict != word:
                raise VerdictOverruled(
                    f"{cause}: of the input at offset {offset} it says {word or 'taken'!r}, and "
                    f"this agent had judged {verdict or 'taken'!r}"
                )


class RecordedVerdicts:
    """The authority's word on each input from `begin` on, as far as the log holds it now.

    A second reader, somewhat ahead of who applies the inputs; asked in ascending order.

    place: the log's topic, and the partition
    """

    def __init__(
        self, authority: str, place: tuple[Topic, int], begin: int, log: Log, codec: Codec
    ) -> None:
        topic, partition = place
        self._asked = Asked(authority, place, log, codec)
        self._place = place
        self._log = log
        self._next = begin
        self._end = log.bounds(topic, partition)[1]
        self._answered = -1  # the last input that has an answer: none before it will get one
        self._refused: dict[int, str] = {}

    def of(self, offset: int) -> str | None:
        """The reason, or `TAKEN`; None: the log does not say yet."""
        while offset > self._answered and self._next < self._end:
            self._read_on()
        while self._refused and (passed := next(iter(self._refused))) < offset:
            del self._refused[passed]
        return self._refused.get(offset, TAKEN) if offset <= self._answered else None

    def _read_on(self) -> None:
        until = min(self._next + _CHUNK, self._end)
        for cause, answer in self._answers(self._next, until):
            if cause.offset > self._answered:
                self._answered = cause.offset
                word = _word(answer)
                if word != TAKEN:
                    self._refused[cause.offset] = word
        self._next = until

    def _answers(self, start: int, end: int) -> Iterator[tuple[Cause, Event]]:
        """What the loop would take for the authority's word too; what only looks like it is left
        out, as it is there."""
        topic, partition = self._place
        for record in self._log.read(topic, partition, start, end):
            told = self._asked.told(topic, record)
            if told is not None and told.event is not None and told.cause.offset < record.offset:
                yield told.cause, told.event


def _word(answer: Event) -> str:
    """Of an adviser's inputs none is a submission, so the answer alone tells."""
    return verdict_of(answer, (answer,)) or TAKEN
