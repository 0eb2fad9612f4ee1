"""Where an agent begins: the newest snapshot, and what was recorded after it.

A log can be read two ways. *Re-decided*: ask `decide` again. *Recorded*: apply to each input the
answers that the log holds for it. What was answered is recorded truth, is never decided again, and
is not written again, whichever version answered it and whatever became of the snapshots:

- an input that was answered whole is applied as recorded; what was answered in part is completed,
  where this version agrees on the shape
- an input without an answer was taken in silence, if another version answered a later one or some
  snapshot, readable or not, lies behind it: its answers would have been durable before. Otherwise
  it is decided: what a process of this version left undone when it died
- what lies behind the last answer is decided, by whoever reads on

First the logs are searched for the last answer, of any version and of another one, then the inputs
are applied up to there. Both go record by record, so that it can be said how far they are, and
stopped; a snapshot that is made on the way says where the next search may begin.

An adviser is told the verdicts of its log's authority that the log holds by now, so a state that is
made again follows them, whatever the adviser had expected (`streams.unconfirmed`). What it answered
meanwhile stays recorded truth. A snapshot that rests on an overruled verdict is left out.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any, Generic, TypeVar

from schemas.codec import Codec, OutRecord
from schemas.record import Record
from schemas.topics import dlq, unanswered
from streams import snapshots
from streams.answers import Answer, Answers, Asked, kept_topics
from streams.definition import Agent
from streams.log import Log
from streams.loop import Processor
from streams.unconfirmed import RecordedVerdicts

S = TypeVar("S")


def restore(agent: Agent[S, Any], partition: int, log: Log, codec: Codec) -> Recovery[S]:
    """With what was recorded applied. Raises AnswersIncomplete, RegistryUnavailable and what the
    log raises."""
    recovery = begin(agent, partition, log, codec)
    for _ in recovery.steps():
        pass
    return recovery


def begin(agent: Agent[S, Any], partition: int, log: Log, codec: Codec) -> Recovery[S]:
    """With what was recorded still to be found and applied, by `Recovery.steps`."""
    processor = Processor(agent, partition, log.partitions(agent.log), codec)
    found = snapshots.newest(
        log, codec, agent, partition, lambda body: _stands(body, agent, partition, log, codec)
    )
    if found.saved is not None:
        snapshots.load(processor, found.saved)
    if agent.adviser is not None:
        authority, start = agent.adviser.authority, processor.position + 1
        recorded = RecordedVerdicts(authority, (agent.log, partition), start, log, codec)
        processor.recorded_verdict = recorded.of
        processor.expected = found.unconfirmed
    return Recovery(processor, found, log, codec)


class Recovery(Generic[S]):
    """A processor that stands where the agent may go on deciding, once the steps are done.

    Memory: the state, and the answers to one input.

    settled: the last input that another version answered, or that some snapshot knew to be settled:
        up to it silence is an answer. -1 when there is none; final, as `answered`, after the search
    answered: the last input that the log holds an answer of this agent to; -1 when none was found
    searched: for each partition it answers on, where the search ended: a later start may begin
        there, once the processor has passed `answered`
    free_slot: where the next snapshot goes, beside the newest readable one
    end: the offset that the agent's log had yet to give
    """

    def __init__(
        self, processor: Processor[S], found: snapshots.Found, log: Log, codec: Codec
    ) -> None:
        agent, partition = processor.agent, processor.partition
        self.processor = processor
        self.settled = found.settled
        self.answered = -1
        self.searched: snapshots.Positions = {}
        self.free_slot = found.free_slot
        self.end = log.bounds(agent.log, partition)[1]
        self._log = log
        self._asked = Asked(agent.name, (agent.log, partition), log, codec)
        self._is_searched = False
        self._answers = self._begun({} if found.saved is None else found.saved.body.positions)
        self._unsearched = self._to_search()

    @property
    def is_over(self) -> bool:
        return self._is_searched and self.processor.position >= self._last

    @property
    def unsearched(self) -> int:
        """Offsets that the search has still to pass."""
        return sum(self._unsearched.values())

    @property
    def positions(self) -> snapshots.Positions:
        """For each partition it answers on, where a later start must look for its answers from,
        as long as the recovery is not over."""
        return {answers.name: answers.resume for answers in self._answers}

    @property
    def _last(self) -> int:
        return max(self.settled, self.answered)

    def steps(self) -> Iterator[None]:
        """Ends when the recovery is over; after one that raised, another goes on from there.

        A snapshot may be made between any two steps. Raises what `restore` does.
        """
        if not self._is_searched:
            yield from self._search()
        yield from self._replay()

    def _begun(self, positions: snapshots.Positions) -> list[Answers]:
        """The answers on each partition, from the position on. On the own log they follow their
        inputs on the same partition."""
        agent, log = self.processor.agent, self._log
        here = Answers(self._asked, (agent.log, self.processor.partition), positions, log)
        return [
            here,
            *(
                Answers(self._asked, (topic, target), positions, log)
                for topic in kept_topics(agent)
                if topic is not agent.log
                for target in range(log.partitions(topic))
            ),
        ]

    def _to_search(self) -> dict[str, int]:
        left = {}
        for answers in self._answers:
            first, end = self._log.bounds(answers.topic, answers.target)
            left[answers.name] = max(0, end - max(first, answers.resume))
        return left

    def _search(self) -> Iterator[None]:
        """For the last answers to inputs behind the processor."""
        agent, after = self.processor.agent, self.processor.position
        ours = f"/hcp/agents/{agent.name}/{agent.version}"
        last = last_of_others = last_here = -1
        self._unsearched = self._to_search()
        for answers in self._answers:
            end = self._log.bounds(answers.topic, answers.target)[1]
            for record in self._log.read(answers.topic, answers.target, answers.resume, end):
                told = self._asked.told(answers.topic, record)
                if told is not None and after < told.cause.offset < self.end:
                    last = max(last, told.cause.offset)
                    if told.source != ours and answers.topic is not unanswered(agent.log):
                        last_of_others = max(last_of_others, told.cause.offset)
                    if answers.topic is agent.log:
                        last_here = max(last_here, told.cause.offset)
                self._unsearched[answers.name] = max(0, end - record.offset - 1)
                yield
            self._unsearched[answers.name] = 0
            self.searched[answers.name] = end
        self.answered = last
        self.settled = max(self.settled, last_of_others)
        if agent.adviser is not None:
            self.settled = max(self.settled, last_here)
        self._is_searched = True

    def _replay(self) -> Iterator[None]:
        """Apply what was recorded; what was left undone is decided and published."""
        processor, log, last = self.processor, self._log, self._last
        if last <= processor.position:
            return
        agent, partition = processor.agent, processor.partition
        self._answers = self._begun(self.positions)
        former = [
            Answers(self._asked, (dlq(agent.log), target), {}, log)
            for target in range(log.partitions(dlq(agent.log)))
        ]
        for record in log.read(agent.log, partition, processor.position + 1, last + 1):
            recorded = yield from _all_at(self._answers, record.offset)
            if not recorded and record.offset <= self.settled:
                recorded = yield from _all_at(former, record.offset)
            for output in self._apply(record, recorded):
                log.publish(output)
            yield
        processor.position = max(processor.position, last)
        log.flush()

    def _apply(self, record: Record, recorded: Sequence[Answer]) -> list[OutRecord]:
        """What must be published of the answers to an input that has these."""
        processor = self.processor
        places = {answer.place: answer for answer in recorded}
        here = {n: answer.event for n, answer in sorted(places.items()) if answer.event is not None}
        is_settled = record.offset <= self.settled
        is_whole = len(places) == recorded[0].places if recorded else is_settled
        if any(answer.is_letter for answer in recorded):
            processor.apply_recorded(record, None)
        elif is_whole:
            processor.apply_recorded(record, list(here.values()))
        elif recorded and (is_settled or processor.agent.adviser is None):
            seen = {answer.place: answer.type for answer in recorded}
            return processor.complete(record, here, seen, recorded[0].places)
        else:  # also in part by an adviser, which may have to judge otherwise by now
            return processor.handle(record)
        return []


def _all_at(several: Sequence[Answers], offset: int) -> Generator[None, None, list[Answer]]:
    found: list[Answer] = []
    for answers in several:
        found += yield from answers.at(offset)
    return found


def _stands(
    body: snapshots.Body, agent: Agent[Any, Any], partition: int, log: Log, codec: Codec
) -> bool:
    """Whether the authority said nothing else of what was unconfirmed than the snapshot holds."""
    waiting = sorted(body.unconfirmed)
    if agent.adviser is None or not (waiting or body.forgotten_from is not None):
        return True
    start = waiting[0] if waiting else body.forgotten_from or 0
    recorded = RecordedVerdicts(agent.adviser.authority, (agent.log, partition), start, log, codec)
    for offset in waiting:
        if recorded.of(offset) not in (None, body.unconfirmed[offset]):
            return False
    return body.forgotten_from is None or recorded.of(body.forgotten_from) is None
