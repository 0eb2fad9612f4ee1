"""`python -m gateway` serves; `python -m gateway migrate` only makes the gateway's own table.

Serving migrates too; the command is for a deploy that wants it done beforehand.
"""

from __future__ import annotations

import logging
import sys

import psycopg
import uvicorn
from pydantic import ValidationError

from gateway.app import create_app
from gateway.connections import Lobby, protocol
from gateway.database import HELD_UP, PATIENCE_S, migrate
from gateway.settings import RefusedAddress, Settings, require_loopback

USAGE = "usage: python -m gateway [migrate]"
GRACE_S = 10


def main(arguments: list[str]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # Its connection errors come many times a second; the broker's state is in the health report.
    logging.getLogger("gateway.librdkafka").setLevel(logging.CRITICAL)
    for noisy in ("httpx", "httpx2", "yoyo", "psycopg.pool"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if arguments not in ([], ["migrate"]):
        return _refuse(USAGE)
    try:
        settings = Settings()
        if arguments:
            applied = migrate(settings.database, patience_s=PATIENCE_S)
            sys.stdout.write(f"applied: {', '.join(applied) or 'nothing, all was there'}\n")
            return 0
        require_loopback(settings.gateway_host)
    except RefusedAddress as refused:
        return _refuse(str(refused))
    except ValidationError as invalid:
        return _refuse(_first_fault(invalid))
    except psycopg.Error as error:
        return _refuse(_not_migrated(error))
    return _serve(settings)


def _not_migrated(error: psycopg.Error) -> str:
    if isinstance(error, HELD_UP):
        return (
            f"Others had a table open, or migrated, for {PATIENCE_S:g} s and more: try again when "
            "they have ended."
        )
    away = isinstance(error, psycopg.OperationalError)
    how = "does not answer" if away else "refuses the migration"
    return f"The database {how}: {str(error).splitlines()[0]}"


def _serve(settings: Settings) -> int:
    logging.getLogger("gateway").info(
        "serving http://%s:%d for this machine only: the gateway does not know yet who is asking",
        settings.gateway_host,
        settings.gateway_port,
    )

    def stop() -> None:
        server.should_exit = True

    app = create_app(settings, stop)
    lobby = Lobby(
        most=settings.gateway_max_waiting_connections,
        patience_s=settings.gateway_header_timeout_s,
    )
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=protocol(lobby, settings.gateway_unread_timeout_s),
            host=settings.gateway_host,
            port=settings.gateway_port,
            access_log=False,
            log_config=None,
            log_level="warning",
            timeout_graceful_shutdown=GRACE_S,
            timeout_keep_alive=30,
            server_header=False,
            h11_max_incomplete_event_size=64 * 1024,
        )
    )
    server.run()
    return 0 if server.started and not app.state.gateway.has_failed else 1


def _first_fault(invalid: ValidationError) -> str:
    fault = invalid.errors(include_url=False, include_input=False)[0]
    name = "HCP_" + str(fault["loc"][0]).upper()
    return f"{name} is not usable: {fault['msg']}."


def _refuse(sentence: str) -> int:
    sys.stderr.write(sentence + "\n")
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
