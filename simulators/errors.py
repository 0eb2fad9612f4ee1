"""What can stop a simulation, and what the person who sees it must do.

SimulatorError
├── ScenarioInvalid     the scenario file is wrong: every fault is named; mend the file
├── DataInvalid         a data file in `data/` is not what its README says: restore it
├── PublisherStalled    Kafka took no records for too long: the process ends, to be started again
└── LogUnavailable      the logs cannot be read: not provisioned, or no broker
"""

from __future__ import annotations


class SimulatorError(Exception):
    """Anything this package raises on purpose. The message is one sentence for a person."""


class ScenarioInvalid(SimulatorError):
    """The scenario cannot be used; nothing was started."""


class DataInvalid(SimulatorError):
    """A data file is missing, damaged or not what it should be."""


class PublisherStalled(SimulatorError):
    """A record could not be delivered in time; the log holds a prefix of what was meant."""


class LogUnavailable(SimulatorError):
    """The logs cannot be read or written."""
