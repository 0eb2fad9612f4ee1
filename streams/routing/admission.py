"""Whether a workload could ever run here, and if not, why not.

Asked of each submission, and of what waits when the site is configured again: a model that is no
longer sold, or caps that came down, end a wait that could never end otherwise. While the site is
still registering its GPUs, what those to come could run is not refused for want of them: it waits,
and is judged when they are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from schemas.events.sites import WorkloadSubmitted
from streams.quantities import MS_PER_S, WHOLE_MILLI
from streams.refusal import Refusal
from streams.routing.capacity import carried, most
from streams.routing.draft import Draft
from streams.routing.index import choices, shapes
from streams.routing.registering import is_registering
from streams.routing.state import REJECTED, State, Workload, micros, usd
from streams.site_inputs import refusal_of
from streams.site_times import time_refusal

MAX_QUEUED = 50_000
"""Waiting workloads of a site. The next submission is rejected with `queue_full`."""


class Asked(NamedTuple):
    """What decides whether a workload could ever run."""

    gpu_model: str | None
    gpu_count: int
    gpu_milli: int
    max_price_micros: int | None


def refuse_submission(state: State, event: WorkloadSubmitted) -> Refusal | None:
    return (
        refusal_of(event)
        or _hopeless(state, _asked(event))
        or _late_or_crowded(state, event)
        or time_refusal(event, state.now, state.configured_at)
    )


def awaited(state: State, event: WorkloadSubmitted) -> Refusal | None:
    """What it would be refused for if the site had registered all its GPUs by now."""
    return _impossible(state, _asked(event))


def release_impossible(draft: Draft) -> None:
    """Let go of what waits and no registered unit could run any more, with the code that a
    submission of it would be rejected with."""
    for workload, refusal in _impossible_ones(draft.state):
        draft.release(workload, "failed", refusal.reason)


def reject_impossible(draft: Draft) -> None:
    """The site has told what it has: judge what waited for that. What ran before cannot be rejected
    any more. Bound: what waits, at most `MAX_QUEUED`."""
    for workload, refusal in _impossible_ones(draft.state):
        outcome = "failed" if workload.attempt else REJECTED
        draft.release(workload, outcome, refusal.reason, refusal.detail)


def _impossible_ones(state: State) -> Iterator[tuple[Workload, Refusal]]:
    """What waits and is hopeless, in the order of the queue, which may change meanwhile."""
    verdicts: dict[Asked, Refusal | None] = {}
    waiting = sorted(key for _, keys in shapes(state) for key in keys)
    for _, _, workload_id in waiting:
        workload = state.workloads[workload_id]
        asked = Asked(
            workload.gpu_model, workload.gpu_count, workload.gpu_milli, workload.max_price_micros
        )
        if asked not in verdicts:
            verdicts[asked] = _hopeless(state, asked)
        refusal = verdicts[asked]
        if refusal is not None:
            yield workload, refusal


def _asked(event: WorkloadSubmitted) -> Asked:
    price = event.max_price_usd_per_gpu_hour
    most_micros = None if price is None else micros(price)
    return Asked(event.gpu_model, event.gpu_count, event.gpu_milli, most_micros)


def _hopeless(state: State, asked: Asked) -> Refusal | None:
    """Why it could never run here, with the units that the site has or may still register."""
    refusal = _impossible(state, asked)
    if refusal is None or not is_registering(state, state.now):
        return refusal
    sold = choices(state, asked.gpu_model, None)
    if not sold:
        return refusal
    earning = _earning(state, asked, sold)
    return earning if isinstance(earning, Refusal) else None


def _impossible(state: State, asked: Asked) -> Refusal | None:
    wanted = asked.gpu_model
    listed = choices(state, wanted, None)
    sold = [model for model in listed if state.index.registered.get(model)]
    if not sold:
        what = "no GPU" if wanted is None else f"no {wanted}"
        told = f"Site {state.site_id} {'has' if listed else 'sells'} {what}."
        return Refusal("no_such_model", told)
    enough = [model for model in sold if state.index.registered[model] >= asked.gpu_count]
    if not enough:
        most = max(state.index.registered[model] for model in sold)
        return Refusal(
            "not_enough_gpus",
            f"Needs {asked.gpu_count} GPUs of one model; the site has at most {most}.",
        )
    earning = _earning(state, asked, enough)
    if isinstance(earning, Refusal):
        return earning
    if not any(_can_power(state, model, asked.gpu_count) for model in earning):
        return Refusal(
            "power_never_fits",
            f"The power of {asked.gpu_count} {' or '.join(earning)} never fits under the caps.",
        )
    return None


def _earning(state: State, asked: Asked, models: Sequence[str]) -> list[str] | Refusal:
    """Those of the models whose list price the workload pays, and that earn anything by it."""
    pays_micros = asked.max_price_micros
    paid = [
        model
        for model in models
        if pays_micros is None or state.gpu_prices_micros[model] <= pays_micros
    ]
    if not paid:
        cheapest = _dollars(min(state.gpu_prices_micros[model] for model in models))
        told = f"Pays at most {_dollars(pays_micros or 0)} per GPU-hour"
        return Refusal("price_too_low", f"{told}; the list price is {cheapest}.")
    earning = [model for model in paid if _earns(state, model, asked)]
    if not earning:
        told = (
            f"At its list price {' or '.join(paid)} earns nothing, so nothing pays for its power."
        )
        return Refusal("earns_nothing", told)
    return earning


def _dollars(amount_micros: int) -> str:
    return f"${usd(amount_micros).normalize():f}"


def _earns(state: State, model: str, asked: Asked) -> bool:
    """A list price of 0 is not a gift: such a workload would wait for power that costs nothing."""
    return state.gpu_prices_micros[model] * asked.gpu_count * asked.gpu_milli >= WHOLE_MILLI


def _late_or_crowded(state: State, event: WorkloadSubmitted) -> Refusal | None:
    if event.deadline is not None:
        earliest = (state.now or 0) + event.duration_s * MS_PER_S
        if event.deadline < earliest:
            late_s = -(-(earliest - event.deadline) // MS_PER_S)
            return Refusal(
                "deadline_impossible",
                f"Started now, it would complete {late_s} s after its deadline.",
            )
    if state.index.queued >= MAX_QUEUED:
        return Refusal("queue_full", f"{MAX_QUEUED} workloads wait already.")
    return None


def _can_power(state: State, model: str, count: int) -> bool:
    """Whether the caps alone, with nothing else running, carry so many of the registered GPUs."""
    fitting = carried(state.index.fleet[model], state.feeder_caps_w)
    return most(fitting, state.power_cap_w) >= count
