"""Deciders take time from events and identity from inputs; imports alone cannot show that.

What a module may import is import-linter's business (.importlinter). Here: the calls that ask the
outside world although their module is allowed, such as `datetime.now()` and `uuid4()`.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AGENTS = ("routing", "optimization", "metering", "invoicing", "brokering")
ASKS_OUTSIDE = {"now", "utcnow", "today", "uuid1", "uuid4", "getenv", "open", "input", "print"}


def pure_modules() -> list[Path]:
    files = [file for agent in AGENTS for file in (ROOT / "streams" / agent).rglob("*.py")]
    return sorted(file for file in files if file.name != "agent.py")


def test_there_are_deciders_to_look_at() -> None:
    found = {file.parent.name for file in pure_modules() if file.name == "decider.py"}
    assert found == set(AGENTS)


@pytest.mark.parametrize("file", pure_modules(), ids=lambda file: str(file.relative_to(ROOT)))
def test_a_pure_module_asks_nothing_of_the_outside(file: Path) -> None:
    asked = [
        f"line {node.lineno}: {called(node)}()"
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and called(node) in ASKS_OUTSIDE
    ]
    assert asked == []


def called(node: ast.Call) -> str:
    match node.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
