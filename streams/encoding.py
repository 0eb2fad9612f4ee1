"""Every key's state as bytes, encoded again only where it changed.

What a checkpoint encodes it encodes while no decision can be made, so it must be little: keys that
did not change keep their bytes, and of an agent that names `large` fields the entities in them that
did not change. The bytes are those of the whole state encoded at once; what was encoded ahead of a
checkpoint and changed since is encoded again by it. Costs a second copy of the state, as bytes.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from streams.definition import Agent
from streams.loop import Processor

# What is encoded in one go ahead of a checkpoint: some 3 ms.
SLICE_BYTES = 256 * 1024

MOST_GONE = 1_000  # entities that are no more, and whose bytes are kept until a capture clears up

_encode = msgspec.msgpack.Encoder().encode


class Encodings:
    """Of one processor's states."""

    def __init__(self, agent: Agent[Any, Any]) -> None:
        self._agent = agent
        self._names = tuple(field.name for field in _fields_of(agent.state_type) if agent.large)
        self._pieces: dict[str, tuple[bytes, ...]] = {}
        self._entities: dict[str, _Entities] = {}

    def freshen(self, processor: Processor[Any]) -> bool:
        """Encode a slice of what changed; True when there was more than a slice."""
        left = SLICE_BYTES
        for key in list(processor.changed):
            state = processor.states.get(key)
            if state is None:
                continue
            if self._names:
                left -= self._entities_of(key, state).freshen(left)
            else:
                left -= len(self._encode_whole(processor, key, state))
            if left <= 0:
                return True
        return False

    def take(self, processor: Processor[Any]) -> dict[str, tuple[bytes, ...]]:
        """The present states, sorted by key, in pieces that are to be joined."""
        for key in list(processor.changed):
            state = processor.states.get(key)
            if state is None:
                self._pieces.pop(key, None)
                self._entities.pop(key, None)
            elif self._names:
                self._pieces[key] = tuple(self._entities_of(key, state).take(self._names))
            else:
                self._encode_whole(processor, key, state)
        processor.changed.clear()
        return {key: self._pieces[key] for key in sorted(self._pieces)}

    def _encode_whole(self, processor: Processor[Any], key: str, state: object) -> bytes:
        encoded = _encode(state)
        self._pieces[key] = (encoded,)
        del processor.changed[key]
        return encoded

    def _entities_of(self, key: str, state: object) -> _Entities:
        entities = self._entities.get(key)
        if entities is None or entities.state is not state:
            entities = self._entities[key] = _Entities(self._agent, state)
        return entities


class _Kept(NamedTuple):
    """entity: held, so that its id is nobody else's."""

    entity: object
    key: object
    encoded: bytes


# What is done to each of ten thousand entities while no decision can be made is done by these, by
# `map` and by `all`: a loop in Python takes longer.
_KEY, _ENCODED = itemgetter(1), itemgetter(2)


class _Entities:
    """The entities in the large fields of one state, each with its bytes."""

    def __init__(self, agent: Agent[Any, Any], state: Any) -> None:  # noqa: ANN401
        self.state = state
        self._large = frozenset(agent.large)
        self._kept: dict[int, _Kept] = {}
        self._touched: dict[int, object] = {}
        agent.watch(state, self._touched)

    def freshen(self, most_bytes: int) -> int:
        """Encode what is stale, until so many bytes were; how many were."""
        self._forget_touched()
        done = 0
        for name in sorted(self._large):
            for key, entity in getattr(self.state, name).items():
                if id(entity) not in self._kept:
                    done += len(self._keep(key, entity).encoded)
                    if done >= most_bytes:
                        return done
        return done

    def take(self, names: tuple[str, ...]) -> list[bytes]:
        self._forget_touched()
        present = 0
        pieces = [_map_header(len(names))]
        for name in names:
            value = getattr(self.state, name)
            pieces.append(_encode(name))
            if name not in self._large:
                pieces.append(_encode(value))
                continue
            pieces.append(_map_header(len(value)))
            pieces.extend(map(_ENCODED, self._whole(value)))
            present += len(value)
        if len(self._kept) > present + MOST_GONE:
            self._forget_gone()
        return pieces

    def _whole(self, entities: dict[Any, Any]) -> list[_Kept]:
        """All of them, in their order."""
        kept: list[Any] = list(map(self._kept.get, map(id, entities.values())))
        if not all(kept) or list(map(_KEY, kept)) != list(entities):
            for place, (key, entity) in enumerate(entities.items()):
                if kept[place] is None or kept[place].key != key:
                    kept[place] = self._keep(key, entity)
        return kept

    def _forget_gone(self) -> None:
        states = [getattr(self.state, name) for name in self._large]
        present = {id(entity) for entities in states for entity in entities.values()}
        self._kept = {one: kept for one, kept in self._kept.items() if one in present}

    def _forget_touched(self) -> None:
        for identity in self._touched:
            self._kept.pop(identity, None)
        self._touched.clear()

    def _keep(self, key: object, entity: object) -> _Kept:
        kept = self._kept[id(entity)] = _Kept(entity, key, _encode(key) + _encode(entity))
        return kept


def _fields_of(state_type: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a dataclass of any kind
    return tuple(getattr(msgspec.inspect.type_info(state_type), "fields", ()))


def _map_header(count: int) -> bytes:
    """MessagePack's head of a map."""
    if count < 1 << 4:
        return bytes([0x80 | count])
    if count < 1 << 16:
        return b"\xde" + count.to_bytes(2, "big")
    return b"\xdf" + count.to_bytes(4, "big")
