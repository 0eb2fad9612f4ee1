"""What `hcp up` shows while it runs: a live view in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from contextlib import suppress
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from deploy.local.state import ProcessRecord
from deploy.scene import Scene

LINE_EVERY_S = 5.0
STATE_STYLE = {
    "running": "green",
    "starting": "yellow",
    "unready": "red",
    "waiting": "red",
    "stopped": "dim",
}


class Display(Protocol):
    shows_memory: bool

    def __enter__(self) -> Display: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    def say(self, line: str) -> None:
        """Something that happened once."""

    def show(self, processes: list[ProcessRecord], scene: Scene | None) -> None:
        """How things stand; called often, shown as often as is bearable."""


class LineDisplay:
    """For pipes and log files: at most one line of figures every few seconds, and only news."""

    shows_memory = False

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown_at = 0.0
        self._last = ""

    def __enter__(self) -> LineDisplay:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show(self, processes: list[ProcessRecord], scene: Scene | None) -> None:
        if scene is None or time.monotonic() - self._shown_at < LINE_EVERY_S:
            return
        line = scene.line()
        waiting = [
            f"{p.name} restarting ({p.last_exit})" for p in processes if p.state == "waiting"
        ]
        unready = [f"{p.name} does not serve" for p in processes if p.state == "unready"]
        line = "; ".join([line, *waiting, *unready])
        if line != self._last:
            self._shown_at = time.monotonic()
            self._last = line
            self.say(line)


class LiveDisplay:
    """For a terminal: the processes, and the scenario beneath them."""

    shows_memory = True

    def __init__(self, console: Console) -> None:
        # refreshed from our own loop: a second thread and starting processes do not mix
        self._live = Live(console=console, auto_refresh=False)
        self._console = console

    def __enter__(self) -> LiveDisplay:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show(self, processes: list[ProcessRecord], scene: Scene | None) -> None:
        parts: list[RenderableType] = [process_table(processes), last_exits(processes)]
        if scene:
            parts.append(scene_table(scene))
        self._live.update(Group(*parts), refresh=True)


class SteadyDisplay:
    """A display whose terminal may close, or whose file's disk may fill: what runs goes on."""

    def __init__(self, inner: Display) -> None:
        self._inner = inner
        self.shows_memory = inner.shows_memory

    def __enter__(self) -> SteadyDisplay:
        with suppress(OSError):
            self._inner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._inner.__exit__(kind, error, trace)

    def say(self, line: str) -> None:
        with suppress(OSError):
            self._inner.say(line)

    def show(self, processes: list[ProcessRecord], scene: Scene | None) -> None:
        with suppress(OSError):
            self._inner.show(processes, scene)


def display_for(console: Console) -> Display:
    return SteadyDisplay(LiveDisplay(console) if console.is_terminal else LineDisplay(console))


def process_table(processes: list[ProcessRecord]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("process", "state"):
        table.add_column(heading, no_wrap=True)
    table.add_column("restarts", justify="right")
    table.add_column("pid", justify="right")
    table.add_column("MB", justify="right")
    shows_behind = any(process.behind is not None for process in processes)
    if shows_behind:
        table.add_column("records behind", justify="right")
    for process in processes:
        state = Text(process.state, STATE_STYLE[process.state])
        if process.retry_in_s is not None:
            state.append(f" {process.retry_in_s:.0f} s")
        table.add_row(
            process.name,
            state,
            str(process.restarts),
            str(process.pid or ""),
            str(process.memory_mb or ""),
            *(["" if process.behind is None else f"{process.behind:,}"] if shows_behind else []),
        )
    return table


def last_exits(processes: list[ProcessRecord]) -> Text:
    """Why each that ever ended by itself did so the last time."""
    lines = [f"{p.name}: {p.last_exit}" for p in processes if p.last_exit]
    return Text("\n".join(["", "last exits", *lines, ""]) if lines else "")


def scene_table(scene: Scene) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row("")
    for name, value in scene.rows():
        table.add_row(Text(name, "bold"), value)
    if scene.fraction is not None:
        done = ProgressBar(total=1.0, completed=scene.fraction, width=40)
        table.add_row(Text("played", "bold"), done)
    return table
