"""Tables for people: status and report."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from deploy.display import last_exits, process_table
from deploy.gateway import Money, Profit, Report
from deploy.local.state import StackState
from deploy.scene import minute

POLICY_NAMES = {
    "hcp": "HCP",
    "always_mine": "always mine",
    "ai_first": "AI first",
    "strike_2_up_4_down": "strike rule 2-up/4-down",
}


def print_status(console: Console, state: StackState) -> None:
    why = f": {state.error}" if state.error else ""
    console.print(f"{state.phase}{why} (scenario {state.scenario}, data in {state.data_dir})")
    console.print(process_table(state.processes))
    console.print(last_exits(state.processes))
    total = sum(process.memory_mb or 0 for process in state.processes)
    if total:
        console.print(f"{total} MB in all")
    if state.phase in ("starting", "running"):
        print_endpoints(console, state)


def print_endpoints(console: Console, state: StackState) -> None:
    for endpoint in state.endpoints:
        console.print(
            f"  {endpoint.name:<10} {without_password(endpoint.address)}", highlight=False
        )


def print_report(console: Console, report: Report) -> None:
    if report.begins is None:
        console.print("no hour is complete yet")
    else:
        console.print(f"complete hours from {minute(report.begins)} to {minute(report.ends)}")
    workloads = plain_table("workloads", "", "")
    for state in report.workloads.__struct_fields__:
        workloads.add_row(state, f"{getattr(report.workloads, state):,}")
    energy = plain_table("energy by feeder", "", "MWh")
    for row in report.energy:
        energy.add_row(f"{row.site_id} {row.feeder_id}", f"{Decimal(str(row.energy_mwh)):,.3f}")
    money = plain_table(
        *("the same hours under each policy, in dollars", ""),
        *("AI revenue", "mining revenue", "power cost", "profit"),
    )
    named = {entry.policy: entry for entry in report.policies}
    rows: list[tuple[str, Profit]] = [("hcp", named.pop("hcp", report.profit)), *named.items()]
    for policy, profit in rows:
        amounts = (profit.ai_revenue, profit.mining_revenue, profit.power_cost, profit.profit)
        money.add_row(POLICY_NAMES.get(policy, policy), *map(dollars, amounts))
    invoices = plain_table("invoices", "", "")
    invoices.add_row("finalized", f"{report.invoices.finalized:,}")
    invoices.add_row("drafted", f"{report.invoices.drafted:,}")
    for table in (workloads, energy, money, invoices):
        console.print(table)
    total = report.invoices.total
    console.print(f"invoiced: {dollars(total)} {total.currency}", highlight=False)


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
    """A DSN is shown to people on screens; `--json` has it whole."""
    parts = urlsplit(address)
    if parts.password is None:
        return address
    return address.replace(f":{parts.password}@", ":***@", 1)
