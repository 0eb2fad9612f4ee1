from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from schemas import generate
from schemas.codec import RELEASED_DIR, Codec, LocalIds, schema_of_event
from schemas.compatibility import faults_between
from schemas.errors import IncompatibleSchema
from schemas.events import sites
from schemas.releases import SAMPLES_DIR, check, release, shown
from schemas.topics import EVENT_TYPES
from schemas.written import AvroType

SAMPLES = sorted(SAMPLES_DIR.glob("*/*/*.bin"))
CODEC = Codec(LocalIds())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: "/".join(path.parts[-3:]))
def test_every_version_ever_released_is_still_read(path: Path) -> None:
    said = json.loads(path.with_suffix(".json").read_text())
    read = shown(CODEC.decode(path.read_bytes()).to_record())
    assert known_then(read, said) == said_now(said, read)


def test_the_working_tree_passes_its_own_check() -> None:
    assert check() == []


def test_generated_modules_are_fresh() -> None:
    assert generate.stale() == []


def test_a_first_release_keeps_every_schema_and_sample_and_then_nothing_more(
    tmp_path: Path,
) -> None:
    released, samples = tmp_path / "released", tmp_path / "samples"
    assert len(release(released, samples)) == len(EVENT_TYPES)
    assert release(released, samples) == []
    assert check(released, samples) == []


def test_a_lost_sample_and_an_unreleased_change_are_reported(tmp_path: Path) -> None:
    released, samples = tmp_path / "released", tmp_path / "samples"
    release(released, samples)
    (samples / "sites" / "TimePassed" / "1.bin").unlink()
    edit(released / "sites" / "SiteConfigured" / "1.avsc", doc="Another text.")
    assert check(released, samples) == [
        "sites/SiteConfigured differs from its last release: run `python -m schemas release`",
        "sites/TimePassed version 1 has no sample 1.bin",
    ]


def test_nothing_is_released_when_an_old_reader_could_not_follow(tmp_path: Path) -> None:
    released, samples = tmp_path / "released", tmp_path / "samples"
    release(released, samples)
    old = released / "sites" / "TimePassed" / "1.avsc"
    edit(old, fields=[*schema()["fields"], {"name": "zone", "type": "string"}])
    with pytest.raises(IncompatibleSchema, match="TimePassed and its released version 1"):
        release(released, samples)
    assert not (released / "sites" / "TimePassed" / "2.avsc").exists()


def test_an_event_may_not_vanish_after_its_release(tmp_path: Path) -> None:
    released, samples = tmp_path / "released", tmp_path / "samples"
    release(released, samples)
    (released / "sites" / "TimePassed").rename(released / "sites" / "SunRisen")
    assert "sites/SunRisen was released and has no schema any more" in check(released, samples)


def test_a_field_with_a_default_may_come_and_go() -> None:
    more = schema(fields=[*schema()["fields"], {"name": "x", "type": "int", "default": 0}])
    assert faults_between(more, schema()) == []
    assert faults_between(schema(), more) == []


@pytest.mark.parametrize("new_is_first", [True, False])
def test_a_field_without_a_default_may_not(new_is_first: bool) -> None:
    more = schema(fields=[*schema()["fields"], {"name": "x", "type": "int"}])
    faults = faults_between(more, schema()) if new_is_first else faults_between(schema(), more)
    (fault,) = faults
    assert fault.startswith("the new reader" if new_is_first else "an old reader")


def test_a_wider_number_is_refused_because_old_readers_cannot_follow() -> None:
    narrow = schema(fields=[{"name": "n", "type": "int"}])
    wide = schema(fields=[{"name": "n", "type": "long"}])
    assert any("an old reader" in fault for fault in faults_between(wide, narrow))


def test_the_same_bytes_with_another_meaning_are_refused() -> None:
    cents = {"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2}
    micros = {**cents, "scale": 6}
    one, other = (schema(fields=[{"name": "p", "type": kind}]) for kind in (cents, micros))
    assert faults_between(one, other) == [
        "hcp.sites.v1.TimePassed.p means decimal(18,2), before decimal(18,6)"
    ]


def schema(**changes: AvroType) -> dict[str, Any]:
    return {**schema_of_event(sites.TimePassed), **changes}


def edit(path: Path, **changes: AvroType) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def known_then(read: AvroType, said: AvroType) -> AvroType:
    """What is read of a sample, less fields that came since."""
    if isinstance(said, dict) and isinstance(read, dict):
        return {name: known_then(read[name], said[name]) for name in read if name in said}
    if isinstance(said, list) and isinstance(read, list):
        return [known_then(one, other) for one, other in zip(read, said, strict=True)]
    return read


def said_now(said: AvroType, read: AvroType) -> AvroType:
    """What a sample said, less fields that have gone since."""
    if isinstance(said, dict) and isinstance(read, dict):
        return {name: said_now(said[name], read[name]) for name in said if name in read}
    if isinstance(said, list) and isinstance(read, list):
        return [said_now(one, other) for one, other in zip(said, read, strict=True)]
    return said


def test_shown_says_decimals_and_bytes_as_text() -> None:
    assert shown({"p": Decimal("1.50"), "b": [b"\x0f"]}) == {"p": "1.50", "b": ["0f"]}


def test_the_released_folder_is_not_empty() -> None:
    assert any(RELEASED_DIR.glob("*/*/1.avsc"))
    assert SAMPLES
