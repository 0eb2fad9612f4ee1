"""Keep a set of processes running: start in order, restart with backoff, stop in reverse order.

No callbacks: whoever owns the supervisor calls `watch` a few times a second. A process that runs
and does not serve is `unready`; after a while it is killed and started again, but only when all
that was started before it serves: else it waits for that, and a restart would only make it later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.errors import StartError
from deploy.local.child import Child, Command, StopRequested, last_words, never
from deploy.local.readiness import Readiness
from deploy.local.state import ProcessRecord, ProcessState

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0  # from there on it keeps trying at this pace, and status says why
STABLE_AFTER_S = 10.0  # running this long, earlier failures are forgotten
UNREADY_AFTER_S = 3.0  # one slow answer on a busy machine is none of it
RESTART_AFTER_S = 60.0  # unready for so long without an excuse, it hangs
START_ATTEMPTS = 3  # a process that ends this often before it served stops the whole start
POLL_S = 0.1
ALIVE: tuple[ProcessState, ...] = ("starting", "running", "unready")


@dataclass
class Supervised:
    command: Command
    child: Child | None = None
    state: ProcessState = "stopped"
    restarts: int = 0
    failures_in_a_row: int = 0
    last_exit: str | None = None
    since: float = 0.0  # monotonic, of the present state
    retry_at: float = 0.0  # monotonic, state waiting
    readiness: Readiness | None = None  # of the child
    excused_at: float = 0.0  # monotonic: until then it served, or could not
    condemned: str | None = None  # why we killed it
    started_at: float | None = None  # seconds since the epoch

    def enter(self, state: ProcessState) -> None:
        self.state = state
        self.since = time.monotonic()


class Supervisor:
    def __init__(
        self,
        log_of: Callable[[str], Path],
        changed: Callable[[], None],
        stop_requested: Callable[[], bool] = never,
    ) -> None:
        self._log_of = log_of
        self._changed = changed
        self._stop_requested = stop_requested
        self._stages: list[list[Supervised]] = []

    @property
    def processes(self) -> list[Supervised]:
        return [process for stage in self._stages for process in stage]

    def start(self, commands: Sequence[Command]) -> None:
        """Start one stage together and return when all of it serves.

        Raises StartError when one cannot, StopRequested when asked to stop meanwhile; in both
        cases what has been started stays to be stopped by `stop`.
        """
        stage = [Supervised(command) for command in commands]
        self._stages.append(stage)
        for process in stage:
            self._spawn(process)
        while any(process.state != "running" for process in stage):
            if self._stop_requested():
                raise StopRequested
            self.watch()
            for process in stage:
                self._require_hope(process)
            time.sleep(POLL_S)

    def watch(self) -> None:
        """One pass over all processes: notice ends, start again what is due, notice readiness."""
        solid = True  # all that a stage builds on serves
        for stage in self._stages:
            for process in stage:
                self._watch(process, solid)
            solid = solid and all(process.state == "running" for process in stage)

    def _watch(self, process: Supervised, solid: bool) -> None:
        if process.state in ALIVE:
            self._notice_end(process)
        if process.state == "waiting" and time.monotonic() >= process.retry_at:
            process.restarts += 1
            self._spawn(process)
        elif process.state in ALIVE:
            self._notice_readiness(process)
            self._condemn_if_useless(process, solid)
            if process.state == "running" and age_s(process) > STABLE_AFTER_S:
                process.failures_in_a_row = 0

    def stop(self, hurry: Callable[[], bool] = never) -> list[str]:
        """Stop everything, last stage first; the names of those that had to be killed.

        The members of a stage have their time together. hurry: kill what has not ended yet.
        """
        return [name for stage in reversed(self._stages) for name in self._stop(stage, hurry)]

    def _stop(self, stage: list[Supervised], hurry: Callable[[], bool]) -> list[str]:
        killed: list[str] = []
        began = time.monotonic()
        for process in stage:
            if process.child:
                process.child.ask_to_stop()
        for process in stage:
            deadline = began + process.command.stop_timeout_s
            if process.child and not process.child.finish(deadline, hurry):
                killed.append(process.command.name)
            process.enter("stopped")
            self._changed()
        return killed

    def records(self) -> list[ProcessRecord]:
        return [self._record(process) for process in self.processes]

    def _spawn(self, process: Supervised) -> None:
        try:
            process.child = Child(process.command, self._log_of(process.command.name))
        except OSError as error:  # a full disk passes, and the others need not end over it
            self._await_retry(process, f"cannot be started ({error.strerror})")
            return
        process.readiness = Readiness(process.command.ready)
        process.excused_at = time.monotonic()
        process.condemned = None
        process.started_at = psutil.Process(process.child.pid).create_time()
        process.enter("starting")
        self._changed()

    def _notice_end(self, process: Supervised) -> None:
        assert process.child is not None
        reason = process.child.ended()
        if reason is None:
            return
        process.child.kill_group()
        words = f": {last_words(process.child.log)}" if process.child.failed() else ""
        self._await_retry(process, process.condemned or reason, words)

    def _notice_readiness(self, process: Supervised) -> None:
        assert process.readiness is not None
        unready_s = process.readiness.unready_s()
        if unready_s == 0 and process.state != "running":
            process.enter("running")
            self._changed()
        elif unready_s > UNREADY_AFTER_S and process.state == "running":
            process.enter("unready")
            self._changed()

    def _condemn_if_useless(self, process: Supervised, solid: bool) -> None:
        """Killed, not asked: who hangs does not listen, and all of ours are safe to kill."""
        if process.state == "running" or not solid:
            process.excused_at = time.monotonic()
        command = process.command
        limit_s = command.start_timeout_s if process.state == "starting" else RESTART_AFTER_S
        if command.restart_unready and time.monotonic() - process.excused_at > limit_s:
            assert process.child is not None
            process.condemned = f"killed: did not serve for {limit_s:.0f} s"
            process.excused_at = time.monotonic()
            process.child.kill_group()

    def _await_retry(self, process: Supervised, reason: str, words: str = "") -> None:
        process.child = None
        process.last_exit = f"{reason} at {time.strftime('%H:%M:%S')}{words}"
        process.retry_at = time.monotonic() + delay_s(process.failures_in_a_row)
        process.failures_in_a_row += 1
        process.enter("waiting")
        self._changed()

    def _require_hope(self, process: Supervised) -> None:
        name = process.command.name
        log = self._log_of(name)
        if process.failures_in_a_row >= START_ATTEMPTS:
            raise StartError(f"{name} does not start ({process.last_exit}); see {log}.")
        late = age_s(process) > process.command.start_timeout_s
        if process.state == "starting" and late:
            seconds = process.command.start_timeout_s
            raise StartError(f"{name} was not ready after {seconds:.0f} s; see {log}.")

    def _record(self, process: Supervised) -> ProcessRecord:
        waiting = process.state == "waiting"
        alive = process.state in ALIVE and process.child
        return ProcessRecord(
            name=process.command.name,
            pid=process.child.pid if alive and process.child else None,
            started_at=process.started_at if alive else None,
            state=process.state,
            restarts=process.restarts,
            last_exit=process.last_exit,
            retry_in_s=round(max(0.0, process.retry_at - time.monotonic()), 1) if waiting else None,
            stop_signal=int(process.command.stop_signal),
            log=str(self._log_of(process.command.name)),
            metrics=process.command.metrics,
        )


def delay_s(failures_in_a_row: int) -> float:
    """0.5, 1, 2, 4, ... 30 seconds."""
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures_in_a_row, 10))


def age_s(process: Supervised) -> float:
    return time.monotonic() - process.since
