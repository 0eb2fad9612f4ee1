"""`python -m tests.benchmarks.rebuild [RECORDS]`: routing without a snapshot, on a long site log.

Fills a real log with what a site of 1,000 units leaves there, inputs and the answers of an older
version of routing among them, then runs today's routing as a process: killed in the middle, asked
to stop in the middle, and left to finish. 1,000,000 records, the default, take half an hour.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import psutil

from schemas.codec import OutRecord
from schemas.events import sites
from schemas.record import Record
from schemas.topics import SITES, Event
from streams import snapshots
from streams.kafka import KafkaLog
from streams.loop import Processor
from streams.routing.agent import AGENT
from tests.benchmarks.environment import Environment, environment
from tests.benchmarks.figures import Figure
from tests.benchmarks.load import T0, completion, opening, submission

RECORDS = 1_000_000
UNITS = 1_000
SITE = "long"
BAR_MB = 400
BAR_STOP_S = 2
PATIENCE_S = 3_600.0
RESULT = Path("rebuild.json")


def rebuild(env: Environment, records: int = RECORDS) -> list[Figure]:
    said, log = f"{records:,} records", KafkaLog(env.addresses.kafka, env.topics)
    _Site(env, log).fill(records)
    log.flush()
    run = _Run(env, log)
    run.start()
    killed_at = run.wait(lambda saved: saved >= records // 2)
    run.child.kill()
    run.child.wait()
    kept = run.saved()
    run.start()
    run.wait(lambda saved: saved > killed_at)
    stopped_s = run.stop()
    resumed = run.saved()
    run.start()
    started = time.monotonic()
    done = run.wait(lambda saved: saved >= log.bounds(SITES, 0)[1] - 2)
    took_s = time.monotonic() - started
    run.stop()

    def figure(name: str, value: float, unit: str, bar: float | None = None) -> Figure:
        return Figure(
            benchmark="rebuild",
            name=f"{said}, {name}",
            value=value,
            unit=unit,
            bar=bar,
            better="higher" if unit == "records/s" else "lower",
        )

    return [
        figure("most memory", run.peak_bytes / 1e6, "MB", BAR_MB),
        figure("SIGTERM in the middle until it ended", stopped_s, "s", BAR_STOP_S),
        figure("rate after the scan and with it", (done - resumed) / took_s, "records/s"),
        figure("lost by SIGKILL in the middle", killed_at - kept, "records", 0),
    ]


class _Run:
    """Today's routing as a process, and the most memory that any of its lives took."""

    def __init__(self, env: Environment, log: KafkaLog) -> None:
        self._env = env
        self._log = log
        self.peak_bytes = 0

    def start(self) -> None:
        with (self._env.directory / "rebuild.log").open("ab") as output:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "streams", "routing"],
                env={**os.environ, **self._env.variables, "HCP_METRICS_PORT": "0"},
                stdout=output,
                stderr=output,
            )

    def saved(self) -> int:
        found = snapshots.newest(self._log, self._env.codec, AGENT, 0).saved
        return -1 if found is None else found.offset

    def wait(self, until: Callable[[int], bool]) -> int:
        """Until the position that is saved is so far; that position."""
        deadline, process = time.monotonic() + PATIENCE_S, psutil.Process(self.child.pid)
        while not until(saved := self.saved()):
            if self.child.poll() is not None or time.monotonic() > deadline:
                words = (self._env.directory / "rebuild.log").read_text()[-2000:]
                raise TimeoutError(f"saved up to {saved}: {words}")
            self.peak_bytes = max(self.peak_bytes, process.memory_info().rss)
            time.sleep(0.2)
        return saved

    def stop(self) -> float:
        """Seconds from SIGTERM to the end."""
        started = time.monotonic()
        self.child.terminate()
        self.child.wait(60)
        return time.monotonic() - started


class _Site:
    """Offsets are known beforehand: nobody else writes to the log."""

    def __init__(self, env: Environment, log: KafkaLog) -> None:
        self._env = env
        self._log = log
        older = replace(AGENT, version=f"{AGENT.version}-older")
        self._processor = Processor(older, 0, 1, env.codec)
        self._running: deque[tuple[str, str]] = deque()
        self._end = 0

    def fill(self, records: int) -> None:
        events = self._events()
        while self._end < records:
            out = self._env.record(next(events))
            headers = tuple((name, v) for name, v in out.headers if isinstance(v, bytes))
            record = Record(SITES.name, 0, self._end, T0, out.key, out.value, headers)
            self._publish(out)
            for answer in self._processor.handle(record):
                self._publish(answer)

    def _publish(self, out: OutRecord) -> None:
        self._log.publish(out)
        self._end += out.topic is SITES
        if ("ce_type", sites.WorkloadPlaced.FULL_NAME.encode()) in out.headers:
            event = self._env.codec.decode(out.value)
            assert isinstance(event, sites.WorkloadPlaced)
            self._running.append((event.workload_id, event.placement_id))

    def _events(self) -> Iterator[Event]:
        pick, now, serial = random.Random(19), T0, 0
        yield from opening(SITE, UNITS)
        while True:
            serial += 1
            yield submission(SITE, serial, now, pick)
            if serial % 50 == 0:
                now += 60_000
                yield sites.TimePassed(site_id=SITE, at=now)
            if len(self._running) > UNITS // 8:
                yield completion(SITE, *self._running.popleft(), now)


def main(arguments: list[str]) -> int:
    records = int(arguments[0]) if arguments else RECORDS
    with environment() as env:
        figures = rebuild(env, records)
    RESULT.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
    for figure in figures:
        bar = "" if figure.bar is None else f" (bar {figure.bar:,.0f})"
        sys.stdout.write(f"{figure.name}: {figure.value:,.1f} {figure.unit}{bar}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
