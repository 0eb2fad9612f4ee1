"""Why a worker stops, and what the person who reads it must do.

StreamError
├── PublishingFailed     the log did not take a record: the worker stops and makes it again
├── WorkerFailed         the worker failed before: start a new one, which begins at its snapshot
├── AnswersIncomplete    another version left an input half answered: let that version finish first
├── VerdictOverruled     the authority judged an input otherwise: make the state again
├── NotProvisioned       a topic is missing or has too few partitions: run the deploy step
├── LogUnavailable       Kafka does not answer within the bound
├── PortTaken            another process listens where the metrics should be
├── ReadingStopped       the process is to end: nothing is wrong
└── ConsumerStopped      Kafka's consumer gave up: a new process joins the group again
"""

from __future__ import annotations


class StreamError(Exception):
    """Anything that stops a worker on purpose. The message is one sentence for a person."""


class PublishingFailed(StreamError):
    """A record could not be made durable. Nothing after it may be either, so the worker stops."""


class WorkerFailed(StreamError):
    """A failed worker was asked to go on: its state may be ahead of every log."""


class AnswersIncomplete(StreamError):
    """An input has some, not all, of the answers that another version of the agent gave it."""


class VerdictOverruled(StreamError):
    """The authority of a log judged an input otherwise than an adviser had, or the adviser has
    forgotten how: its state must be made again, from the log that now holds the verdict."""


class NotProvisioned(StreamError):
    """A topic that the agent needs is not there as it needs it."""


class LogUnavailable(StreamError):
    """The log did not answer in time."""


class ConsumerStopped(StreamError):
    """The consumer will fetch nothing more in this process."""


class ReadingStopped(StreamError):
    """The process was asked to stop in the middle of a log."""


class PortTaken(StreamError):
    """The metrics cannot be served where the settings say."""
