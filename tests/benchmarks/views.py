"""`python -m tests.benchmarks.views [ROWS [TABLE ...]]`: each documented view on so many rows.

Of a table that grows with time it makes ROWS (5,000,000 when none are named), of one that grows
with the company a fiftieth. One table after the other is filled, asked and emptied again, in a
PostgreSQL of its own. It prints milliseconds, of the second time that each question is asked, as an
analyst asks it: within the limits of the role.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from deploy.local import ports
from deploy.local.child import Child
from deploy.local.infrastructure import wait_ready
from deploy.local.postgres import Postgres
from projections.migrating import migrate

ROWS = 5_000_000
Connection = psycopg.Connection[tuple[object, ...]]
out = Console(width=None if sys.stdout.isatty() else 140)

# What a column holds where its table says nothing of it: an expression of the row's number, g.
BY_NAME = {
    "site_id": "'site-' || g % 20",
    "customer_id": "'customer-' || g % 1000",
    "feeder_id": "'feeder-' || g % 4",
    "gpu_model": "(ARRAY['H100', 'A100', 'L40S'])[1 + g % 3]",
    "interval_end": "timestamptz '2020-01-01' + (g + 1) * interval '30 s'",
    "offset": "g",
    "partition": "0",
    "reason": "'because'",
    "rejected": "false",
}
BY_TYPE = {
    "text": "'{column}-' || g",
    "bigint": "1000 + g % 100000",
    "integer": "g % 1000",
    "numeric": "(g % 10000) / 100.0",
    "boolean": "false",
    "double precision": "1.0",
    "jsonb": "'[]'::jsonb",
    "text[]": "ARRAY['unit-' || g % 500]",
    "bigint[]": "ARRAY[700]::bigint[]",
    "integer[]": "ARRAY[1000]",
    "timestamp with time zone": "timestamptz '2020-01-01' + g * interval '30 s'",
}
DAY = "timestamptz '2022-06-01' AND timestamptz '2022-06-02'"


@dataclass(frozen=True)
class Subject:
    """tables: with the columns that are not as usual, and how many of the rows each gets, 1 being
    all. questions: view, what is asked of it, the query
    """

    tables: Mapping[str, Mapping[str, str]]
    questions: tuple[tuple[str, str, str], ...]
    share: float = 1.0
    shares: Mapping[str, float] = field(default_factory=dict)


def newest(view: str, at: str, key: str) -> tuple[str, str, str]:
    query = f"SELECT * FROM analytics.{view} ORDER BY {at} DESC, {key} DESC LIMIT 100"
    return view, "newest 100 of all sites", query


def day(view: str, at: str, where: str = "site_id = 'site-7'") -> tuple[str, str, str]:
    query = f"SELECT * FROM analytics.{view} WHERE {where} AND {at} BETWEEN {DAY}"
    return view, "a day of one site", query


SUBJECTS = (
    Subject(
        {
            "workloads": {
                "state": "CASE WHEN g % 50000 = 0 THEN 'queued' ELSE 'completed' END",
                "kind": "(ARRAY['training', 'inference', 'batch', 'interactive'])[1 + g % 4]",
                "queue_offset": "g",
            }
        },
        (
            newest("workloads", "submitted_at", "workload_id"),
            day("workloads", "submitted_at"),
            (
                "workloads",
                "by kind, all time",
                "SELECT kind, count(*), avg(wait_s) FROM analytics.workloads GROUP BY kind",
            ),
            ("queue", "all that wait", "SELECT * FROM analytics.queue"),
        ),
    ),
    Subject(
        {"placements": {"ended_at": "timestamptz '2020-01-02' + g * interval '30 s'"}},
        (
            (
                "placements",
                "of one workload",
                "SELECT * FROM analytics.placements WHERE workload_id = 'workload_id-77'",
            ),
            (
                "placements",
                "by model, all time",
                "SELECT gpu_model, count(*), sum(units) FROM analytics.placements "
                "GROUP BY gpu_model",
            ),
        ),
    ),
    Subject(
        {
            "decisions": {
                "kind": "(ARRAY['placement', 'queueing', 'power_plan', 'curtailment'])[1 + g % 4]",
                "reason": "repeat('it earns more than what gives way to it; ', 4)",
                "alternatives": "(SELECT jsonb_agg(jsonb_build_object('label', 'unit-' || a, "
                "'value_usd_micros_per_hour', g + a)) FROM generate_series(1, 4) a)",
            }
        },
        (
            newest("decisions", "at", "decision_id"),
            day("decisions", "at"),
            (
                "decisions",
                "by kind, all time",
                "SELECT kind, count(*), sum(value_usd_per_hour) FROM analytics.decisions "
                "GROUP BY kind",
            ),
            (
                "decisions",
                "by kind, one day of all sites",
                "SELECT kind, count(*), avg(bound_usd_per_hour - value_usd_per_hour) "
                f"FROM analytics.decisions WHERE at BETWEEN {DAY} GROUP BY kind",
            ),
        ),
    ),
    Subject(
        {"power_plans": {}},
        (
            (
                "power_plans",
                "of one site, newest 100",
                "SELECT * FROM analytics.power_plans WHERE site_id = 'site-7' "
                "ORDER BY at DESC LIMIT 100",
            ),
            (
                "power_plans",
                "by trigger, all time",
                "SELECT trigger, count(*) FROM analytics.power_plans GROUP BY trigger",
            ),
        ),
    ),
    Subject(
        {"power_price_publications": {"settlement_point": "'HB_HUBAVG'"}},
        (
            newest("power_prices", "interval_start", "site_id"),
            day("power_prices", "interval_start"),
            (
                "power_prices",
                "mean of each site and month",
                "SELECT site_id, date_trunc('month', interval_start) AS month, "
                "avg(price_usd_per_mwh) FROM analytics.power_prices GROUP BY site_id, month",
            ),
        ),
    ),
    Subject(
        {"hash_price_publications": {}},
        (
            newest("hash_prices", "interval_start", "site_id"),
            day("hash_prices", "interval_start"),
        ),
    ),
    Subject(
        {
            "feeder_energy_readings": {
                "unit_ids": "ARRAY['unit-1', 'unit-2', 'unit-3']",
                "unit_energy_wh": "ARRAY[175, 875, 875]::bigint[]",
                "unit_work_th": "ARRAY[0, 45000, 45000]::bigint[]",
            },
            "power_price_publications": {"settlement_point": "'HB_HUBAVG'"},
            "hash_price_publications": {},
        },
        (
            day("unit_energy", "interval_start"),
            day("feeder_energy_hourly", "hour"),
            (
                "feeder_energy_hourly",
                "all sites, all time",
                "SELECT site_id, sum(energy_mwh) FROM analytics.feeder_energy_hourly "
                "GROUP BY site_id",
            ),
            day("site_pnl_hourly", "hour"),
            (
                "site_pnl_hourly",
                "one site, a month",
                "SELECT sum(profit_usd) FROM analytics.site_pnl_hourly WHERE site_id = 'site-7' "
                "AND hour >= '2022-06-01' AND hour < '2022-07-01'",
            ),
            (
                "site_pnl_hourly",
                "all sites, all time",
                "SELECT site_id, sum(profit_usd) FROM analytics.site_pnl_hourly GROUP BY site_id",
            ),
        ),
        shares={"power_price_publications": 0.02, "hash_price_publications": 0.02},
    ),
    Subject(
        {"curtailment_requests": {}},
        (
            day("curtailments", "starts_at"),
            (
                "curtailments",
                "one",
                "SELECT * FROM analytics.curtailments WHERE site_id = 'site-7' "
                "AND curtailment_id = 'curtailment_id-7'",
            ),
        ),
    ),
    Subject(
        {"alerts": {"cleared_at": "timestamptz '2020-01-01' + g * interval '31 s'"}},
        (newest("alerts", "raised_at", "alert_id"), day("alerts", "raised_at")),
    ),
    Subject(
        {"rejected_inputs": {"topic": "'hcp.sites.v1'", "reason": "'reason-' || g % 12"}},
        (
            (
                "rejected_inputs",
                "by reason, all time",
                "SELECT reason, count(*) FROM analytics.rejected_inputs GROUP BY reason",
            ),
        ),
    ),
    Subject(
        {
            "usage": {
                "state": "'rated'",
                "unit": "CASE WHEN g % 2 = 0 THEN 'gpu_us' ELSE 'wh' END",
                "interval_end": "timestamptz '2020-01-01' + g * interval '30 s'",
            }
        },
        (
            newest("usage", "interval_start", "usage_id"),
            day("usage", "interval_start", "customer_id = 'customer-7'"),
            (
                "usage",
                "amount by customer, all time",
                "SELECT customer_id, sum(amount_usd) FROM analytics.usage GROUP BY customer_id",
            ),
        ),
    ),
    Subject(
        {"usage_ratings": {"usage_id": "'usage-' || g / 3", "unit": "'wh'"}},
        (
            (
                "usage_ratings",
                "of one usage",
                "SELECT * FROM analytics.usage_ratings WHERE usage_id = 'usage-7'",
            ),
            (
                "usage_ratings",
                "amount by tariff, all time",
                "SELECT priced_by, sum(amount_usd) FROM analytics.usage_ratings GROUP BY priced_by",
            ),
        ),
    ),
    Subject(
        {
            "invoices": {"state": "'finalized'", "currency": "'USD'"},
            "invoice_lines": {"invoice_id": "'invoice_id-' || g % 1000000", "unit": "'wh'"},
        },
        (
            newest("invoices", "period_start", "invoice_id"),
            (
                "invoices",
                "total by customer",
                "SELECT customer_id, sum(total_usd) FROM analytics.invoices GROUP BY customer_id",
            ),
            (
                "invoice_lines",
                "of one invoice",
                "SELECT * FROM analytics.invoice_lines WHERE invoice_id = 'invoice_id-7'",
            ),
            (
                "invoice_lines",
                "by meter, all time",
                "SELECT meter, sum(amount_usd) FROM analytics.invoice_lines "
                "WHERE workload_id < 'workload_id-2' GROUP BY meter LIMIT 10",
            ),
        ),
    ),
    Subject(
        {
            "site_configurations": {
                "site_id": "'site-' || g",
                "feeders": '\'[{"feeder_id": "feeder-1", "power_cap_w": 1000000}]\'::jsonb',
            },
            "site_ticks": {"site_id": "'site-' || g", "slot": "0"},
            "unit_registrations": {"unit_id": "'unit-' || g", "kind": "'asic'"},
            "unit_states": {
                "unit_id": "'unit-' || g",
                **dict.fromkeys(("failed_offset", "drained_offset", "degraded_offset"), "NULL"),
            },
            "customer_enrolments": {"customer_id": "'customer-' || g"},
            "contract_signatures": {"customer_id": "'customer-' || g"},
            "tariff_publications": {"customer_id": "'customer-' || g"},
        },
        (
            ("clock_corrections", "all", "SELECT * FROM analytics.clock_corrections"),
            ("sites", "all, with their planned power", "SELECT * FROM analytics.sites"),
            (
                "feeders",
                "of one site",
                "SELECT * FROM analytics.feeders WHERE site_id = 'site-7'",
            ),
            ("units", "of one site", "SELECT * FROM analytics.units WHERE site_id = 'site-7'"),
            (
                "units",
                "by model, all",
                "SELECT model, count(*), sum(power_w) FROM analytics.units GROUP BY model LIMIT 9",
            ),
            ("customers", "all", "SELECT * FROM analytics.customers"),
            ("contracts", "all", "SELECT * FROM analytics.contracts"),
            ("gpu_prices", "all", "SELECT * FROM analytics.gpu_prices"),
            ("freshness", "all", "SELECT * FROM analytics.freshness"),
        ),
        share=0.02,
        shares={"site_configurations": 0.000004, "site_ticks": 0.000004},
    ),
)


def main(rows: int, named: frozenset[str]) -> int:
    """named: only the views of these tables; all when empty"""
    subjects = [s for s in SUBJECTS if not named or named & s.tables.keys()]
    table = Table(title=f"Each documented view, {rows:,} rows in the tables below it")
    for heading, justify in (("view", "left"), ("question", "left"), ("ms", "right")):
        table.add_column(heading, justify="right" if justify == "right" else "left")
    with postgres() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        for subject in subjects:
            started = time.monotonic()
            for name, columns in subject.tables.items():
                share = subject.shares.get(name, subject.share)
                fill(connection, name, columns, max(1, int(rows * share)))
            filled_s = time.monotonic() - started
            for view, asked, query in subject.questions:
                table.add_row(view, asked, f"{answered_ms(connection, query):,.1f}")
            names = sql.SQL(", ").join(map(sql.Identifier, subject.tables))
            connection.execute(sql.SQL("TRUNCATE {}").format(names))
            out.print(f"{', '.join(subject.tables)}: filled in {filled_s:.0f} s")
        missing = views(connection) - {view for s in SUBJECTS for view, *_ in s.questions}
    out.print(table)
    if missing:
        out.print(f"not measured: {', '.join(sorted(missing))}")
    return 1 if missing else 0


def fill(connection: Connection, name: str, columns: Mapping[str, str], rows: int) -> None:
    """Without its other indexes, which are quicker to make afterwards."""
    described = connection.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
        (name,),
    ).fetchall()
    expressions = {
        str(column): columns.get(str(column))
        or BY_NAME.get(str(column))
        or BY_TYPE[str(kind)].format(column=column)
        for column, kind in described
    }
    indexes = connection.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
        "WHERE indrelid = %s::regclass AND NOT indisprimary",
        (name,),
    ).fetchall()
    for index, _ in indexes:
        connection.execute(f"DROP INDEX {index}".encode())
    targets = ", ".join(f'"{column}"' for column in expressions)
    values = ", ".join(expressions.values())
    connection.execute(
        f"INSERT INTO {name} ({targets}) SELECT {values} FROM generate_series(1, {rows}) g".encode()
    )
    for _, definition in indexes:
        connection.execute(str(definition).encode())
    connection.execute(f"VACUUM ANALYZE {name}".encode())


def answered_ms(connection: Connection, query: str) -> float:
    """As an analyst would ask it, in time or not at all."""
    took_ms = 0.0
    for _ in range(2):
        with connection.transaction():
            connection.execute("SET LOCAL ROLE hcp_analyst")
            connection.execute("SET LOCAL statement_timeout = '60s'")
            started = time.perf_counter()
            connection.execute(query.encode()).fetchall()
            took_ms = (time.perf_counter() - started) * 1000
    return took_ms


def views(connection: Connection) -> set[str]:
    found = connection.execute("SELECT viewname FROM pg_views WHERE schemaname = 'analytics'")
    return {str(name) for (name,) in found}


@contextmanager
def postgres() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)  # where we are root, PostgreSQL is somebody else
        (port,) = ports.choose_free(1)
        server = Postgres(directory / "postgres", port, "benchmark", durable=False)
        server.prepare(directory / "initdb.log")
        child = Child(server.command(), directory / "postgres.log")
        try:
            wait_ready(child)
            server.create_databases()
            migrate(server.dsn("hcp"))
            yield f"{server.dsn('hcp')}?options=-c%20maintenance_work_mem%3D256MB"
        finally:
            child.stop()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else ROWS, frozenset(sys.argv[2:])))
