"""The schema registry: registering is a deploy step, looking up is what services do.

Any registry that speaks Confluent's API will do (ours is Apicurio's `/apis/ccompat/v7`). Subjects
follow TopicRecordNameStrategy and are FULL_TRANSITIVE: every version reads every other.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TypeVar, cast

from confluent_kafka.schema_registry import Schema as RegistrySchema
from confluent_kafka.schema_registry import SchemaRegistryClient

# The client raises the errors of whichever HTTP library this module of its own has picked.
from confluent_kafka.schema_registry.common._httpx_compat import httpx
from confluent_kafka.schema_registry.error import SchemaRegistryError

from schemas.codec import Schema, schema_of_event
from schemas.errors import (
    IncompatibleSchema,
    RegistryUnavailable,
    SchemaNotRegistered,
    UnknownSchemaId,
)
from schemas.topics import ALL, Event, Topic, Topics

COMPATIBILITY = "FULL_TRANSITIVE"
_TIMEOUT_S = 5
_RETRIES = 4  # with the waits below and the timeout: at worst about half a minute
_FIRST_WAIT_MS = 200
_MOST_WAIT_MS = 2_000
_PARALLEL = 6

Answer = TypeVar("Answer")


class RegistryIds:
    """Ids as the registry gave them. Looks up, never registers. Implements `codec.SchemaIds`."""

    def __init__(self, url: str, topics: Topics | None = None) -> None:
        self._url = url
        self._topics = topics or Topics()
        self._client = _connect(url)

    def id_of(self, topic: Topic, event_type: type[Event]) -> int:
        subject = self._topics.subject_of(topic, event_type)
        schema_id = _lookup(self._client, self._url, subject, event_type)
        if schema_id is None:
            raise SchemaNotRegistered(
                f"the registry at {self._url} does not have the schema of {subject}: "
                "run `python -m schemas register`"
            )
        return schema_id

    def schema_of(self, schema_id: int) -> Schema:
        try:
            found = _ask(self._url, lambda: self._client.get_schema(schema_id))
        except SchemaRegistryError as error:
            if error.http_status_code == HTTPStatus.NOT_FOUND:
                raise UnknownSchemaId(f"the registry has no schema {schema_id}") from None
            raise RegistryUnavailable(f"the registry at {self._url} answered {error}") from error
        return _parsed(found, schema_id)


def register(url: str, topics: Topics | None = None) -> list[str]:
    """Register every event of every topic; returns the subjects that were not there before.

    Raises IncompatibleSchema, RegistryUnavailable. Running it again changes nothing.
    """
    names = topics or Topics()
    client = _connect(url)
    pairs = [(topic, event_type) for topic in ALL for event_type in topic.events]

    def one(pair: tuple[Topic, type[Event]]) -> str | None:
        subject = names.subject_of(*pair)
        return subject if _register_one(client, url, subject, pair[1]) else None

    first, *others = pairs
    answered = [one(first)]  # alone: a registry that is away is asked once, not by every thread
    with ThreadPoolExecutor(_PARALLEL) as pool:
        answered += pool.map(one, others)
    return [subject for subject in answered if subject is not None]


def _register_one(
    client: SchemaRegistryClient, url: str, subject: str, event_type: type[Event]
) -> bool:
    try:
        # First the rule, so that not even a subject's second version can come in unchecked.
        _ask(url, lambda: client.set_compatibility(subject, COMPATIBILITY))
        if _lookup(client, url, subject, event_type) is not None:
            return False
        _ask(url, lambda: client.register_schema(subject, _schema_to_send(event_type)))
    except SchemaRegistryError as error:
        if error.http_status_code == HTTPStatus.CONFLICT:
            raise IncompatibleSchema(
                f"{subject}: a reader of a registered version could not follow the new schema "
                f"({error.error_message})"
            ) from error
        raise RegistryUnavailable(f"the registry at {url} answered {error}") from error
    return True


def _lookup(
    client: SchemaRegistryClient, url: str, subject: str, event_type: type[Event]
) -> int | None:
    try:
        found = _ask(url, lambda: client.lookup_schema(subject, _schema_to_send(event_type)))
    except SchemaRegistryError as error:
        if error.http_status_code == HTTPStatus.NOT_FOUND:
            return None
        raise RegistryUnavailable(f"the registry at {url} answered {error}") from error
    return cast(int, found.schema_id)


def _connect(url: str) -> SchemaRegistryClient:
    return SchemaRegistryClient(
        {
            "url": url,
            "timeout": _TIMEOUT_S,
            "max.retries": _RETRIES,
            "retries.wait.ms": _FIRST_WAIT_MS,
            "retries.max.wait.ms": _MOST_WAIT_MS,
        }
    )


def _ask(url: str, question: Callable[[], Answer]) -> Answer:
    """Raises RegistryUnavailable when no answer came; passes on what the registry answered."""
    try:
        return question()
    except SchemaRegistryError as error:
        if error.http_status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise RegistryUnavailable(f"the registry at {url} answered {error}") from error
        raise
    except (httpx.HTTPError, json.JSONDecodeError) as error:
        raise RegistryUnavailable(f"no answer from the registry at {url}: {error}") from error


def _schema_to_send(event_type: type[Event]) -> RegistrySchema:
    return RegistrySchema(json.dumps(schema_of_event(event_type)), "AVRO")


def _parsed(found: RegistrySchema, schema_id: int) -> Schema:
    """Raises UnknownSchemaId. A schema that refers to others is none that we write or wait for."""
    if found.schema_type not in (None, "AVRO") or found.references:
        raise UnknownSchemaId(f"schema {schema_id} is no Avro schema that stands alone")
    try:
        schema = json.loads(found.schema_str or "")
    except (ValueError, RecursionError):
        raise UnknownSchemaId(f"schema {schema_id} is no Avro schema") from None
    if not isinstance(schema, dict):
        raise UnknownSchemaId(f"schema {schema_id} is no Avro record")
    return schema
