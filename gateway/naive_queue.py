"""Who waits for GPUs under a naive policy, by what would have to be free. Pure.

Jobs that need the same wait in one line: where its first does not fit, none does. Lines are kept by
need, so that a free GPU is offered to those only that it could serve.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gateway.site_hours import Job

WHOLE_MILLI = 1000
MAX_CHOSEN = 10_000

Models = tuple[str, ...]


@dataclass(slots=True, eq=False)
class Line:
    """models: that its jobs take, the dearest first. need: thousandths of GPUs."""

    models: Models
    gpu_count: int
    gpu_milli: int
    number: int
    need: int
    jobs: deque[Live] = field(default_factory=deque)


@dataclass(slots=True, eq=False)
class Unit:
    """A GPU that jobs share: its group, what is left of it, and the parts by their energy adder."""

    group: Group
    free_milli: int = WHOLE_MILLI
    shares: dict[int | None, int] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Group:
    """GPUs of one model on one feeder. free: below zero when units left that were still busy."""

    feeder_id: str
    model: str
    power_w: int
    free: int = 0


@dataclass(slots=True, eq=False)
class Live:
    """A job that waits or runs. number: its place by arrival."""

    job: Job
    number: int
    duration_ms: int
    line: Line
    gone: bool = False
    # While it runs:
    placed: int | None = None
    started_ms: int = 0
    ends_ms: int = 0
    price: int = 0
    energy_adder: int | None = None
    whole: tuple[tuple[Group, int], ...] = ()
    shared: Unit | None = None


class Queue:
    """Lines with somebody in them, by the models they take and then by need."""

    def __init__(self) -> None:
        self._formed = 0
        self._lines: dict[tuple[Models, int, int], Line] = {}
        self._chosen: dict[tuple[str | None, int | None], Models] = {}
        self._waiting: dict[Models, list[tuple[int, int, Line]]] = {}
        self._list_prices: Mapping[str, int] = {}
        self._models: frozenset[str] = frozenset()

    def offer(self, models: frozenset[str], list_prices: Mapping[str, int]) -> bool:
        """What the site has from now on. Whether lines must be formed anew."""
        if (models, list_prices) == (self._models, self._list_prices):
            return False
        self._models, self._list_prices = models, list_prices
        self._chosen = {}
        return True

    def line_of(self, job: Job) -> Line:
        wanted = job.gpu_model, job.max_price
        models = self._chosen.get(wanted)
        if models is None:
            if len(self._chosen) >= MAX_CHOSEN:
                self._chosen.clear()
            models = self._chosen[wanted] = self._choose(*wanted)
        key = models, job.gpu_count, job.gpu_milli
        line = self._lines.get(key)
        if line is None:
            shared = job.gpu_milli < WHOLE_MILLI
            need = job.gpu_milli if shared else WHOLE_MILLI * job.gpu_count
            self._formed += 1
            line = self._lines[key] = Line(*key, number=self._formed, need=need)
        return line

    def add(self, live: Live, *, ahead: bool = False) -> bool:
        """Whether it is the first in its line."""
        line = live.line
        if not line.jobs:
            place = line.need, line.number, line
            insort(self._waiting.setdefault(line.models, []), place, key=_by_need)
        if ahead:
            line.jobs.appendleft(live)
        else:
            line.jobs.append(live)
        return line.jobs[0] is live

    def take_first(self, line: Line) -> None:
        line.jobs.popleft()
        if not line.jobs:
            of_models = self._waiting[line.models]
            del of_models[bisect_left(of_models, (line.need, line.number), key=_by_need)]
            if not of_models:
                del self._waiting[line.models]
            del self._lines[line.models, line.gpu_count, line.gpu_milli]

    def models(self) -> list[Models]:
        return list(self._waiting)

    def up_to(self, models: Models, room_milli: int) -> Iterator[Line]:
        """Lines of these models that need no more than that."""
        for need, _, line in self._waiting.get(models, ()):
            if need > room_milli:
                return
            yield line

    def form_anew(self) -> None:
        """Everybody into the line that fits what the site has now, by arrival."""
        everybody = sorted(
            (live for lines in self._waiting.values() for *_, line in lines for live in line.jobs),
            key=lambda live: live.number,
        )
        self._lines, self._waiting = {}, {}
        for live in everybody:
            if not live.gone:
                live.line = self.line_of(live.job)
                self.add(live)

    def _choose(self, model: str | None, max_price: int | None) -> Models:
        wanted = self._models if model is None else self._models & {model}
        prices = {name: self._list_prices.get(name, 0) for name in wanted}
        affordable = [
            name for name, price in prices.items() if max_price is None or price <= max_price
        ]
        return tuple(sorted(affordable, key=lambda name: (-prices[name], name)))


def _by_need(place: tuple[int, int, Line]) -> tuple[int, int]:
    return place[:2]
