"""What Java needs to be told about paths, which it does not take as they are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from deploy.errors import DataDirectoryError, DeployError

# How Java reads file names on Linux depends on the locale, and under POSIX only ASCII survives.
# We name files in UTF-8 (or, rarely, in what the locale says, and then it may stay).
ENVIRONMENT = {"LC_ALL": "C.UTF-8"} if sys.getfilesystemencoding() == "utf-8" else {}


def property_value(text: str) -> str:
    """As a .properties file holds it: Java reads that as Latin-1, with backslash as its escape."""
    units = memoryview(text.encode("utf-16-le")).cast("H")
    return "".join(
        f"\\u{unit:04x}" if not 0x20 < unit < 0x7F else "\\\\" if unit == ord("\\") else chr(unit)
        for unit in units
    )


def require_list_entry(path: Path, elsewhere: str) -> None:
    """Kafka's log.dirs is a list, and has no way to write a comma in an entry."""
    if "," in str(path) or not is_text(path):
        wrong = "a comma" if "," in str(path) else "bytes that are no text"
        raise DataDirectoryError(
            f"{path!s:.300} has {wrong} in its path, which Kafka cannot use: choose {elsewhere}."
        )


def require_class_path(path: Path, variable: str) -> None:
    """A class path has no way to write its own separator."""
    if os.pathsep in str(path) or not is_text(path):
        wrong = repr(os.pathsep) if os.pathsep in str(path) else "bytes that are no text"
        raise DeployError(
            f"{path!s:.300} has {wrong} in its path, which Java cannot use: choose another with "
            f"{variable}."
        )


def is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True
