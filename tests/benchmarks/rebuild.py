"""Routing without a snapshot, on a long site log: killed and stopped in the middle, and to the end.

Fills a real log with what a site of 1,000 units leaves there, nine days of it a million records:
ticks, prices, meters, workloads with their switches and starts, and the answers of an older version
of routing among them. Then today's routing runs as a process: stopped while it looks through the
answers, killed in the middle, stopped in the middle, and left to finish. 1,000,000 records, the
default, take half an hour.
"""

from __future__ import annotations

import heapq
import os
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal

import psutil

from deploy.local.progress import behind
from schemas.codec import OutRecord
from schemas.events import sites
from schemas.record import Record
from schemas.topics import SITES, Event
from streams import snapshots
from streams.kafka import KafkaLog
from streams.loop import Processor
from streams.routing.agent import AGENT
from tests.benchmarks.environment import Environment
from tests.benchmarks.figures import Figure
from tests.benchmarks.load import FEEDERS, S21_W, T0, completion, opening, submission

RECORDS = 1_000_000
UNITS = 1_000
SITE = "long"
SUBMISSIONS = 10  # a minute, of ten minutes and 1.4 GPUs each: most of the 200 GPUs are busy
MINUTE_MS = 60_000
BAR_MB = 400
BAR_STOP_S = 2
PATIENCE_S = 3_600.0
_POLL_S = 0.2
_SAID = re.compile(r"restored at offset (-?\d+)")


def rebuild(env: Environment, records: int = RECORDS) -> list[Figure]:
    log = KafkaLog(env.addresses.kafka, env.topics)
    site = Site(env, log)
    site.fill(records)
    log.flush()
    run = Run(env, log)
    return [*stopped_in_the_scan(run), *killed(run, records), *stopped(run), *finished(run, log)]


def stopped_in_the_scan(run: Run) -> list[Figure]:
    run.start()
    run.until_it_runs()
    name = "SIGTERM while it looks for its answers, until it ended"
    return [_figure(name, run.stop(), "s", BAR_STOP_S)]


def killed(run: Run, records: int) -> list[Figure]:
    run.start()
    run.until(lambda saved: saved >= records // 2)
    run.child.kill()
    run.child.wait()
    kept = run.saved()
    run.start()
    began = run.until_restored()
    run.until(lambda saved: saved > kept)
    return [_figure("SIGKILL in the middle, saved and not gone on from", kept - began, "records")]


def stopped(run: Run) -> list[Figure]:
    return [_figure("SIGTERM in the middle, until it ended", run.stop(), "s", BAR_STOP_S)]


def finished(run: Run, log: KafkaLog) -> list[Figure]:
    before, started = run.saved(), time.monotonic()
    run.start()
    done = run.until(lambda saved: saved >= log.bounds(SITES, 0)[1] - 2)
    took_s = time.monotonic() - started
    run.stop()
    return [
        _figure("rate, the search for answers and all", (done - before) / took_s, "records/s"),
        _figure("most memory of any of these lives", run.peak_bytes / 1e6, "MB", BAR_MB),
        _figure("longest time that `hcp status` shows the same", run.longest_still_s, "s"),
    ]


def _figure(name: str, value: float, unit: str, bar: float | None = None) -> Figure:
    return Figure(
        benchmark="rebuild",
        name=name,
        value=value,
        unit=unit,
        bar=bar,
        better="higher" if unit == "records/s" else "lower",
    )


class Run:
    """Today's routing as a process.

    peak_bytes: the most memory that any of its lives took
    longest_still_s: the longest time without a change of the records that it is behind by, as its
        metrics tell `hcp status` from when they first answer
    """

    def __init__(self, env: Environment, log: KafkaLog) -> None:
        self._env = env
        self._log = log
        self._said = env.directory / "rebuild.log"
        self.peak_bytes = 0
        self.longest_still_s = 0.0

    def start(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._behind: int | None = None
        self._moved = time.monotonic()
        variables = {**self._env.variables, "HCP_METRICS_PORT": str(self._port)}
        with self._said.open("wb") as output:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "streams", "routing"],
                env={**os.environ, **variables},
                stdout=output,
                stderr=output,
            )

    def saved(self) -> int:
        found = snapshots.newest(self._log, self._env.codec, AGENT, 0).saved
        return -1 if found is None else found.offset

    def until_it_runs(self) -> None:
        self._wait(lambda: "runs partitions [0]" in self._said.read_text())

    def until_restored(self) -> int:
        """Where its snapshot was."""
        self._wait(lambda: _SAID.search(self._said.read_text()) is not None)
        found = _SAID.search(self._said.read_text())
        assert found is not None
        return int(found[1])

    def until(self, reached: Callable[[int], bool]) -> int:
        """Until the position that is saved is so far; that position."""
        self._wait(lambda: reached(self.saved()))
        return self.saved()

    def stop(self) -> float:
        """Seconds from SIGTERM to the end."""
        started = time.monotonic()
        self.child.terminate()
        self.child.wait(60)
        return time.monotonic() - started

    def _wait(self, until: Callable[[], bool]) -> None:
        deadline, process = time.monotonic() + PATIENCE_S, psutil.Process(self.child.pid)
        while not until():
            if self.child.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"saved up to {self.saved()}: {self._said.read_text()[-2000:]}")
            self.peak_bytes = max(self.peak_bytes, process.memory_info().rss)
            self._look()
            time.sleep(_POLL_S)

    def _look(self) -> None:
        now_s, seen = time.monotonic(), behind(f"http://127.0.0.1:{self._port}/metrics")
        if seen is None or seen != self._behind:
            self._behind, self._moved = seen, now_s
        elif seen > 0:
            self.longest_still_s = max(self.longest_still_s, now_s - self._moved)


class Site:
    """Offsets are known beforehand: nobody else writes to the log."""

    def __init__(self, env: Environment, log: KafkaLog) -> None:
        self._env = env
        self._log = log
        older = replace(AGENT, version=f"{AGENT.version}-older")
        self._processor = Processor(older, 0, 1, env.codec)
        self._pick = random.Random(19)
        self._now = T0
        self._placed: list[sites.WorkloadPlaced] = []
        self._running: list[tuple[int, str, str]] = []  # when each ends
        self._events = self._life()
        self.end = 0

    def fill(self, records: int) -> None:
        """Up to so many records on the site log."""
        while self.end < records:
            out = self._env.record(next(self._events))
            headers = tuple((name, v) for name, v in out.headers if isinstance(v, bytes))
            record = Record(SITES.name, 0, self.end, self._now, out.key, out.value, headers)
            self._publish(out)
            for answer in self._processor.handle(record):
                self._publish(answer)

    def _publish(self, out: OutRecord) -> None:
        self._log.publish(out)
        self.end += out.topic is SITES
        if ("ce_type", sites.WorkloadPlaced.FULL_NAME.encode()) in out.headers:
            event = self._env.codec.decode(out.value)
            assert isinstance(event, sites.WorkloadPlaced)
            self._placed.append(event)

    def _life(self) -> Iterator[Event]:
        yield from opening(SITE, UNITS)
        minute = serial = 0
        while True:
            if minute % 5 == 0:
                yield self._power_price()
            if minute % 60 == 0:
                yield self._hashprice()
            for _ in range(SUBMISSIONS):
                serial += 1
                yield submission(SITE, serial, self._now, self._pick)
                yield from self._starts()
            minute, self._now = minute + 1, self._now + MINUTE_MS
            while self._running and self._running[0][0] <= self._now:
                _, workload_id, placement_id = heapq.heappop(self._running)
                yield completion(SITE, workload_id, placement_id, self._now)
                yield from self._starts()
            if minute % 15 == 0:
                for feeder in range(len(FEEDERS)):
                    yield self._meters(feeder)
            yield sites.TimePassed(site_id=SITE, at=self._now)
            yield from self._starts()

    def _starts(self) -> Iterator[Event]:
        """The hardware switches to what was placed, and starts it."""
        placed, self._placed = self._placed, []
        for event in placed:
            for share in event.units:
                yield sites.UnitSwitched(
                    site_id=SITE,
                    at=self._now,
                    unit_id=share.unit_id,
                    mode="compute",
                    workload_id=event.workload_id,
                    save_ms=0,
                    clear_ms=900,
                    load_ms=7_000,
                    initialise_ms=1_500,
                    succeeded=True,
                )
            yield sites.WorkloadStarted(
                site_id=SITE,
                at=self._now,
                workload_id=event.workload_id,
                placement_id=event.placement_id,
            )
            ends = self._now + event.duration_s * 1000
            heapq.heappush(self._running, (ends, event.workload_id, event.placement_id))

    def _power_price(self) -> Event:
        return sites.PowerPricePublished(
            site_id=SITE,
            at=self._now,
            settlement_point="HB_HUBAVG",
            interval_start=self._now,
            interval_end=self._now + 5 * MINUTE_MS,
            price_usd_per_mwh=Decimal(self._pick.randrange(1_500, 8_500)) / 100,
        )

    def _hashprice(self) -> Event:
        return sites.HashpricePublished(
            site_id=SITE,
            at=self._now,
            interval_start=self._now,
            hashprice_usd_per_ph_day=Decimal(self._pick.randrange(3_700, 3_950)) / 100,
            difficulty=152_000_000_000_000,
            fees_sats=2_000_000,
            btc_price_usd=Decimal(91_000),
        )

    def _meters(self, feeder: int) -> Event:
        readings = tuple(
            sites.MeterReading(unit_id=f"u{number:05}", energy_wh=S21_W // 4, work_th=200 * 15 * 60)
            for number in range(feeder, UNITS, len(FEEDERS))
        )
        return sites.EnergyMetered(
            site_id=SITE,
            at=self._now,
            feeder_id=FEEDERS[feeder],
            interval_start=self._now - 15 * MINUTE_MS,
            interval_end=self._now,
            readings=readings,
        )
