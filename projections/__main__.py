"""`python -m projections migrate | run | rebuild <read_model> | list`."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import psycopg
import typer
from prometheus_client import start_http_server
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from projections.catalog import READ_MODELS, named
from projections.dead_letters import DeadLetters
from projections.errors import ProjectionError
from projections.log_reader import LogReader
from projections.migrating import migrate as migrate_database
from projections.rebuild import rebuild as rebuild_model
from projections.runner import Runner
from projections.session import Session, Stopped
from projections.settings import DatabaseSettings, Settings
from schemas.codec import Codec
from schemas.errors import SchemaError
from schemas.registry import RegistryIds
from schemas.topics import Topics

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Logs into PostgreSQL tables.")
out = Console()
err = Console(stderr=True)
_LOG = logging.getLogger(__name__)
_STOPPED_STATUS = 130


@app.command()
def migrate() -> None:
    """Bring the tables and views to this version."""
    with _one_clear_sentence():
        applied = migrate_database(DatabaseSettings().database)  # type: ignore[call-arg]
        for name in applied:
            out.print(f"applied {name}")
        out.print("the database is up to date")


@app.command()
def run() -> None:
    """Keep every read model up with its logs, until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for chatty in ("httpx", "httpx2", "yoyo"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    stop = _stop_on_signals()
    with _one_clear_sentence():
        settings = Settings()  # type: ignore[call-arg]
        if settings.metrics_port:
            start_http_server(settings.metrics_port, addr="127.0.0.1")
        topics = Topics(settings.topic_prefix)
        reader = LogReader(settings.kafka, topics, settings.projections_batch)
        session = Session(settings.database, stop)
        try:
            runner = Runner(
                models=READ_MODELS,
                reader=reader,
                session=session,
                codec=Codec(RegistryIds(settings.schema_registry, topics)),
                dead_letters=DeadLetters(settings.kafka, topics),
                dead_letter_limit=settings.projections_dead_letter_limit,
                stop=stop,
            )
            _LOG.info("running %d read models", len(READ_MODELS))
            runner.run()
        finally:
            session.close()
            reader.close()
    _LOG.info("stopped; positions are in the database")


@app.command()
def rebuild(read_model: Annotated[str, typer.Argument(help="One of `list`.")]) -> None:
    """Fill one read model anew, from the first record of its logs, beside what is served."""
    stop = _stop_on_signals()
    with _one_clear_sentence():
        model = named(read_model)
        if model is None:
            names = ", ".join(known.name for known in READ_MODELS)
            raise ProjectionError(f"there is no read model {read_model!r}; there are {names}")
        settings = Settings()  # type: ignore[call-arg]
        topics = Topics(settings.topic_prefix)
        reader = LogReader(settings.kafka, topics, settings.projections_batch, commits=False)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        try:
            with Progress(*columns, TimeElapsedColumn(), console=out) as bar:
                task = bar.add_task(f"rebuilding {model.name}", total=None)
                read = rebuild_model(
                    model,
                    reader=reader,
                    dsn=settings.database,
                    codec=Codec(RegistryIds(settings.schema_registry, topics)),
                    progress=lambda done, total: bar.update(task, completed=done, total=total),
                    stop=stop,
                )
        finally:
            reader.close()
        if stop.is_set():
            raise ProjectionError(
                f"stopped before {model.name} was complete; it is as it was, and a rebuild goes on"
            )
        out.print(f"{model.name} is rebuilt from {read} records")


@app.command(name="list")
def list_read_models() -> None:
    """Every read model, its tables and its logs."""
    table = Table("read model", "tables", "logs", "what it holds")
    for model in READ_MODELS:
        table.add_row(
            model.name,
            "\n".join(owned.name for owned in model.tables),
            "\n".join(topic.name for topic in model.topics),
            model.doc,
        )
    out.print(table)


@contextmanager
def _one_clear_sentence() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        faults = [f"HCP_{str(fault['loc'][0]).upper()}: {fault['msg']}" for fault in error.errors()]
        _fail("; ".join(faults))
    except (ProjectionError, SchemaError) as error:
        _fail(str(error))
    except psycopg.Error as error:
        _fail(f"PostgreSQL: {str(error).strip().splitlines()[0] or type(error).__name__}")
    except Stopped:
        sys.exit(_STOPPED_STATUS)


def _fail(sentence: str) -> None:
    err.print(f"projections: {sentence}", highlight=False, soft_wrap=True, markup=False)
    sys.exit(1)


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


if __name__ == "__main__":
    app()
