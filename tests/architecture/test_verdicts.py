"""What moves a state judges nothing: `evolve` knows no rule by which an input is refused."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AGENTS = ("routing", "optimization", "metering", "invoicing", "brokering")
RULES = {"site_inputs", "site_rules", "site_names", "refusals", "rejection", "admission", "decider"}


def imported(module: str) -> set[str]:
    """The modules of `streams` that it imports, directly or not."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        for name in _imports(waiting.pop()) - found:
            found.add(name)
            waiting.append(name)
    return found


def _imports(module: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(_file(module).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= {name for name in {node.module, *inside} if _is_module(name)}
    return names


def _is_module(name: str) -> bool:
    return name.startswith("streams.") and _file(name).exists()


def _file(module: str) -> Path:
    return ROOT.joinpath(*module.split(".")).with_suffix(".py")


@pytest.mark.parametrize("agent", AGENTS)
def test_what_moves_a_state_knows_no_rule(agent: str) -> None:
    known = imported(f"streams.{agent}.evolution")
    assert f"streams.{agent}.state" in known, "the walk found nothing"
    assert {name for name in known if name.rpartition(".")[2] in RULES} == set()
