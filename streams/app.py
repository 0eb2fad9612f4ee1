"""Starts one agent: finds it, checks what it needs, runs it, says in one line what went wrong."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import sys
import threading
from functools import partial
from typing import Any, cast

import uvloop
from pydantic import ValidationError

from schemas.errors import SchemaError
from streams import metrics
from streams.definition import Agent
from streams.errors import StreamError
from streams.runtime import Runtime
from streams.settings import Settings

# Where each agent is defined. Only the one asked for is imported.
AGENTS: dict[str, str] = {
    "routing": "streams.routing.agent",
    "optimization": "streams.optimization.agent",
    "metering": "streams.metering.agent",
    "invoicing": "streams.invoicing.agent",
    "brokering": "streams.brokering.agent",
}

# States are large and without cycles: to look through them for garbage at Python's usual pace took
# a fifth of the processor time and made decisions wait.
GC_THRESHOLDS = (50_000, 20, 100)

log = logging.getLogger("streams")

_END_S = 18.0  # from the beginning of the end; the supervisor kills after 20 s
_SAY_AGAIN_S = 5.0
_LIBRARIES = ("faust", "mode", "aiokafka", "httpx", "httpx2", "httpcore", "librdkafka")


def main(arguments: list[str] | None = None) -> int:
    """`python -m streams <agent>`. The exit code: 0 asked to stop, 1 failed, 2 wrong usage."""
    names = sys.argv[1:] if arguments is None else arguments
    if len(names) != 1 or names[0] not in AGENTS:
        sys.stderr.write(f"usage: python -m streams <agent>, one of: {', '.join(AGENTS)}\n")
        return 2
    return run(load(names[0]))


def load(name: str) -> Agent[Any, Any]:
    """Raises KeyError for an unknown name."""
    return cast(Agent[Any, Any], importlib.import_module(AGENTS[name]).AGENT)


def run(agent: Agent[Any, Any]) -> int:
    """Run an agent with the environment's settings until SIGTERM or SIGINT; the exit code."""
    try:
        settings = Settings()
    except ValidationError as error:
        for fault in error.errors():
            name = "HCP_" + "_".join(str(part) for part in fault["loc"]).upper()
            sys.stderr.write(f"{name}={fault['input']!r}: {fault['msg']}\n")
        return 1
    _log_to_stderr(agent.name, settings.log_level)
    try:
        uvloop.run(_run(agent, settings))
    except (StreamError, SchemaError) as error:
        log.error("stopped: %s", error)
        return 1
    except Exception:  # the outermost loop: a bug, and its trace is what mends it
        log.exception("stopped by a bug in %s %s", agent.name, agent.version)
        return 1
    log.info("stopped as asked")
    return 0


async def _run(agent: Agent[Any, Any], settings: Settings) -> None:
    gc.set_threshold(*GC_THRESHOLDS)
    runtime = Runtime(
        agent,
        settings,
        ready=partial(metrics.serve, settings.metrics_host, settings.metrics_port),
        stopping=_end_in_time,
    )
    await asyncio.to_thread(runtime.prepare)
    log.info("version %s reads %s", agent.version, agent.log.name)
    await runtime.run()


def _end_in_time() -> None:
    """Threads of the Kafka clients may wait for a broker that is away longer than anybody will."""
    timer = threading.Timer(_END_S, _give_up)
    timer.daemon = True
    timer.start()


def _give_up() -> None:
    log.error("stopped: not done within %g s; the next start makes the rest again", _END_S)
    logging.shutdown()
    os._exit(1)


def _say_what_ended_a_thread(end: threading.ExceptHookArgs) -> None:
    """Only the Kafka client has threads that can end so; the runtime notices that they are dead."""
    log.error("a thread of the Kafka client ended: %s: %s", end.exc_type.__name__, end.exc_value)


class OneLine(logging.Filter):
    """What a library says about a broker that is away is a sentence, not a trace, and once in a
    while, not at each of twenty tries a second."""

    def __init__(self) -> None:
        super().__init__()
        self._said_at: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.split(".")[0] not in _LIBRARIES:
            return True
        record.exc_info = record.exc_text = record.stack_info = None
        said = record.name, str(record.msg)  # without its arguments: a library has few of these
        is_due = record.created - self._said_at.get(said, -_SAY_AGAIN_S) >= _SAY_AGAIN_S
        if is_due:
            self._said_at[said] = record.created
        return is_due


def _log_to_stderr(agent: str, level: str) -> None:
    """One line an event. The libraries below speak only when something is wrong."""
    logging.basicConfig(
        stream=sys.stderr,
        level=level.upper(),
        format=f"%(asctime)s %(levelname)s {agent}: %(message)s",
    )
    threading.excepthook = _say_what_ended_a_thread
    for handler in logging.getLogger().handlers:
        handler.addFilter(OneLine())
    for library in _LIBRARIES:
        logging.getLogger(library).setLevel(logging.ERROR)
