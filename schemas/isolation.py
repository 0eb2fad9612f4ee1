"""Which records of a log its readers see: those of a committed transaction, and of none.

Every reader of a log takes its setting from here, so that all of them see one history. What an
aborted transaction wrote, and the markers that end a transaction, are offsets that nobody reads;
what an open one wrote holds its partition back until it ends (the last stable offset).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ISOLATION_LEVEL: Final = "read_committed"
"""For a client that takes it by name."""

READ_COMMITTED: Final[Mapping[str, str]] = {"isolation.level": ISOLATION_LEVEL}
"""For the configuration of a consumer of librdkafka; its `get_watermark_offsets` then tells the
last stable offset."""

READ_UNCOMMITTED: Final[Mapping[str, str]] = {"isolation.level": "read_uncommitted"}
"""For a client that reads no record, and asks only where a partition ends: the high watermark."""
