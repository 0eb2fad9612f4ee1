"""No reader of a log has an isolation level of its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACES = ("schemas", "streams", "projections", "gateway", "simulators", "deploy", "tests")
LEVELS = {"READ_COMMITTED", "READ_UNCOMMITTED"}
ASKS_ONLY_FOR_ENDS = {"gateway/broker.py", "tests/streams/substrates.py"}


def sources() -> Iterator[tuple[str, str]]:
    for place in PLACES:
        for file in sorted((ROOT / place).rglob("*.py")):
            yield str(file.relative_to(ROOT)), file.read_text()


def levels(source: str) -> Iterator[set[str]]:
    """For each consumer that is made, the levels that are spread into dicts of that module's."""
    tree = ast.parse(source)
    spread = {
        value.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if key is None and isinstance(value, ast.Name) and value.id in LEVELS
    }
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="Consumer")):
                yield spread


def test_every_consumer_reads_what_the_one_place_says() -> None:
    found = {path: list(levels(source)) for path, source in sources() if "Consumer" in source}
    made = {path: each for path, each in found.items() if each}
    assert len(made) >= 8
    assert [path for path, each in made.items() if not all(each)] == []
    uncommitted = {path for path, each in made.items() if "READ_UNCOMMITTED" in set().union(*each)}
    assert uncommitted <= ASKS_ONLY_FOR_ENDS


def test_the_level_is_named_in_one_place() -> None:
    named = {path for path, source in sources() if "isolation.level" in source}
    assert named - {"tests/architecture/test_isolation.py"} == {"schemas/isolation.py"}
