"""How many events a second the codec writes and reads, beside fastavro alone on the same ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from io import BytesIO
from time import process_time

from fastavro import parse_schema, schemaless_reader, schemaless_writer

from schemas.codec import Codec, LocalIds, schema_of_event, with_plain_times
from schemas.events import sites
from schemas.topics import Event
from tests.benchmarks.figures import Figure
from tests.benchmarks.load import T0

SECONDS = 1.0


def codec() -> list[Figure]:
    return [figure for event in (_placement(), _meters()) for figure in _figures(event)]


def _figures(event: Event) -> list[Figure]:
    ours, name = Codec(LocalIds()), type(event).__name__
    schema = parse_schema(with_plain_times(schema_of_event(type(event))))
    record, value = event.to_record(), ours.encode(event)
    body = value[5:]
    return [
        Figure(
            benchmark="codec",
            name=f"encode {name}, {len(value)} B",
            value=_per_s(lambda: ours.encode(event)),
            unit="events/s",
            peer="fastavro alone, from a dict",
            peer_value=_per_s(lambda: schemaless_writer(BytesIO(), schema, record)),
        ),
        Figure(
            benchmark="codec",
            name=f"decode {name}, {len(value)} B",
            value=_per_s(lambda: ours.decode(value)),
            unit="events/s",
            peer="fastavro alone, to a dict",
            peer_value=_per_s(lambda: schemaless_reader(BytesIO(body), schema, None)),
        ),
    ]


def _per_s(work: Callable[[], object], batch: int = 500) -> float:
    done, started = 0, process_time()
    while process_time() - started < SECONDS:
        for _ in range(batch):
            work()
        done += batch
    return done / (process_time() - started)


def _placement() -> Event:
    return sites.WorkloadPlaced(
        site_id="bench",
        at=T0,
        workload_id="w00000001",
        placement_id="7d2c5b7e-6f0a-5d59-8f9e-0d6f3c0a9b11",
        customer_id="c1",
        gpu_model="H100",
        gpu_milli=1000,
        units=tuple(_share(number) for number in range(8)),
        duration_s=3600,
        attempt=1,
        price_usd_per_gpu_hour=Decimal("2.35"),
        decision_id="f3e9a3a4-0a52-5a0b-9c0e-6b1a2f8f7c22",
    )


def _share(number: int) -> sites.UnitShare:
    return sites.UnitShare(unit_id=f"u{number:05}", gpu_milli=1000, power_w=700)


def _meters(units: int = 500) -> Event:
    readings: Sequence[sites.MeterReading] = [
        sites.MeterReading(unit_id=f"u{number:05}", energy_wh=875, work_th=180_000)
        for number in range(units)
    ]
    return sites.EnergyMetered(
        site_id="bench",
        at=T0,
        feeder_id="f0",
        interval_start=T0,
        interval_end=T0 + 900_000,
        readings=tuple(readings),
    )
