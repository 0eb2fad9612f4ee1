"""Why a workload is where it is, for people: each decision as a sentence and a table."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import quote

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.gateway import Gateway, GatewayError, Money
from deploy.scene import minute

UNFULFILLED = ("rejected", "failed", "cancelled")
LABEL_WIDTH = 38  # beyond it a label folds; the reasons get the rest of 80 columns


class Workload(msgspec.Struct, frozen=True):
    workload_id: str
    state: str
    reason: str = ""
    detail: str = ""
    site_id: str | None = None
    units: list[str] = []


class Alternative(msgspec.Struct, frozen=True):
    label: str
    feasible: bool
    reason: str
    value_per_hour: Money


class Decision(msgspec.Struct, frozen=True):
    at: str
    agent: str
    kind: str
    chosen: str
    reason: str
    alternatives: list[Alternative]


class Alert(msgspec.Struct, frozen=True):
    detail: str
    cleared_at: str | None = None


class Explanation(msgspec.Struct, frozen=True):
    """The gateway's answer, as far as it is shown; newest decision first."""

    workload: Workload
    decisions: list[Decision]
    pending_because: str | None = None
    queue_position: int | None = None
    alerts: list[Alert] = []


def path(workload_id: str) -> str:
    return f"/workloads/{quote(workload_id, safe='')}/explain"


def ask(gateway: Gateway, workload_id: str) -> Explanation:
    try:
        return msgspec.convert(gateway.get(path(workload_id)), Explanation)
    except msgspec.ValidationError as error:
        raise GatewayError(f"The gateway's explanation is of another version: {error}.") from error


def print_explanation(console: Console, explanation: Explanation) -> None:
    say(console, standing(explanation))
    if explanation.pending_because:
        say(console, f"It waits: {explanation.pending_because}")
    for alert in explanation.alerts:
        if alert.cleared_at is None:
            say(console, f"Alert: {alert.detail}")
    workload = explanation.workload
    if workload.state in UNFULFILLED:
        say(console, f"Why: {workload.detail or workload.reason}")
    elif not explanation.decisions and not explanation.pending_because:
        say(console, "Nothing has been decided about it yet.")
    for decision in explanation.decisions:
        say(console, "")
        heading = f"{minute(decision.at)}  {decision.agent}, {decision.kind}: {decision.chosen}"
        console.print(Text(heading, "bold"), soft_wrap=False)
        say(console, decision.reason)
        console.print(alternatives_table(decision))


def say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=False)


def standing(explanation: Explanation) -> str:
    workload = explanation.workload
    parts = [f"{workload.workload_id} is {workload.state}"]
    if workload.site_id:
        parts.append(f"at {workload.site_id}")
    if workload.units:
        parts.append(f"on {', '.join(workload.units)}")
    if explanation.queue_position is not None:
        parts.append(f"at place {explanation.queue_position} of the queue")
    return " ".join(parts)


def alternatives_table(decision: Decision) -> Table:
    """The chosen one first, with an arrow; its reason is the sentence above the table."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), expand=True)
    table.add_column("  alternative", max_width=LABEL_WIDTH)
    table.add_column("possible")
    table.add_column("$/h", justify="right", no_wrap=True)
    table.add_column("why not", ratio=1)
    for alternative in decision.alternatives:
        chosen = alternative.label == decision.chosen
        table.add_row(
            Text(f"> {alternative.label}" if chosen else f"  {alternative.label}"),
            "yes" if alternative.feasible else "no",
            f"{Decimal(alternative.value_per_hour.amount):,.2f}",
            Text("" if chosen else alternative.reason),
        )
    return table
