"""Whether a submission could ever run here, and if not, why not."""

from __future__ import annotations

from schemas.events.sites import WorkloadSubmitted
from streams.refusal import Refusal
from streams.routing.index import MS_PER_S, choices
from streams.routing.state import State, micros, usd
from streams.site_inputs import refusal_of

MAX_QUEUED = 50_000
"""Waiting workloads of a site. The next submission is rejected with `queue_full`."""


def refuse_submission(state: State, event: WorkloadSubmitted) -> Refusal | None:
    return refusal_of(event) or _impossible(state, event)


def _impossible(state: State, event: WorkloadSubmitted) -> Refusal | None:
    wanted = event.gpu_model
    sold = [model for model in choices(state, wanted, None) if state.index.registered.get(model)]
    if not sold:
        what = "no GPU" if wanted is None else f"no {wanted}"
        return Refusal("no_such_model", f"Site {state.site_id} sells {what}.")
    enough = [model for model in sold if state.index.registered[model] >= event.gpu_count]
    if not enough:
        most = max(state.index.registered[model] for model in sold)
        return Refusal(
            "not_enough_gpus",
            f"Needs {event.gpu_count} GPUs of one model; the site has at most {most}.",
        )
    price = event.max_price_usd_per_gpu_hour
    paid = enough
    if price is not None:
        most_micros = micros(price)
        paid = [model for model in enough if state.gpu_prices_micros[model] <= most_micros]
    if not paid:
        cheapest = usd(min(state.gpu_prices_micros[model] for model in enough))
        return Refusal(
            "price_too_low",
            f"Pays at most ${price} per GPU-hour; the list price is ${cheapest.normalize():f}.",
        )
    if not any(_can_power(state, model, event.gpu_count) for model in paid):
        return Refusal(
            "power_never_fits",
            f"The power of {event.gpu_count} {' or '.join(paid)} never fits under the caps.",
        )
    return _late_or_crowded(state, event)


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
    carried: list[tuple[int, int]] = []
    for feeder_id, by_power in state.index.fleet[model].items():
        room_w = state.feeder_caps_w.get(feeder_id, 0)
        for power_w, registered in sorted(by_power.items()):
            fitting = min(registered, room_w // power_w) if power_w else registered
            room_w -= fitting * power_w
            carried.append((power_w, fitting))
    needed_w = 0
    for power_w, fitting in sorted(carried):
        take = min(count, fitting)
        needed_w += take * power_w
        count -= take
    return count == 0 and needed_w <= state.power_cap_w
