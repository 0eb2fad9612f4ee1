from __future__ import annotations

import pytest

from simulators.patience import Patience


def answer(patience: Patience, at_s: float, took_s: float) -> None:
    patience.ask("price", at_s)
    patience.answered("price", at_s + took_s)


def test_with_quick_answers_it_waits_the_least() -> None:
    patience = Patience(0.25)
    answer(patience, 10.0, 0.05)
    assert patience.ask("next", 20.0) == 20.25
    assert patience.late == 0


def test_a_late_answer_makes_the_next_wait_longer_and_is_counted() -> None:
    patience = Patience(0.25)
    answer(patience, 10.0, 0.6)
    assert patience.late == 1
    assert patience.ask("next", 20.0) == pytest.approx(21.2)
    patience.answered("next", 20.6)
    assert patience.late == 1, "the same delay is waited for now"


def test_it_becomes_quick_again() -> None:
    patience = Patience(0.25)
    answer(patience, 0.0, 0.6)
    for second in range(1, 200):
        answer(patience, float(second), 0.05)
    assert patience.wait_s == 0.25


def test_the_wait_has_a_bound() -> None:
    patience = Patience(0.25)
    for second in range(5):
        answer(patience, 100.0 * second, 50.0)
    assert patience.wait_s == 2.0
    none = Patience(0.0)
    answer(none, 0.0, 1.0)
    assert none.ask("next", 5.0) == 5.0


def test_what_was_not_asked_or_long_ago_teaches_nothing() -> None:
    patience = Patience(0.25)
    patience.answered("stranger", 10.0)
    patience.ask("old", 10.0)
    patience.ask("new", 100.0)
    patience.answered("old", 100.1)
    assert (patience.wait_s, patience.late) == (0.25, 0)
