"""`hcp up` with everything real but the services: each is a few lines of Python.

Run as `python -m tests.deploy.tiny_stack DATA_DIR GATEWAY_PORT`; the tests send it signals.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from deploy.display import display_for
from deploy.local.child import Command
from deploy.local.directory import DataDirectory
from deploy.local.infrastructure import Addresses
from deploy.local.plan import Plan
from deploy.local.probe import succeeds
from deploy.recorder import Recorder
from deploy.stopping import StopSignals
from deploy.up import Stack

COMPONENTS = [
    {"name": "trial", "status": "ok"},
    {"name": "metering", "status": "degraded", "detail": "9 events behind"},
    {"name": "dead letters", "status": "ok", "detail": "3 of hcp.sites.v1, the last forged"},
    {"name": "alerts", "status": "ok", "detail": "1 critical site_silent: Nothing came."},
]
HEALTH = {"status": "ok", "components": COMPONENTS, "standstills": []}
GATEWAY = f"""
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/api/v1/health" else 404)
        self.end_headers()
        self.wfile.write({json.dumps(HEALTH)!r}.encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
WORKER = "import time; time.sleep(600)"


@dataclass(frozen=True)
class TinyPlan(Plan):
    def steps(self) -> list[Command]:
        return [Command("step", (sys.executable, "-c", "print('done')"), ready=lambda: True)]

    def stages(self) -> list[list[Command]]:
        gateway = (sys.executable, "-c", GATEWAY, str(self.gateway_port))
        health = f"http://127.0.0.1:{self.gateway_port}/api/v1/health"
        workers = [
            Command(name, (sys.executable, "-c", WORKER), ready=lambda: True)
            for name in ("routing", "projections")
        ]
        return [workers, [Command("gateway", gateway, ready=partial(succeeds, health))]]


def main() -> None:
    directory = DataDirectory(Path(sys.argv[1]))
    directory.claim()
    plan = TinyPlan(
        kafka=None,
        postgres=None,
        registry=None,
        addresses=Addresses(
            "127.0.0.1:1", "http://127.0.0.1:1", "postgresql://hcp:secret@127.0.0.1:1/none"
        ),
        metrics_ports={},
        gateway_port=int(sys.argv[2]),
        simulator_port=1,
        scenario="trial",
        speed=1.0,
    )
    signals = StopSignals()
    signals.install()
    recorder = Recorder(directory, "trial")
    recorder.enter("starting")
    Stack(directory, plan, recorder, signals, display_for(Console()), resumed=False).run()
    directory.release()


if __name__ == "__main__":
    main()
