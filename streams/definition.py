"""What an agent is: a name, one log, and three pure functions.

    decide(state, event) -> answers     what to say; sees the state before the event
    evolve(state, event) -> state       the state after the event; may mutate what it owns
    retain(state) -> bool               False: this key's state is not worth keeping

The loop applies an input as `step` below does, and nothing else ever changes a state:

1. answers = decide(state, input)
2. state = evolve(state, input), or evolve(state, RefusedInput) where the verdict refuses it
3. state = evolve(state, answer), for each answer **that goes to the agent's own log**.

Rule: an answer that goes to another log never reaches `evolve`. A state is a fold of the agent's
own log, so that it can be rebuilt from that log alone, from what was recorded and without asking
`decide` again. An agent that writes elsewhere (metering, brokering) advances its counters from the
inputs. Test agents through `step`, and this rule is kept by construction.

Rule: `evolve` judges nothing. The *authority* of a log gives the verdict on an input by its
answers (`streams.verdicts`), so a state made from recorded answers follows the recorded verdict.
Another agent of that log, an *adviser*, is told the authority's verdict where the log holds it
already; where not, it forms a provisional one, which the loop compares with the authority's later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from schemas.topics import Event, Topic, topic_of
from streams.refusal import Refusal, RefusedInput
from streams.verdicts import verdict_of

S = TypeVar("S")
E = TypeVar("E", bound=Event)

Upcast = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adviser(Generic[S, E]):
    """How an agent that is not the authority of its log judges an input before the authority has.

    authority: the agent whose answers are the verdict
    concerns: whether the verdict on an input can make a difference to the state; of state and event
        alone, by no rule
    judge: what the authority will say of an input that concerns the state, by the same rules
    """

    authority: str
    concerns: Callable[[S, E], bool]
    judge: Callable[[S, E], Refusal | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent(Generic[S, E]):
    """One agent.

    name: as in consumer groups, causes and the snapshots' topic
    version: of its decisions; change it whenever the same input may get another answer
    state_type: plain dataclasses that msgspec encodes; no set anywhere inside, because the order of
        a set of strings differs from process to process (use a dict with None values). Attributes
        that `__post_init__` assigns without declaring them as fields are derived indexes: they are
        not encoded, and made again on load
    state_version: of the shape of the state; change it together with `upcasters`
    initial: the state of a key before its first event
    left_out: for operators, what of the inputs of a key was understood and left out of account, as
        its state counts it: by what it is, the unit last
    completed: an answer that an older version recorded, given the input that it answers: with what
        answers say today in addition; any other answer as it is
    adviser: of an agent that is not the authority of its log
    large: dict fields of the state with so many entities that their bytes are kept between
        checkpoints, see `streams.encoding`. An entity is in one of them once, and never in two
    watch: called with a state and a dict: from then on every entity of a large field that is
        changed in place is put there, by its id
    upcasters: for an older state_version, plain decoded data of one key to that of this version.
        Without one, a new shape is rebuilt from the recorded log
    """

    name: str
    version: str
    log: Topic
    state_type: type[S]
    initial: Callable[[str], S]
    decide: Callable[[S, E], Sequence[Event]]
    evolve: Callable[[S, E | RefusedInput[E]], S]
    state_version: str = "1"
    retain: Callable[[S], bool] = lambda _: True
    left_out: Callable[[S], Mapping[str, int]] = lambda _: {}
    completed: Callable[[E, E], E] = lambda _, answer: answer
    adviser: Adviser[S, E] | None = None
    large: tuple[str, ...] = ()
    watch: Callable[[S, dict[int, object]], None] = lambda _, __: None
    upcasters: Mapping[str, Upcast] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if _holds_set(msgspec.inspect.type_info(self.state_type), set()):
            raise TypeError(
                f"the state of {self.name} holds a set, whose order differs between processes; "
                f"use a dict with None values"
            )


def step(agent: Agent[S, Any], state: S, event: Event) -> tuple[S, Sequence[Event]]:
    """Decide about one input and apply it together with the answers on the agent's own log."""
    refusal = provisional(agent, state, event)
    answers = agent.decide(state, event) if refusal is None else []
    return settle(agent, state, event, answers, refusal), answers


def provisional(agent: Agent[S, Any], state: S, event: Event) -> str | None:
    """The reason for which an adviser expects the input to be refused; None when it does not, or
    when the verdict makes no difference to it, or is its own answers' to give."""
    adviser = agent.adviser
    if adviser is None or not adviser.concerns(state, event):
        return None
    refusal = adviser.judge(state, event)
    return None if refusal is None else refusal.reason


def answers_to(agent: Agent[S, Any], state: S, event: Event) -> list[Event]:
    """What the agent decides, in the order in which it is written: its own log last.

    So the last answer on that log tells its readers that it holds no more of this one. Within a
    log the order is `decide`'s own. To an input that the log's authority refused, an adviser
    answers nothing: it is not asked.
    """
    answers = agent.decide(state, event)
    return sorted(answers, key=lambda answer: topic_of(type(answer)) is agent.log)


def settle(
    agent: Agent[S, Any],
    state: S,
    event: Event,
    answers: Sequence[Event],
    refusal: str | None = None,
) -> S:
    """Apply an input whose answers are known, whether decided now or recorded in the log.

    refusal: the authority's reason, for an adviser; the authority's own answers say it
    """
    reason = verdict_of(event, answers) if agent.adviser is None else refusal
    state = agent.evolve(state, event if reason is None else RefusedInput(event, reason))
    for answer in answers:
        if topic_of(type(answer)) is agent.log:
            state = agent.evolve(state, agent.completed(event, answer))
    return state


def _holds_set(info: Any, seen: set[type]) -> bool:  # noqa: ANN401 - msgspec's type tree
    if isinstance(info, msgspec.inspect.SetType | msgspec.inspect.FrozenSetType):
        return True
    if isinstance(info, msgspec.inspect.DataclassType | msgspec.inspect.StructType):
        if info.cls in seen:
            return False
        seen.add(info.cls)
        return any(_holds_set(member.type, seen) for member in info.fields)
    inside = [getattr(info, name, None) for name in ("item_type", "key_type", "value_type")]
    inside += [*getattr(info, "item_types", ()), *getattr(info, "types", ())]
    return any(_holds_set(member, seen) for member in inside if member is not None)
