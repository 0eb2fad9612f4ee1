"""What the same hours would have earned under three naive policies. Pure: no I/O, no clock.

    always_mine         mining takes its power first, at any price; AI gets what is left
    ai_first            AI runs whenever it fits; ASICs take all power that is left, at any price
    strike_2_up_4_down  AI first; ASICs off and on by the strike rule (price_series.py)

They get the same units, limits, curtailments, prices, submissions and contracts as HCP, each from
the moment that HCP had it, and the same energy accounting: a GPU draws its compute power while
anything is placed on it, energy that is passed through is paid for by the customer and by us.
Where something had to be simplified it was in their favour: switching takes no time, nothing ever
fails or is drained (a unit serves from its registration on), and idle GPUs draw nothing. They serve
submissions in order of arrival, and whatever fits may pass what does not. A job runs as long as it
ran under HCP, or as its customer expected while HCP is not done with it.
"""

from __future__ import annotations

import heapq

from gateway.naive_queue import WHOLE_MILLI, Group, Line, Live, Queue, Unit
from gateway.naive_site import NaiveSite
from gateway.price_series import StrikeRule
from gateway.site_hours import (
    WHEN,
    Configured,
    Curtailed,
    Fact,
    Job,
    JobEnded,
    MiningSwitched,
    Outcome,
    Policy,
    SiteHours,
    TermsBook,
    TermsChanged,
    Timed,
    UnitsChanged,
    timed,
)

# Under a policy that starves AI the queue only grows. Who comes to a longer one goes elsewhere.
MAX_LIVE = 100_000


class NaiveRun:
    """One policy on one site, from event to event; between two of them no power changes."""

    def __init__(self, policy: Policy, start_ms: int) -> None:
        self._site = NaiveSite(start_ms, mines_first=policy == "always_mine")
        self._rule = StrikeRule() if policy == "strike_2_up_4_down" else None
        self._terms = TermsBook()
        self._queue = Queue()
        self._live: dict[str, Live] = {}
        self._running: dict[int, Live] = {}  # in order of placement
        self._ends: list[tuple[int, int]] = []
        self._arrived = self._placed = 0
        # What must be looked at again after this moment's events: the whole queue, or only lines
        # that were empty before.
        self._room_made = True
        self._fresh: dict[Line, None] = {}

    def advance(self, hours: SiteHours) -> None:
        """Up to hours.end_ms, where a next call goes on."""
        site, ends = self._site, self._ends
        site.price_by(hours.power_prices, hours.hash_prices)
        self._terms = hours.terms
        facts, index = self._facts(hours), 0
        while True:
            moment = facts[index][0] if index < len(facts) else hours.end_ms
            if ends and ends[0][0] < moment:
                moment = ends[0][0]
            if moment >= hours.end_ms:
                break
            site.now = max(site.now, moment)
            while ends and ends[0][0] <= site.now:
                self._end(*heapq.heappop(ends))
            while index < len(facts) and facts[index][0] <= site.now:
                self._apply(facts[index][2])
                index += 1
            self._settle()
        site.now = hours.end_ms
        site.account()

    def outcome(self) -> Outcome:
        """Since the start, or since `forget_money`."""
        return self._site.outcome()

    def forget_money(self) -> None:
        self._site.forget_money()

    def _facts(self, hours: SiteHours) -> list[Timed]:
        if self._rule is None:
            return hours.facts
        switches = self._rule.switches(hours.power_prices, self._site.now, hours.end_ms)
        if not switches:
            return hours.facts
        switched = timed((at, MiningSwitched(on)) for at, on in switches)
        return sorted([*switched, *hours.facts], key=WHEN)

    def _apply(self, fact: Fact) -> None:
        match fact:
            case Job():
                self._arrive(fact)
            case JobEnded():
                self._learn(fact)
            case UnitsChanged():
                self._site.change_units(fact)
            case Configured():
                self._site.configure(fact)
            case Curtailed():
                self._site.curtail(fact)
            case MiningSwitched():
                self._site.let_mine(on=fact.on)
            case TermsChanged():
                self._rate_anew(fact.customer_id)

    def _settle(self) -> None:
        """After all that happened at this moment."""
        if self._site.limits_changed:
            self._keep_limits()
        if self._room_made or self._fresh:
            self._place_all()
        self._site.mine()

    def _keep_limits(self) -> None:
        """AI above them goes back to the queue, the newest first."""
        self._site.set_limits()
        self._room_made = True
        if self._queue.offer(self._site.models, self._site.list_prices):
            self._queue.form_anew()
        while self._running and not self._site.is_within_limits():
            live = self._running.pop(next(reversed(self._running)))
            self._release(live)
            live.line = self._queue.line_of(live.job)
            self._queue.add(live, ahead=True)

    def _arrive(self, job: Job) -> None:
        if len(self._live) >= MAX_LIVE:
            return
        self._arrived += 1
        live = Live(job, self._arrived, job.duration_ms, self._queue.line_of(job))
        self._live[job.workload_id] = live
        if self._queue.add(live):
            self._fresh[live.line] = None

    def _learn(self, ended: JobEnded) -> None:
        live = self._live.get(ended.workload_id)
        if live is None:
            return
        if ended.ran_ms is not None:
            live.duration_ms = max(1, ended.ran_ms)
            if live.placed is not None:
                self._end_at(live, max(self._site.now, live.started_ms + live.duration_ms))
        elif live.placed is not None:
            self._finish(live)
        else:
            live.gone = True
            del self._live[ended.workload_id]

    def _place_all(self) -> None:
        """In order of arrival; when one does not fit, none in its line does."""
        if self._room_made:
            lines = [
                line
                for models in self._queue.models()
                for line in self._queue.up_to(models, self._site.room_milli(models))
            ]
        else:
            room = self._site.room_milli
            lines = [line for line in self._fresh if line.need <= room(line.models)]
        self._fresh, self._room_made = {}, False
        heads = [(line.jobs[0].number, line) for line in lines]
        heapq.heapify(heads)
        while heads:
            _, line = heapq.heappop(heads)
            live = line.jobs[0]
            fits = live.gone or (
                line.need <= self._site.room_milli(line.models) and self._place(live)
            )
            if not fits:
                continue
            self._queue.take_first(line)
            if line.jobs:
                heapq.heappush(heads, (line.jobs[0].number, line))

    def _place(self, live: Live) -> bool:
        line = live.line
        for model in line.models:
            if line.gpu_milli == WHOLE_MILLI:
                whole = self._site.whole(model, line.gpu_count)
                if whole:
                    self._start(live, model, whole, None)
                    return True
            else:
                unit = self._site.share(model, line.gpu_milli)
                if unit is not None:
                    self._start(live, model, (), unit)
                    return True
        return False

    def _start(
        self, live: Live, model: str, whole: tuple[tuple[Group, int], ...], unit: Unit | None
    ) -> None:
        now = self._site.now
        self._placed += 1
        terms = self._terms.at(live.job.customer_id, now)
        live.placed, live.started_ms = self._placed, now
        live.price = terms.price(model, self._site.list_prices)
        live.energy_adder = terms.energy_adder
        live.whole, live.shared = whole, unit
        self._site.start(live)
        self._running[self._placed] = live
        self._end_at(live, now + live.duration_ms)

    def _end_at(self, live: Live, moment: int) -> None:
        if live.placed is not None and live.ends_ms != moment:
            live.ends_ms = moment
            heapq.heappush(self._ends, (moment, live.placed))

    def _end(self, moment: int, placed: int) -> None:
        live = self._running.get(placed)
        if live is not None and live.ends_ms == moment:
            self._finish(live)

    def _finish(self, live: Live) -> None:
        assert live.placed is not None
        del self._running[live.placed], self._live[live.job.workload_id]
        self._release(live)

    def _release(self, live: Live) -> None:
        self._site.stop(live)
        self._room_made = True
        live.placed, live.whole, live.shared, live.ends_ms = None, (), None, 0

    def _rate_anew(self, customer_id: str) -> None:
        """What the customer has running, by the contract in force now."""
        self._site.account()
        terms = self._terms.at(customer_id, self._site.now)
        for live in self._running.values():
            if live.job.customer_id == customer_id:
                model = (live.shared.group if live.shared else live.whole[0][0]).model
                self._site.rate(live, -1)
                live.price = terms.price(model, self._site.list_prices)
                live.energy_adder = terms.energy_adder
                self._site.rate(live, 1)
