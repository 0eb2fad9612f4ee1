"""The `hcp` command: run the stack on this machine, and ask it what it does."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from deploy import crash, detached, explanation, reporting, up
from deploy.errors import DeployError
from deploy.gateway import Gateway
from deploy.local import progress, proxies, state
from deploy.local.child import last_lines
from deploy.local.directory import DataDirectory
from deploy.local.state import StackState

app = typer.Typer(
    help="Hybrid compute platform: sells each kilowatt to AI, to Bitcoin or to the grid.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
# markup: what processes say has brackets of its own
out = Console(soft_wrap=True, markup=False)
err = Console(stderr=True, soft_wrap=True, markup=False)

DataDir = Annotated[
    Path, typer.Option(envvar="HCP_DATA_DIR", help="Where data, logs and state are kept.")
]
Json = Annotated[bool, typer.Option("--json", help="For programs: JSON on standard output.")]
GatewayUrl = Annotated[
    str | None,
    typer.Option("--gateway", envvar="HCP_GATEWAY_URL", help="Default: the running stack's."),
]
HERE = Path(".hcp")
HEALTH_TIMEOUT_S = 5.0
NOTHING: dict[str, Any] = {"phase": "stopped", "processes": [], "endpoints": []}
SLOWEST, FASTEST = 0.001, 1_000_000  # what the simulators take


def main() -> None:
    os.environ.update(proxies.bypassed(os.environ))
    try:
        app()
    except DeployError as error:
        complain(str(error))
    except BrokenPipeError:  # `hcp logs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:  # noqa: BLE001 - the outermost: a person gets a sentence, a file the rest
        complain(f"unexpected {type(error).__name__}: {error} ({crash.keep()})")
    else:
        return
    sys.exit(1)


def complain(sentence: str) -> None:
    with suppress(OSError):  # a terminal that is gone hears nothing
        err.print(f"hcp: {sentence}", highlight=False)


@app.command("up")
def up_command(
    scenario: Annotated[
        str | None, typer.Option(help="What to play: one per data directory, at first ercot-2024.")
    ] = None,
    speed: Annotated[
        float | None, typer.Option(help="Simulated seconds per second, 0.001 to 1,000,000.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when everything runs.")] = False,
    background: Annotated[bool, typer.Option("--background", hidden=True)] = False,
    data_dir: DataDir = HERE,
) -> None:
    """Start everything, and keep it running until Ctrl-C or `hcp down`."""
    if speed is not None and not SLOWEST <= speed <= FASTEST:  # nor nan
        raise DeployError(f"--speed is {speed:g}, and must be from 0.001 to 1,000,000.")
    options = up.Options(data_dir, scenario, speed, background)
    if detach:
        detached.start(options, out)
    else:
        up.run(options, out)


@app.command()
def down(data_dir: DataDir = HERE) -> None:
    """Stop everything that `hcp up` started; the data is kept."""
    detached.stop(DataDirectory(data_dir), out)


@app.command()
def status(data_dir: DataDir = HERE, as_json: Json = False) -> None:
    """Every process and address, what is not well; exit code 1 unless every process runs."""
    current = state.read(DataDirectory(data_dir).state_file)
    if current is not None:
        progress.fill_in(current.processes)
    health = health_of(current)
    if as_json:
        known = msgspec.to_builtins(current) if current else NOTHING
        print_json({**known, "health": health})
    elif current is None:
        out.print(f"nothing has been started with data directory {data_dir}")
    else:
        reporting.print_status(out, current)
        if health is not None:
            reporting.print_health(out, health)
    if current is None or not well(current):
        raise typer.Exit(1)


@app.command()
def logs(
    process: Annotated[str | None, typer.Argument(help="As named by `hcp status`.")] = None,
    lines: Annotated[int, typer.Option("-n", "--lines", min=1, max=100_000)] = 40,
    data_dir: DataDir = HERE,
    as_json: Json = False,
) -> None:
    """The last lines that one process, or each of them, wrote."""
    directory = DataDirectory(data_dir)
    present = sorted(file.stem for file in directory.logs.glob("*.log"))
    if not present and process is None and not as_json:
        out.print(f"nothing has been started with data directory {data_dir}")
        return
    if process is not None and process not in present:
        known = ", ".join(present) or "none yet"
        raise DeployError(f"There is no log of {process!r} in {directory.logs}: {known}.")
    chosen = {n: last_lines(directory.log(n), lines) for n in ([process] if process else present)}
    if as_json:
        print_json(chosen)
        return
    for name, texts in chosen.items():
        for text in texts:
            out.print(text if process else f"{name}: {text}", highlight=False)


@app.command()
def report(
    gateway: GatewayUrl = None,
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    data_dir: DataDir = HERE,
    as_json: Json = False,
) -> None:
    """What was run, what it earned, and what naive policies would have earned."""
    client = Gateway(gateway_url(gateway, data_dir))
    if as_json:
        print_json(client.get("/report", **({"site_id": site} if site else {})))
    else:
        reporting.print_report(out, client.report(site))


@app.command()
def submit(
    *,
    kind: Annotated[str, typer.Option(help="training, inference, batch or interactive.")] = "batch",
    name: Annotated[str, typer.Option()] = "from the command line",
    gpu_count: Annotated[int, typer.Option(min=1)] = 1,
    duration_s: Annotated[int, typer.Option(min=1, help="Seconds of work.")] = 3600,
    gpu_model: Annotated[str | None, typer.Option(help="H100, A100, ...; any by default.")] = None,
    site_id: Annotated[str | None, typer.Option(help="By default brokering chooses.")] = None,
    customer_id: Annotated[
        str | None, typer.Option(help="Who is billed; the gateway's demo customer by default.")
    ] = None,
    priority: Annotated[int | None, typer.Option(help="Higher is more urgent.")] = None,
    max_price: Annotated[
        str | None, typer.Option(help="Highest price accepted, dollars per GPU-hour.")
    ] = None,
    workload_id: Annotated[str | None, typer.Option(help="Choose it, to repeat safely.")] = None,
    gateway: GatewayUrl = None,
    data_dir: DataDir = HERE,
    as_json: Json = False,
) -> None:
    """Submit one workload."""
    body: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "gpu_model": gpu_model,
        "gpu_count": gpu_count,
        "duration_s": duration_s,
        "site_id": site_id,
        "customer_id": customer_id,
        "priority": priority,
        "max_price_usd_per_gpu_hour": max_price,
        "workload_id": workload_id,
    }
    given = {key: value for key, value in body.items() if value is not None}
    answer = Gateway(gateway_url(gateway, data_dir)).post("/workloads", given)
    if as_json:
        print_json(answer)
    else:
        out.print(f"accepted workload {answer['workload_id']} at {answer['position']}")


@app.command()
def explain(
    workload_id: str, gateway: GatewayUrl = None, data_dir: DataDir = HERE, as_json: Json = False
) -> None:
    """Why a workload runs where it runs, or why it waits."""
    client = Gateway(gateway_url(gateway, data_dir))
    if as_json:
        print_json(client.get(explanation.path(workload_id)))
    else:
        explanation.print_explanation(out, explanation.ask(client, workload_id))


def health_of(current: StackState | None) -> dict[str, Any] | None:
    """None where no gateway runs that could be asked."""
    if current is None or current.phase != "running":
        return None
    address = current.address("gateway")
    if address is None:
        return None
    return reporting.health_seen_by(Gateway(address, timeout_s=HEALTH_TIMEOUT_S))


def well(current: StackState) -> bool:
    return current.phase == "running" and all(p.state == "running" for p in current.processes)


def gateway_url(given: str | None, data_dir: Path) -> str:
    """The one named, or that of the stack on this data directory, or the usual one."""
    if given:
        return given.rstrip("/")
    current = state.read(DataDirectory(data_dir).state_file)
    return (current and current.address("gateway")) or "http://127.0.0.1:8080"


def print_json(value: object) -> None:
    if sys.stdout is None:
        raise DeployError("Standard output is closed, so there is nowhere to answer.")
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


if __name__ == "__main__":
    main()
