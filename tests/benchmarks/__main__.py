"""`python -m tests.benchmarks [core|codec|services|flood|checkpoints|rebuild ...]`: a table and
bench.json. Without a name all but `rebuild`, which takes half an hour."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.checkpoint_pause import checkpoint_pause
from tests.benchmarks.codec import codec
from tests.benchmarks.environment import environment
from tests.benchmarks.figures import Figure
from tests.benchmarks.flood import PARTITIONS, flood
from tests.benchmarks.projections import projections
from tests.benchmarks.rebuild import rebuild
from tests.benchmarks.routing_core import routing_core
from tests.benchmarks.routing_kafka import routing_kafka

RESULT = Path("bench.json")
out = Console(width=None if sys.stdout.isatty() else 170)
err = Console(stderr=True)


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        err.print(f"no benchmark {unknown[0]!r}; there are {', '.join(GROUPS)}")
        return 2
    figures: list[Figure] = []
    for name, group in GROUPS.items():
        if name in (names or USUAL):
            err.print(f"measuring {name} ...")
            figures += group()
    RESULT.write_text(json.dumps(_report(figures), indent=2) + "\n")
    out.print(_table(figures))
    out.print(f"written to {RESULT}")
    return 0


def _services() -> list[Figure]:
    with environment() as env:
        return [*routing_kafka(env), *projections(env)]


def _flood() -> list[Figure]:
    with environment(PARTITIONS) as env:
        return flood(env)


def _checkpoints() -> list[Figure]:
    with environment() as env:
        return checkpoint_pause(env)


def _rebuild() -> list[Figure]:
    with environment() as env:
        return rebuild(env)


def _report(figures: list[Figure]) -> dict[str, object]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpus": os.cpu_count(),
            "architecture": platform.machine(),
            "python": platform.python_version(),
            "load_average": os.getloadavg(),
        },
        "figures": [
            {**asdict(figure), "ratio": figure.ratio, "meets_bar": figure.meets_bar}
            for figure in figures
        ],
    }


def _table(figures: list[Figure]) -> Table:
    table = Table(title="What the parts can do, beside a peer or limit measured in the same run")
    for heading in ("benchmark", "what", "value", "unit", "bar", "peer", "its value", "ratio"):
        number = heading in ("value", "bar", "its value", "ratio")
        table.add_column(heading, justify="right" if number else "left")
    for figure in figures:
        table.add_row(
            figure.benchmark,
            figure.name,
            _number(figure.value),
            figure.unit,
            _bar(figure),
            figure.peer,
            _number(figure.peer_value),
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
        )
    return table


def _bar(figure: Figure) -> str:
    if figure.bar is None:
        return ""
    sign = "≥" if figure.better == "higher" else "≤"
    return f"{sign} {figure.bar:,.0f} {'met' if figure.meets_bar else 'missed'}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


GROUPS: dict[str, Callable[[], list[Figure]]] = {
    "core": routing_core,
    "codec": codec,
    "services": _services,
    "flood": _flood,
    "checkpoints": _checkpoints,
    "rebuild": _rebuild,
}
USUAL = [name for name in GROUPS if name != "rebuild"]

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
