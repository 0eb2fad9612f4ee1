"""`python -m schemas generate | check | release | register | provision`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from pydantic import ValidationError

from schemas import generate, provisioning, registry, releases
from schemas.errors import SchemaError
from schemas.settings import Settings
from schemas.topics import Topics


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m schemas", description=__doc__)
    parser.add_argument("command", choices=sorted(_COMMANDS))
    command = parser.parse_args(arguments).command
    try:
        return _COMMANDS[command]()
    except ValidationError as error:
        for fault in error.errors():
            name = "HCP_" + "_".join(str(part) for part in fault["loc"]).upper()
            _say(f"{name}={fault['input']!r}: {fault['msg']}", error=True)
    except SchemaError as error:
        _say(str(error), error=True)
    return 1


def _generate() -> int:
    for path in generate.stale():
        _say(f"writing {path.name}")
    generate.write()
    return 0


def _check() -> int:
    faults = releases.check()
    for fault in faults:
        _say(fault, error=True)
    return 1 if faults else 0


def _release() -> int:
    for sentence in releases.release():
        _say(sentence)
    return 0


def _register() -> int:
    settings = Settings()
    new = registry.register(settings.schema_registry, Topics(settings.topic_prefix))
    _say(f"registered {len(new)} new schema(s) at {settings.schema_registry}")
    return 0


def _provision() -> int:
    settings = Settings()
    changes = provisioning.provision(
        settings.kafka,
        Topics(settings.topic_prefix),
        partitions=settings.partitions,
        replication=settings.replication,
    )
    for change in changes or ["every topic is as it should be"]:
        _say(change)
    return 0


def _say(sentence: str, *, error: bool = False) -> None:
    print(sentence, file=sys.stderr if error else sys.stdout)


_COMMANDS: dict[str, Callable[[], int]] = {
    "generate": _generate,
    "check": _check,
    "release": _release,
    "register": _register,
    "provision": _provision,
}

if __name__ == "__main__":
    sys.exit(main())
