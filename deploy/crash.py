"""The trace of a bug, kept where its reporter finds it."""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import platformdirs

FILE = "crash.log"


def keep() -> str:
    """Append the exception being handled to a file; where the details are, for a sentence."""
    trace = f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')}\n{traceback.format_exc()}\n"
    for directory in places():
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with (directory / FILE).open("a") as stream:
                stream.write(trace)
        except OSError:
            continue
        return f"details in {directory / FILE}"
    return f"details could be kept nowhere: {traceback.format_exc()}"


def places() -> Iterator[Path]:
    """Where this system keeps logs, or a directory of this run's own."""
    yield platformdirs.user_log_path("hcp")
    try:
        yield Path(tempfile.mkdtemp(prefix="hcp-crash-"))
    except OSError:
        return
