"""A small stack of real processes, for tests that need one running."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.driving import tiny_stack


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with tiny_stack(tmp_path) as process:
        yield process
