"""The real data in `data/`, compressed CSV files; `data/README.md` says where they come from."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path

from simulators.errors import DataInvalid

DATA_DIR = Path(__file__).parent / "data"


def read_rows(name: str) -> Iterator[dict[str, str]]:
    """Rows of a compressed CSV in `data/`. Raises DataInvalid."""
    path = DATA_DIR / f"{name}.csv.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
            yield from csv.DictReader(text)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataInvalid(f"{path.name} cannot be read: {error}") from None
