"""What `hcp up` runs, in which order, and how each part is told where the others are."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from deploy.errors import DeployError, StartError
from deploy.local import java, kafka, ports, postgres, registry
from deploy.local.child import Command
from deploy.local.directory import ELSEWHERE, Choices, DataDirectory
from deploy.local.infrastructure import Addresses
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from deploy.local.probe import succeeds
from deploy.local.registry import Registry

# -P: a module of ours is ours, and not a file of that name where `hcp` was called
PYTHON = (sys.executable, "-P", "-m")
AGENTS = ("routing", "optimization", "metering", "invoicing", "brokering")
DEFAULT_SCENARIO = "ercot-2024"
STEP_TIMEOUT_S = 180.0


@dataclass(frozen=True)
class Plan:
    """The stack for one data directory, with external services in place of embedded ones."""

    kafka: Kafka | None  # None: HCP_KAFKA names another
    postgres: Postgres | None  # None: neither our tables nor the registry need it
    registry: Registry | None
    addresses: Addresses
    metrics_ports: dict[str, int]  # by service
    gateway_port: int
    simulator_port: int
    scenario: str
    speed: float
    sites: tuple[str, ...] = ()  # the scenario's own

    def endpoints(self) -> dict[str, str]:
        gateway = f"http://127.0.0.1:{self.gateway_port}"
        return {
            "gateway": gateway,
            "api docs": f"{gateway}/docs",
            "simulator": f"http://127.0.0.1:{self.simulator_port}",
            "kafka": self.addresses.kafka,
            "registry": self.addresses.registry,
            "database": self.addresses.database,
        }

    def steps(self) -> list[Command]:
        """Run once and in this order, between the infrastructure and the services."""
        return [
            self._step("schemas register", "schemas", "register"),
            self._step("schemas provision", "schemas", "provision"),
            self._step("projections migrate", "projections", "migrate"),
        ]

    def stages(self) -> list[list[Command]]:
        """Our services: who reads first, who writes last; stopped the other way round."""
        deciders = [self._service(agent, "streams", agent) for agent in AGENTS]
        simulator_url = f"http://127.0.0.1:{self.simulator_port}/status"
        where = ("--port", str(self.simulator_port))
        play = ("run", "--scenario", self.scenario, "--speed", str(self.speed), *where)
        return [
            [*deciders, self._service("projections", "projections", "run")],
            [self._gateway()],
            [
                self._service(
                    "simulators", "simulators", *play, ready=lambda: succeeds(simulator_url)
                )
            ],
        ]

    def _gateway(self) -> Command:
        url = f"http://127.0.0.1:{self.gateway_port}"
        return Command(
            name="gateway",
            argv=(*PYTHON, "gateway"),
            env=self._environment(),
            ready=lambda: succeeds(f"{url}/readyz"),
            metrics=f"{url}/metrics",
        )

    def _service(
        self, name: str, module: str, *arguments: str, ready: Callable[[], bool] | None = None
    ) -> Command:
        port = self.metrics_ports[name]
        metrics = f"http://127.0.0.1:{port}/metrics"
        return Command(
            name=name,
            argv=(*PYTHON, module, *arguments),
            env={**self._environment(), "HCP_METRICS_PORT": str(port)},
            ready=ready or (lambda: succeeds(metrics)),
            metrics=metrics,
        )

    def _step(self, name: str, module: str, *arguments: str) -> Command:
        return Command(
            name=name,
            argv=(*PYTHON, module, *arguments),
            env=self._environment(),
            ready=lambda: True,
            start_timeout_s=STEP_TIMEOUT_S,
        )

    def _environment(self) -> dict[str, str]:
        return {
            **self.addresses.variables(),
            "HCP_GATEWAY_PORT": str(self.gateway_port),
            "HCP_METRICS_PORT": "0",
            "PYTHONUNBUFFERED": "1",
        }


def make_plan(
    directory: DataDirectory, choices: Choices, scenario: str, speed: float | None
) -> Plan:
    own = choices.ports
    external = {
        name: os.environ.get(name) for name in ("HCP_KAFKA", "HCP_SCHEMA_REGISTRY", "HCP_DATABASE")
    }
    broker = None
    if not external["HCP_KAFKA"]:
        java.require_list_entry(directory.path, ELSEWHERE)
        broker = Kafka(directory.path / "kafka", own["kafka"], own["kafka_controller"])
    database = None
    if not external["HCP_DATABASE"] or not external["HCP_SCHEMA_REGISTRY"]:
        database = Postgres(directory.path / "postgres", own["postgres"], choices.password)
    schemas = None
    if not external["HCP_SCHEMA_REGISTRY"]:
        assert database is not None
        schemas = Registry(own["registry"], database)
    return Plan(
        kafka=broker,
        postgres=database,
        registry=schemas,
        addresses=Addresses(
            kafka=external["HCP_KAFKA"] or (broker.bootstrap if broker else ""),
            registry=external["HCP_SCHEMA_REGISTRY"] or (schemas.url if schemas else ""),
            database=external["HCP_DATABASE"] or (database.dsn("hcp") if database else ""),
        ),
        metrics_ports={
            name.removeprefix("metrics_"): port
            for name, port in own.items()
            if name.startswith("metrics_")
        },
        gateway_port=gateway_port(),
        simulator_port=simulator_port(),
        scenario=scenario,
        speed=scenario_speed(scenario) if speed is None else speed,
        sites=scenario_sites(scenario),
    )


def gateway_port() -> int:
    return port_setting("HCP_GATEWAY_PORT", 8080)


def simulator_port() -> int:
    return port_setting("HCP_SIMULATOR_PORT", 8090)


def port_setting(variable: str, default: int) -> int:
    text = os.environ.get(variable, str(default))
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text) < 65536:
        raise DeployError(f"{variable} is {text!r}, and must be a port number.")
    return int(text)


def require_ports(plan: Plan) -> None:
    if plan.gateway_port == plan.simulator_port:
        raise DeployError(
            f"The gateway and the hybrid simulator cannot share port {plan.gateway_port}: choose "
            "another with HCP_GATEWAY_PORT or HCP_SIMULATOR_PORT."
        )
    ports.require_free(plan.gateway_port, "the gateway", "HCP_GATEWAY_PORT")
    ports.require_free(plan.simulator_port, "the hybrid simulator", "HCP_SIMULATOR_PORT")


def require_external(plan: Plan) -> None:
    """Services that the environment names instead of embedded ones must answer before we start."""
    where = plan.addresses
    named: dict[str, tuple[object, str, Callable[[str], bool]]] = {
        "HCP_KAFKA": (plan.kafka, where.kafka, kafka.answers),
        "HCP_SCHEMA_REGISTRY": (plan.registry, where.registry, registry.answers),
    }
    for variable, (embedded, address, answers) in named.items():
        if embedded is None and not answers(address):
            raise StartError(f"{variable} names {address}, and nothing usable answers there.")
    if os.environ.get("HCP_DATABASE") and not postgres.answers(where.database):
        raise StartError("HCP_DATABASE names a database that does not let us in.")


def scenarios() -> list[str]:
    folder = files("simulators") / "scenarios"
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder.iterdir()
        if entry.name.endswith(".toml")
    )


def scenario_speed(name: str) -> float:
    """Simulated seconds a second, as the scenario itself asks for."""
    return float(_scenario(name)["speed"])


def scenario_sites(name: str) -> tuple[str, ...]:
    return tuple(site["site_id"] for site in _scenario(name).get("sites", ()))


def _scenario(name: str) -> dict[str, Any]:
    text = (files("simulators") / "scenarios" / f"{name}.toml").read_text()
    return tomllib.loads(text)


def require_scenario(name: str) -> None:
    known = scenarios()
    if name not in known:
        raise DeployError(f"There is no scenario {name!r}: choose one of {', '.join(known)}.")
