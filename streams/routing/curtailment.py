"""Answers limits that came down: shed at once, say why, and tell the grid when its level is met."""

from __future__ import annotations

from schemas.events.decisions import Alternative
from schemas.events.sites import CurtailmentMet
from streams.routing.draft import Draft
from streams.routing.economics import power_cost
from streams.routing.explanation import money
from streams.routing.power import Shed, enforce_limits, over_a_limit, unconfirmed_w
from streams.routing.state import Curtailment, State


def answer_limits(draft: Draft, subject: str) -> None:
    """Shed what is over any limit, and meet the curtailments in force.

    One is met when planned power, together with what ASICs that did not step down may draw beyond
    it, is at or below its level.

    subject: names the decision when no curtailment is in force (the site whose caps came down).
    """
    state = draft.state
    unmet = [
        curtailment
        for _, curtailment in sorted(state.curtailments.items())
        if curtailment.in_force(state.now) and not curtailment.met
    ]
    binding = min(unmet, key=lambda asked: (asked.max_power_w, asked.curtailment_id), default=None)
    if over_a_limit(state) or any(_is_met(state, curtailment) for curtailment in unmet):
        kind = "cap" if binding is None else "curtailment"
        about = subject if binding is None else binding.curtailment_id
        decision_id = draft.new_id(kind, about)
        shed = enforce_limits(draft, decision_id)
        alternatives = _alternatives(state, shed, binding)
        draft.explain(
            decision_id=decision_id,
            kind=kind,
            subject=about,
            reason=_sentence(shed),
            alternatives=alternatives,
        )
    for curtailment in unmet:
        if _is_met(state, curtailment):
            draft.emit(
                CurtailmentMet(
                    site_id=state.site_id,
                    at=draft.at,
                    curtailment_id=curtailment.curtailment_id,
                    power_w=state.index.site_w,
                    max_power_w=curtailment.max_power_w,
                )
            )


def _is_met(state: State, curtailment: Curtailment) -> bool:
    return state.index.site_w + unconfirmed_w(state) <= curtailment.max_power_w


def _sentence(shed: Shed) -> str:
    if not shed.mining_w and not shed.ai_w:
        return "The site is already at or below the level."
    told = f"{shed.mining_units} ASICs give back {shed.mining_w} W"
    if shed.workload_ids:
        told += f" and {len(shed.workload_ids)} workloads {shed.ai_w} W"
        return f"{told}, mining first, then the lowest priority."
    return f"{told}, the least dollars per watt first."


def _alternatives(state: State, shed: Shed, binding: Curtailment | None) -> list[Alternative]:
    freed_w = shed.mining_w + shed.ai_w
    ai_value = shed.ai_revenue - power_cost(state, shed.ai_w)
    payment = 0 if binding is None else freed_w * binding.payment_micros_per_mwh // 1_000_000
    chosen = Alternative(
        label="shed mining by merit order" + (", then AI" if shed.ai_w else ""),
        feasible=True,
        reason=f"Mining worth {money(shed.mining_value)} and AI worth {money(ai_value)} an hour "
        f"after power; the grid pays {money(payment)}.",
        value_usd_micros_per_hour=payment - shed.mining_value - ai_value,
        power_w=-freed_w,
    )
    keep = Alternative(
        label="keep everything running",
        feasible=not freed_w,
        reason="Would plan more power than the limit." if freed_w else "Nothing had to be shed.",
        value_usd_micros_per_hour=0,
        power_w=0,
    )
    return [chosen, keep] if freed_w else [keep]
