"""Tables for people: status and report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from rich.console import Console
from rich.table import Table

from deploy.display import last_exits, process_table
from deploy.gateway import Gateway, GatewayError, Money, Profit, Report, ReportedHours
from deploy.local.state import StackState
from deploy.scene import minute

CENT = Decimal("0.01")
KWH = Decimal("0.001")  # of a MWh
STRIKE_RULE = (
    "strike rule: ASICs off after 2 five-minute windows above $80/MWh, on after 4\n"
    "below, off at once at $150/MWh. Profit is AI and mining revenue less power cost."
)
ALWAYS_TOLD = ("dead letters", "alerts")
WELL = ("ok", "not_installed")
HIDDEN = "***"
SECRET = ("password", "sslpassword", "oauth_client_secret")
POLICY_NAMES = {
    "hcp": "HCP",
    "always_mine": "always mine",
    "ai_first": "AI first",
    "strike_2_up_4_down": "strike rule 2-up/4-down",
}


def print_status(console: Console, state: StackState) -> None:
    why = f": {state.error}" if state.error else ""
    scenario = f"scenario {state.scenario}, " if state.scenario else ""
    console.print(f"{state.phase}{why} ({scenario}data in {state.data_dir})")
    console.print(process_table(state.processes))
    console.print(last_exits(state.processes))
    total = sum(process.memory_mb or 0 for process in state.processes)
    if total:
        console.print(f"{total} MB in total")
    if state.phase in ("starting", "running"):
        print_endpoints(console, state)


def print_endpoints(console: Console, state: StackState) -> None:
    for endpoint in state.endpoints:
        console.print(
            f"  {endpoint.name:<10} {without_password(endpoint.address)}", highlight=False
        )


def health_seen_by(gateway: Gateway) -> dict[str, Any]:
    """The gateway's report; where it gives none, one that says so."""
    try:
        return gateway.get("/health")
    except GatewayError as error:
        silent = {"name": "health", "status": "down", "detail": str(error)}
        return {"status": "down", "components": [silent], "standstills": []}


def print_health(console: Console, health: Mapping[str, Any]) -> None:
    """What is not well, and what was refused."""
    for component in health["components"]:
        if component["name"] in ALWAYS_TOLD or component["status"] not in WELL:
            detail = component.get("detail") or component["status"]
            console.print(f"  {component['name']}: {detail}", markup=False, highlight=False)


def print_report(console: Console, report: Report) -> None:
    if report.begins is None:
        console.print("no hour is settled yet", highlight=False)
    for hours in report.hours:
        span = f"{minute(hours.begins)} to {minute(hours.ends)}"
        console.print(f"{hours.site_id}: settled hours from {span}", highlight=False)
    workloads = plain_table("workloads so far", "", "")
    for state in report.workloads.__struct_fields__:
        workloads.add_row(state, f"{getattr(report.workloads, state):,}")
    console.print(workloads, _energy_table(report))
    for line in _nobody_pays(report):
        console.print(line, highlight=False)
    if any(hours.compared_until != hours.ends for hours in report.hours):
        title = "profit of HCP in the settled hours, in dollars"
        console.print(_money_table(title, [("hcp", report.profit)]))
    policies = [(entry.policy, entry) for entry in report.policies]
    console.print(_money_table("the same hours under each policy, in dollars", policies))
    console.print(STRIKE_RULE, highlight=False)
    for hours in report.hours:
        if hours.compared_until != hours.ends:
            console.print(_so_far(hours), highlight=False)
    invoices = plain_table("invoices so far", "", "")
    invoices.add_row("finalized", f"{report.invoices.finalized:,}")
    invoices.add_row("drafted", f"{report.invoices.drafted:,}")
    console.print(invoices)
    total = report.invoices.total
    console.print(f"invoiced: {dollars(total)} {total.currency}", highlight=False)


def _energy_table(report: Report) -> Table:
    table = plain_table("energy by feeder, in MWh", "", "AI", "mining", "total")
    rows = [
        (
            f"{row.site_id} {row.feeder_id}",
            Decimal(row.ai_energy_mwh),
            Decimal(row.mining_energy_mwh),
        )
        for row in report.energy
    ]
    if len(rows) > 1:
        ai, mining = (sum(column, Decimal(0)) for column in list(zip(*rows, strict=True))[1:])
        rows.append(("all feeders", ai, mining))
    for name, *parts in rows:
        table.add_row(name, *(f"{part:,}" for part in adding_up(parts, KWH)))
    return table


def _nobody_pays(report: Report) -> Iterator[str]:
    unbilled = Decimal(report.unbilled_ai_energy_mwh)
    if unbilled:
        yield f"of AI, on nobody's bill (idle, failed switches, refused): {unbilled:,.3f} MWh"
    for row in report.refused_usage:
        yield f"usage refused on {row.site_id} ({row.reason}): {row.count:,}"
    for found in report.billing_differences:
        energy = f"{Decimal(found.energy_mwh):,.6f} MWh"
        more = f", {Decimal(found.difference.amount):,.2f} dollars more than billed"
        cost = more if found.reason == "late_price" else ", on no bill"
        yield f"too late for a bill on {found.site_id} ({found.reason}): {energy}{cost}"


def _money_table(title: str, rows: Iterable[tuple[str, Profit]]) -> Table:
    table = plain_table(title, "", "AI revenue", "mining revenue", "power cost", "profit")
    for policy, profit in rows:
        table.add_row(POLICY_NAMES.get(policy, policy), *cents(profit))
    return table


def _so_far(hours: ReportedHours) -> str:
    if hours.compared_until is None:
        return f"{hours.site_id} is not compared yet: its hours are still being simulated"
    until = minute(hours.compared_until)
    return f"{hours.site_id} is compared up to {until} so far: the rest is still being simulated"


def cents(profit: Profit) -> list[str]:
    """Revenue from AI and from mining, cost of power, profit."""
    earned = Decimal(profit.ai_revenue.amount), Decimal(profit.mining_revenue.amount)
    ai, mining, power, whole = adding_up([*earned, -Decimal(profit.power_cost.amount)], CENT)
    return [f"{amount:,}" for amount in (ai, mining, -power, whole)]


def adding_up(exact: Sequence[Decimal], step: Decimal) -> list[Decimal]:
    """The parts in whole steps, and then their sum.

    The sum is the nearest step. Each part rounded for itself may miss it by a step or two: then
    those that were rounded furthest are rounded the other way.
    """
    shown = [part.quantize(step, ROUND_HALF_UP) for part in exact]
    whole = sum(exact, Decimal(0)).quantize(step, ROUND_HALF_UP)
    apart = whole - sum(shown)
    back = step.copy_sign(apart)
    furthest = sorted(range(len(shown)), key=lambda at: back * (shown[at] - exact[at]))
    for at in furthest[: int(abs(apart) / step)]:
        shown[at] += back
    return [part + 0 for part in (*shown, whole)]  # never -0.00


def plain_table(title: str, first: str, *numbers: str) -> Table:
    """Fits 80 columns: no lines, names to the left, figures to the right."""
    table = Table(title=f"\n{title}", title_justify="left", title_style="bold", box=None)
    table.show_header = any(numbers)
    table.add_column(first, no_wrap=True)
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def dollars(money: Money) -> str:
    return f"{Decimal(money.amount):,.2f}"


def without_password(address: str) -> str:
    """A DSN, in any form of libpq, or a URL, as people may see it; `--json` has it whole."""
    try:
        password = urlsplit(address).password
    except ValueError:
        password = None
    shown = address.replace(f":{password}@", f":{HIDDEN}@", 1) if password else address
    try:
        known = conninfo_to_dict(shown)
    except psycopg.ProgrammingError:  # no DSN
        return shown
    secrets = [name for name in SECRET if known.get(name, HIDDEN) != HIDDEN]
    return make_conninfo(shown, **dict.fromkeys(secrets, HIDDEN)) if secrets else shown
