"""The ledger in another shape, as a process: without a snapshot that it can read."""

from __future__ import annotations

import sys
from dataclasses import replace

from streams.app import run
from tests.streams.ledger import LEDGER

REBUILT = replace(LEDGER, version="2", state_version="2")

if __name__ == "__main__":
    sys.exit(run(REBUILT))
