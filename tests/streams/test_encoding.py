"""Whatever was encoded ahead: the bytes are those of the whole state at that moment."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from schemas.topics import SITES
from streams import encoding
from streams.encoding import Encodings
from streams.loop import Processor
from streams.routing.agent import AGENT as ROUTING
from streams.routing.state import State
from tests.streams.ledger import LEDGER
from tests.streams.reports import random_events
from tests.streams.routing.arrivals import SITE
from tests.streams.routing.test_properties import history
from tests.streams.substrates import CODEC, MemorySubstrate, everything, put


def at_once(processor: Processor[Any]) -> dict[str, bytes]:
    return {key: msgspec.msgpack.encode(state) for key, state in sorted(processor.states.items())}


def joined(encodings: Encodings, processor: Processor[Any]) -> dict[str, bytes]:
    return {key: b"".join(pieces) for key, pieces in encodings.take(processor).items()}


def sites(seed: int) -> Iterator[Processor[State]]:
    """A processor of routing after each event of a random history."""
    processor: Processor[State] = Processor(ROUTING, 0, 1, CODEC)
    for state, _, _ in history(seed, 1_500):
        processor.states[SITE] = state
        processor.changed[SITE] = None
        yield processor


@pytest.mark.parametrize("seed", range(6))
def test_of_a_large_state_only_what_changed_is_encoded_and_the_bytes_are_the_same(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pick = random.Random(seed)
    encodings, taken = Encodings(ROUTING), 0
    for processor in sites(seed):
        monkeypatch.setattr(encoding, "SLICE_BYTES", pick.choice((1, 2_000, 100_000)))
        monkeypatch.setattr(encoding, "MOST_GONE", pick.choice((0, 1_000)))
        if pick.random() < 0.3:
            encodings.freshen(processor)
        if pick.random() < 0.1:
            assert joined(encodings, processor) == at_once(processor)
            taken += 1
    assert taken > 50


def test_a_large_state_that_is_encoded_ahead_leaves_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    *_, processor = sites(1)
    monkeypatch.setattr(encoding, "SLICE_BYTES", 2_000)
    encodings = Encodings(ROUTING)
    while encodings.freshen(processor):
        pass
    encoded: list[object] = []
    whole = encoding._encode

    def noted(value: object) -> bytes:
        encoded.append(value)
        return whole(value)

    monkeypatch.setattr(encoding, "_encode", noted)
    assert joined(encodings, processor) == at_once(processor)
    state = processor.states[SITE]
    entities = [*state.units.values(), *state.workloads.values()]
    assert len(entities) > 50
    assert not [entity for entity in entities if any(entity is value for value in encoded)]


def test_bytes_of_entities_that_are_no_more_are_kept_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(encoding, "MOST_GONE", 5)
    encodings, seen = Encodings(ROUTING), dict[int, object]()
    for processor in sites(2):
        encodings.take(processor)
        state = processor.states[SITE]
        present = [*state.units.values(), *state.workloads.values()]
        seen |= {id(entity): entity for entity in present}
        assert len(encodings._entities[SITE]._kept) <= len(present) + 5
    assert len(seen) > len(present) + 50


@pytest.mark.parametrize("seed", range(4))
def test_keys_that_did_not_change_keep_their_bytes(seed: int) -> None:
    pick, substrate = random.Random(seed), MemorySubstrate()
    put(substrate, *random_events(seed, 300, sites=9))
    processor, encodings = Processor(LEDGER, 0, 1, CODEC), Encodings(LEDGER)
    for record in everything(substrate.open(), SITES):
        processor.handle(record)
        if pick.random() < 0.2:
            before = dict(encodings.take(processor))
            assert not processor.changed
            assert encodings.take(processor) == before
        if pick.random() < 0.2:
            assert joined(encodings, processor) == at_once(processor)
            encodings.freshen(processor)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 65_535, 65_536])
def test_a_map_has_the_head_that_msgspec_gives_it(count: int) -> None:
    whole = msgspec.msgpack.encode(dict.fromkeys(range(count)))
    assert whole.startswith(encoding._map_header(count))
