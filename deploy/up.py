"""`hcp up`: check, fetch, start in order, watch, and stop everything when asked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from deploy import readiness
from deploy.display import Display, display_for
from deploy.errors import DataDirectoryError, DeployError
from deploy.gateway import Gateway, Report
from deploy.local import plan as planning
from deploy.local import state
from deploy.local.artifacts import fetch
from deploy.local.child import Command, StopRequested, run_once
from deploy.local.directory import DataDirectory, settle_scenario
from deploy.local.plan import Plan
from deploy.local.reap import reap
from deploy.local.supervisor import Supervisor
from deploy.recorder import Recorder
from deploy.reporting import without_password
from deploy.scene import Watcher, minute
from deploy.stopping import StopSignals

TICK_S = 0.1
SHOW_EVERY_S = 1.0
MEASURE_EVERY_S = 10.0  # memory: reading it costs more than everything else here
READY_WITHIN_S = 300.0  # twenty times what a machine needs that does nothing else
SAY_AFTER_S = 15.0
ASK_HEALTH_EVERY_S = 1.0


@dataclass(frozen=True)
class Options:
    data_dir: Path
    scenario: str | None  # None: the one played last, or the default
    speed: float | None
    background: bool = False  # started by `hcp up --detach`


def run(options: Options, console: Console) -> None:
    """Returns after a requested stop. Raises DeployError when the stack cannot start."""
    if options.scenario is not None:
        planning.require_scenario(options.scenario)
    directory = DataDirectory(options.data_dir)
    resumed = (directory.path / "stamp.json").exists()
    directory.claim()
    signals = StopSignals()
    signals.install()
    try:
        run_claimed(directory, options, resumed, console, signals)
    finally:
        directory.release()


def run_claimed(
    directory: DataDirectory,
    options: Options,
    resumed: bool,
    console: Console,
    signals: StopSignals,
) -> None:
    display = display_for(console)
    recorder = Recorder(directory, options.scenario)
    try:
        with signals.interrupting():
            reap_leftovers(directory, display)
            recorder.enter("starting")
            plan = prepare(directory, options, display)
    except KeyboardInterrupt:
        recorder.end()
        display.say("stopped before anything was started")
        return
    except DeployError as error:
        recorder.fail(str(error))
        recorder.end()
        raise
    Stack(
        *(directory, plan, recorder, signals, display),
        resumed=resumed,
        background=options.background,
    ).run()


def reap_leftovers(directory: DataDirectory, display: Display) -> None:
    try:
        left = reap(directory.state_file)
    except DataDirectoryError as error:
        display.say(str(error))
        return
    if left:
        display.say(f"stopped what a killed run had left behind: {', '.join(left)}")


def prepare(directory: DataDirectory, options: Options, display: Display) -> Plan:
    """Everything that can fail before a process is started."""
    choices = directory.choices(frozenset({planning.gateway_port(), planning.simulator_port()}))
    scenario = settle_scenario(choices, options.scenario, planning.DEFAULT_SCENARIO, directory.path)
    planning.require_scenario(scenario)
    plan = planning.make_plan(directory, choices, scenario, options.speed)
    planning.require_ports(plan)
    planning.require_external(plan)
    for name, needed in (("kafka", plan.kafka), ("registry", plan.registry)):
        if needed:
            fetch(name, display.say)
    choices.scenario = scenario
    directory.remember(choices)
    return plan


class Stack:
    """One run of the whole stack, from the first process to the last."""

    def __init__(
        self,
        directory: DataDirectory,
        plan: Plan,
        recorder: Recorder,
        signals: StopSignals,
        display: Display,
        *,
        resumed: bool,
        background: bool = False,
    ) -> None:
        self._directory = directory
        self._plan = plan
        self._recorder = recorder
        self._signals = signals
        self._display = display
        self._resumed = resumed
        self._background = background
        self._memory: dict[str, int | None] = {}
        self._measured_at = float("-inf")
        self._supervisor = Supervisor(directory.log, recorder.write, signals.requested)
        where = plan.endpoints()
        recorder.know(plan.scenario, plan.speed, where)
        recorder.follow(self._supervisor.records)
        self._watcher = Watcher(where["gateway"], where["simulator"], resumed)

    def run(self) -> None:
        try:
            with self._display as display:
                self._start(display)
                self._announce(display)
                self._recorder.enter("running")
                self._watch(display)
        except StopRequested:
            pass
        except DeployError as error:
            self._recorder.fail(str(error))
            raise
        finally:
            self._stop()

    def _start(self, display: Display) -> None:
        began = time.monotonic()
        plan = self._plan
        first = []
        if plan.kafka:
            plan.kafka.prepare(display.say, self._directory.log("kafka"))
            first.append(plan.kafka.command())
        if plan.postgres:
            plan.postgres.prepare(self._directory.log("postgres"))
            first.append(plan.postgres.command())
        self._start_stage(display, first)
        if plan.postgres:
            plan.postgres.create_databases()
        if plan.registry:
            self._start_stage(display, [plan.registry.command()])
        for step in plan.steps():
            if self._signals.requested():
                raise StopRequested
            display.say(f"running {step.name}")
            log = self._directory.log(step.name.replace(" ", "-"))
            run_once(step, log, self._signals.requested)
        for stage in plan.stages():
            self._start_stage(display, stage)
        self._await_ready(display)
        display.say(f"up in {time.monotonic() - began:.0f} s")

    def _start_stage(self, display: Display, commands: list[Command]) -> None:
        if commands:
            display.say(f"starting {', '.join(command.name for command in commands)}")
            self._supervisor.start(commands)

    def _await_ready(self, display: Display) -> None:
        """Ready processes may still have partitions to take over, and sites to begin: the gateway
        knows. What is waited for is said, and after `READY_WITHIN_S` the stack counts as up without
        it: whatever is submitted until then waits."""
        gateway = Gateway(self._plan.endpoints()["gateway"], timeout_s=5.0)
        began = time.monotonic()
        told = False
        while not self._signals.requested():
            missing = readiness.missing(gateway, self._plan.sites)
            if not missing:
                return
            waited_s = time.monotonic() - began
            if waited_s > READY_WITHIN_S:
                display.say(f"not ready yet, and still trying: {'; '.join(missing)}")
                return
            if waited_s > SAY_AFTER_S and not told:
                told = True
                display.say(f"waiting, {READY_WITHIN_S:.0f} s at most, for {'; '.join(missing)}")
            self._supervisor.watch()
            time.sleep(ASK_HEALTH_EVERY_S)
        raise StopRequested

    def _announce(self, display: Display) -> None:
        resumed = resumed_sentence(self._watcher.scene().report) if self._resumed else None
        if resumed:
            display.say(resumed)
        display.say(f"data in {self._directory.path}, logs in {self._directory.logs}")
        for name, address in self._plan.endpoints().items():
            display.say(f"  {name:<10} {without_password(address)}")
        if not self._background:
            display.say("Ctrl-C stops everything and keeps the data.")

    def _watch(self, display: Display) -> None:
        told = False
        shown_at = float("-inf")
        while not self._signals.requested():
            self._supervisor.watch()
            self._recorder.retry()
            time.sleep(TICK_S)
            if time.monotonic() - shown_at < SHOW_EVERY_S:
                continue
            shown_at = time.monotonic()
            scene = self._watcher.scene()
            display.show(self._with_memory(), scene)
            if scene.finished and not told:
                told = True
                display.say("The scenario has been played to its end; the services stay up.")

    def _stop(self) -> None:
        """Whatever happens on the way, the processes are stopped, and in their order."""
        try:
            self._recorder.enter("stopping")
            if self._supervisor.processes:
                self._display.say(
                    "stopping all processes; the data is kept (Ctrl-C again kills them)"
                )
        finally:
            killed = self._supervisor.stop(self._signals.hurried)
        if killed:
            why = (
                "killed, as asked" if self._signals.hurried() else "not stopped in time and killed"
            )
            self._display.say(f"{why}: {', '.join(killed)}")
        self._recorder.end()

    def _with_memory(self) -> list[state.ProcessRecord]:
        records = self._supervisor.records()
        if not self._display.shows_memory:
            return records
        if time.monotonic() - self._measured_at >= MEASURE_EVERY_S:
            self._memory = {record.name: state.memory_mb(record) for record in records}
            self._measured_at = time.monotonic()
        for record in records:
            record.memory_mb = self._memory.get(record.name)
        return records


def resumed_sentence(report: Report | None) -> str | None:
    """None when the earlier run never got anywhere."""
    if report is None:
        return "resumed: the data of an earlier run"
    moments = [clock.now for clock in report.clock if clock.now]
    if not moments and not report.workloads.submitted:
        return None
    when = f"data of {minute(max(moments))}" if moments else "no event time yet"
    return (
        f"resumed: {when}, {report.workloads.submitted} workloads, "
        f"{report.invoices.finalized} invoices"
    )
