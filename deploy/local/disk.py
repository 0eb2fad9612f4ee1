"""Enough room on the disk, asked before anything is written."""

from __future__ import annotations

import shutil
from pathlib import Path

from deploy.errors import NoSpaceError


def require_free(directory: Path, needed_mb: int, purpose: str) -> None:
    """Raise NoSpaceError unless the file system of the directory has the room."""
    existing = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    free_mb = shutil.disk_usage(existing).free // 1_000_000
    if free_mb < needed_mb:
        raise NoSpaceError(
            f"Only {free_mb} MB are free at {directory}, and {needed_mb} MB are needed {purpose}: "
            "free some space, or choose another disk (--data-dir for data, HCP_CACHE_DIR for "
            "downloads)."
        )
