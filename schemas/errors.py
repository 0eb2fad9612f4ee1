"""What can be wrong with a record or its schema, and what the caller must do.

SchemaError
├── CodecError             this record: dead-letter it with `reason`, go on with the next
│   ├── MalformedEnvelope  a CloudEvents header is missing or unreadable
│   ├── NotConfluentWire   no magic byte and schema id in front of the body
│   ├── UnknownSchemaId    the registry answered that it has no such schema
│   ├── UnknownEventType   a schema that is none of our events
│   ├── MalformedBody      the bytes are not what their schema says
│   └── UnencodableEvent   (writing) a value that its schema cannot carry
├── Refused                this record is not admitted: dead-letter it with `reason`, go on
├── RegistryUnavailable    no answer: wait and try again, never dead-letter
├── SchemaNotRegistered    a deploy step was left out: stop and say so
├── IncompatibleSchema     a schema change that some reader could not follow: do not release it
└── ProvisioningRefused    a topic is there, but not as asked for: stop and say so
"""

from __future__ import annotations

from typing import ClassVar


class SchemaError(Exception):
    """Anything this package raises. The message is one sentence for a person."""


class CodecError(SchemaError):
    """This one record cannot be read or written. `reason` is the code for the dead-letter topic."""

    reason: ClassVar[str] = "codec_error"


class MalformedEnvelope(CodecError):
    reason = "malformed_envelope"


class NotConfluentWire(CodecError):
    reason = "not_confluent_wire"


class UnknownSchemaId(CodecError):
    reason = "unknown_schema_id"


class UnknownEventType(CodecError):
    reason = "unknown_event_type"


class MalformedBody(CodecError):
    reason = "malformed_body"


class UnencodableEvent(CodecError):
    reason = "unencodable_event"


class Refused(SchemaError):
    """A record that must not be applied. `reason` is the code, the message the sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class RegistryUnavailable(SchemaError):
    """The registry gave no usable answer within its bounded retries. Says nothing of the record."""


class SchemaNotRegistered(SchemaError):
    """The registry answered, and does not have a schema we write with."""


class IncompatibleSchema(SchemaError):
    """The registry refused a schema because a reader of another version could not follow it."""


class BrokerUnavailable(SchemaError):
    """Kafka did not answer, or refused, while topics were looked at or made."""


class ProvisioningRefused(SchemaError):
    """An existing topic differs from what was asked for in a way that must not be papered over."""
