"""Changes that can be taken back: `decide` tries its answers on the state, then undoes them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, MutableSequence
from typing import Any

Undo = tuple[Callable[..., Any], tuple[Any, ...]]


class Journal:
    """Every change of a routing state goes through here. Outside of `decide` nothing is kept.

    touched: where to put, by id, each object of which a field is set for good; None: nowhere
    """

    __slots__ = ("_undo", "recording", "touched")

    def __init__(self) -> None:
        self.recording = False
        self.touched: dict[int, object] | None = None
        self._undo: list[Undo] = []

    def begin(self) -> None:
        assert not self.recording, "a decision is being made already"
        self.recording = True

    def rollback(self) -> None:
        """Take back every change since `begin`, the newest first."""
        for change, arguments in reversed(self._undo):
            change(*arguments)
        self._undo.clear()
        self.recording = False

    def set(self, target: object, name: str, value: object) -> None:
        if self.recording:
            self._undo.append((setattr, (target, name, getattr(target, name))))
        elif self.touched is not None:
            self.touched[id(target)] = target
        setattr(target, name, value)

    def put(self, mapping: dict[Any, Any], key: object, value: object) -> None:
        if self.recording:
            if key in mapping:
                self._undo.append((mapping.__setitem__, (key, mapping[key])))
            else:
                self._undo.append((mapping.pop, (key,)))
        mapping[key] = value

    def drop(self, mapping: dict[Any, Any], key: object) -> None:
        value = mapping.pop(key)
        if self.recording:
            self._undo.append((mapping.__setitem__, (key, value)))

    def add(self, mapping: dict[Any, int], key: object, amount: int) -> None:
        self.put(mapping, key, mapping.get(key, 0) + amount)

    def insert(self, ordered: list[Any], item: object) -> None:
        """Put an item into its place in an ordered list."""
        if self.recording:
            self._undo.append((_remove, (ordered, item)))
        insort(ordered, item)

    def remove(self, ordered: list[Any], item: object) -> None:
        """Take an item, which must be there, out of an ordered list."""
        _remove(ordered, item)
        if self.recording:
            self._undo.append((insort, (ordered, item)))

    def assign(self, items: MutableSequence[Any], position: int, value: object) -> None:
        """Overwrite a position, or append at the position just past the end."""
        if position == len(items):
            items.append(value)
            if self.recording:
                self._undo.append((items.pop, ()))
            return
        if self.recording:
            self._undo.append((items.__setitem__, (position, items[position])))
        items[position] = value


def _remove(ordered: list[Any], item: Any) -> None:  # noqa: ANN401 - any orderable
    position = bisect_left(ordered, item)
    assert ordered[position : position + 1] == [item], f"{item!r} is not in its index"
    del ordered[position]
