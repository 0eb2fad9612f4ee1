"""`python -m simulators run --scenario NAME [--speed N] [--port N] | list | check NAME`."""

from __future__ import annotations

import argparse
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable

import uvicorn
from prometheus_client import start_http_server
from pydantic import ValidationError

from schemas.errors import SchemaError
from simulators import scenario as scenarios
from simulators import schedule
from simulators.errors import SimulatorError
from simulators.hybrid import application
from simulators.settings import Settings
from simulators.simulation import Simulation
from simulators.workloads import read_trace

HOST = "127.0.0.1"


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "run": _run,
        "list": _list,
        "check": _check,
    }
    try:
        return commands[options.command](options)
    except ValidationError as error:
        for fault in error.errors():
            name = "HCP_" + "_".join(str(part) for part in fault["loc"]).upper()
            _say(f"{name}={fault['input']!r}: {fault['msg']}", error=True)
    except (SimulatorError, SchemaError) as error:
        _say(str(error), error=True)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simulators", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="play a scenario, from where it stands")
    run.add_argument("--scenario", default="ercot-2024")
    run.add_argument("--speed", type=_speed, help="simulated seconds per wall second, at most")
    run.add_argument("--port", type=int, default=8090, help="of the HTTP server on 127.0.0.1")
    commands.add_parser("list", help="the scenarios there are")
    check = commands.add_parser("check", help="say what is wrong with a scenario, or what it holds")
    check.add_argument("name")
    return parser


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed <= 1_000_000:
        raise argparse.ArgumentTypeError("give a number above 0, at most 1000000")
    return speed


def _run(options: argparse.Namespace) -> int:
    settings = Settings()
    scenario = scenarios.load(options.scenario)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    for chatty in ("httpx", "httpx2"):  # the registry client's, whichever it found
        logging.getLogger(chatty).setLevel(logging.WARNING)
    simulation = Simulation(scenario, settings, options.speed or float(scenario.speed))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if settings.metrics_port:
        start_http_server(settings.metrics_port, addr=HOST)
    server = _serve(simulation, options.port)
    try:
        simulation.run(stop)
    finally:
        server.should_exit = True
    return 0


def _serve(simulation: Simulation, port: int) -> uvicorn.Server:
    """In a thread of its own, which ends with the process. Raises SimulatorError."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        raise SimulatorError(f"port {port} on {HOST} cannot be used: {error.strerror}") from None
    config = uvicorn.Config(
        application(simulation), log_level="warning", timeout_graceful_shutdown=3
    )
    server = uvicorn.Server(config)
    threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="hybrid", daemon=True
    ).start()
    return server


def _list(_: argparse.Namespace) -> int:
    for name in scenarios.names():
        _say(f"{name:<12} {scenarios.load(name).title}")
    return 0


def _check(options: argparse.Namespace) -> int:
    scenario = scenarios.load(options.name)
    pods = read_trace(scenario.workloads.trace)
    units = sum(g.count for s in scenario.sites for f in s.feeders for g in f.units)
    prices = arrivals = 0
    for site in scenario.sites:
        feed = schedule.site_feed(scenario, site)
        prices += sum(p.event.FULL_NAME.endswith(".PowerPricePublished") for p in feed)
        arrivals += sum(p.event.FULL_NAME.endswith(".WorkloadSubmitted") for p in feed)
    arrivals += len(schedule.intake_feed(scenario))
    hours = (scenario.closes_ms - scenario.starts_ms) / 3_600_000
    _say(f"{scenario.name}: {scenario.title}")
    _say(f"  {len(scenario.sites)} site(s), {units} units, {len(scenario.customers)} customer(s)")
    _say(
        f"  {prices} power prices; {hours:g} h, {hours * 60 / scenario.speed:.1f} min of wall time"
    )
    cpu_only = sum(not pod.num_gpu for pod in pods)
    _say(
        f"  {arrivals} workloads; {cpu_only} of the trace's {len(pods)} pods are CPU only, left out"
    )
    return 0


def _say(sentence: str, *, error: bool = False) -> None:
    sys.stdout.flush()
    (sys.stderr if error else sys.stdout).write(sentence + "\n")


if __name__ == "__main__":
    sys.exit(main())
