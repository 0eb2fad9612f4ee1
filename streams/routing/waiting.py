"""The queue: who is placed next.

Order: highest priority, then the order of the log, then id. A workload that does not fit does not
block a later one that does (backfill); `holding` says what is kept for one that backfill would keep
waiting for ever.

Workloads of one shape fit or fail together, so a pass tries the first of each shape and drops the
shape when that fails. Shapes of which `outlook` sees that they must fail are not searched for.

Bounds of one pass: `MAX_PLACED` placements, and searches in vain that weigh `MAX_WEIGHED` units.
Every input that makes room, and every tick of the clock, starts a pass at the head of the queue. So
that a bounded pass does not leave the same ones for ever, `TURNS` of those it did not reach get
their turn all the same, the next ones with each tick. A submission that would fit does not overtake
what a pass left: while one that ranks before it may fit too, it queues, and a pass places them.
"""

from __future__ import annotations

import heapq

from schemas.events.sites import UnitShare, WorkloadPlaced
from streams.routing.draft import Draft
from streams.routing.explanation import alternatives_of, displaced_words, money
from streams.routing.holding import NOTHING, held_by, holders
from streams.routing.index import QueueKey, Shape, shapes
from streams.routing.outlook import Outlook
from streams.routing.placement import Search, could_fit, find_placement
from streams.routing.state import State, Workload, placement_id, usd

MAX_PLACED = 256
MAX_WEIGHED = 4_000
TURNS = 4
MANY_SHAPES = 16
"""From so many on, it is cheaper to look first at what each model can be used for at all."""


def place_waiting(draft: Draft) -> None:
    """Release what can no longer meet its deadline, then place what fits."""
    _expire(draft)
    index = draft.state.index
    if not index.queue:
        return
    if any(index.free_count.values()) or any(index.shared.values()):
        _Pass(draft).run()


def may_fit_before(state: State, key: QueueKey) -> bool:
    """Whether one that ranks before this key may fit: the last pass ended before it was tried."""
    if not state.index.queue:
        return False
    outlook = Outlook(state, NOTHING)
    return any(
        keys[0] < key and could_fit(state, shape) and outlook.may_place(shape)
        for shape, keys in shapes(state)
    )


class _Pass:
    """One pass over the queue: what it holds, what it knows, and what it has done."""

    __slots__ = ("_draft", "_held", "_holders", "_outlook", "_placed", "_state", "_weighed")

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._state = draft.state
        self._held = NOTHING
        self._holders = holders(draft.state)
        self._outlook: Outlook | None = None
        self._placed = self._weighed = 0

    def run(self) -> None:
        heads = self._heads()
        sifted = False
        while heads and self._placed < MAX_PLACED and self._weighed < MAX_WEIGHED:
            key, shape = heapq.heappop(heads)
            if self._try(key, shape):
                following = self._state.index.queue.get(shape[0], {}).get(shape[1:])
                if following:
                    heapq.heappush(heads, (following[0], shape))
            elif self._outlook is not None and not sifted:
                # Once a pass: what a later placement makes room for, the next pass looks at.
                heads = [head for head in heads if self._outlook.may_place(head[1])]
                heapq.heapify(heads)
                sifted = True
        if self._weighed >= MAX_WEIGHED:
            self._take_turns(heads)

    def _heads(self) -> list[tuple[QueueKey, Shape]]:
        queue = self._state.index.queue
        if sum(map(len, queue.values())) >= MANY_SHAPES:
            self._outlook = outlook = Outlook(self._state, self._held)
            hopeless = {models for models in queue if outlook.is_hopeless(models)}
        else:
            hopeless = set()
        heads = [
            (keys[0], (models, *size))
            for models, sizes in queue.items()
            if models not in hopeless
            for size, keys in sizes.items()
        ]
        heapq.heapify(heads)
        return heads

    def _take_turns(self, heads: list[tuple[QueueKey, Shape]]) -> None:
        left = sorted(head for head in heads if self._may_place(head[1]))
        if left:
            first = self._state.ticks * TURNS % len(left)
            turns = (left + left)[first : first + min(TURNS, len(left))]
            for key, shape in sorted(turns):  # in order, for holds only grow
                self._try(key, shape)

    def _try(self, key: QueueKey, shape: Shape) -> bool:
        """Whether the workload with this key, the first of its shape, was placed."""
        if self._holders:
            self._hold_until(key)
        if not could_fit(self._state, shape) or not self._may_place(shape):
            return False
        search = find_placement(self._state, shape, self._held)
        if search.chosen is not None:
            place(self._draft, self._state.workloads[key[2]], search)
            self._placed += 1
            self._outlook = None
            return True
        self._weighed += shape[1] * len(search.options)
        if self._outlook is None:
            self._outlook = Outlook(self._state, self._held)
        self._outlook.learn(shape, search)
        return False

    def _may_place(self, shape: Shape) -> bool:
        return self._outlook is None or self._outlook.may_place(shape)

    def _hold_until(self, key: QueueKey) -> None:
        """Hold what those that rank before this key need: they were tried, and still wait."""
        while self._holders and self._holders[0].key < key:
            holder = self._holders.pop(0)
            if not self._state.workloads[holder.key[2]].placed:
                held = self._held | held_by(self._state, holder)
                if held != self._held:
                    self._held, self._outlook = held, None


def place(draft: Draft, workload: Workload, search: Search) -> None:
    """Make room, give the workload its units, and say why."""
    option = search.chosen
    assert option is not None
    state = draft.state
    decision_id = draft.new_id("placement", workload.workload_id)
    alternatives = alternatives_of(state, search)
    reason = f"{option.reason} Net {money(option.value)} an hour"
    if option.displaced is not None:
        reason += f", after {displaced_words(option.displaced)}"
        for unit_id, mode in option.displaced.modes():
            draft.assign(state.units[unit_id], mode, "displaced", decision_id)
    draft.explain(
        decision_id=decision_id,
        kind="placement",
        subject=workload.workload_id,
        reason=f"{reason}.",
        alternatives=alternatives,
    )
    draft.emit(
        WorkloadPlaced(
            site_id=state.site_id,
            at=draft.at,
            workload_id=workload.workload_id,
            placement_id=placement_id(workload.workload_id, workload.attempt + 1),
            customer_id=workload.customer_id,
            gpu_model=option.model,
            gpu_milli=workload.gpu_milli,
            units=tuple(
                UnitShare(unit_id=unit_id, gpu_milli=workload.gpu_milli, power_w=power_w)
                for unit_id, power_w in option.shares
            ),
            duration_s=workload.duration_s,
            attempt=workload.attempt + 1,
            price_usd_per_gpu_hour=usd(state.gpu_prices_micros[option.model]),
            decision_id=decision_id,
        )
    )


def _expire(draft: Draft) -> None:
    """A workload that cannot complete by its deadline any more is worth nothing: let it go."""
    now, latest_starts = draft.state.now, draft.state.index.latest_starts
    while now is not None and latest_starts and latest_starts[0][0] < now:
        workload = draft.state.workloads[latest_starts[0][1]]
        draft.release(workload, "failed", "deadline_passed")
