"""Why the projections stop. (Why one record is put aside: `schemas.errors`.)

ProjectionError       stop and say so
├── NotProvisioned    a topic or table is missing: run the deploy step
├── LogUnreadable     Kafka refuses what a restart will not mend
├── AlreadyRebuilding another process is rebuilding the same read model
└── HeldUp            others had a table open for as long as a migration waits
"""

from __future__ import annotations


class ProjectionError(Exception):
    """Stops the process on purpose. The message is one sentence for a person."""


class NotProvisioned(ProjectionError):
    """A topic or a table is not there."""


class LogUnreadable(ProjectionError):
    """A log does not hold the offset we must go on from, or Kafka gave up for good."""


class AlreadyRebuilding(ProjectionError):
    """One rebuild of a read model at a time."""


class HeldUp(ProjectionError):
    """A migration could not have a table to itself; nothing of it was applied."""
