from __future__ import annotations

from statistics import mean

from simulators.switching import MAX_ATTEMPTS, PendingSwitch, Switching

SWITCHING = Switching(seed=7, failures_per_million=4_000)
MANY = [SWITCHING.attempt(f"h100-{n:04d}", "placement", 1) for n in range(20_000)]


def test_four_phases_of_350_to_480_ms_in_all() -> None:
    assert all(350 <= switch.total_ms <= 480 for switch in MANY)
    for phase, about_ms in (
        ("save_ms", 50), ("clear_ms", 80), ("load_ms", 120), ("initialise_ms", 150),
    ):  # fmt: skip
        assert abs(mean(getattr(switch, phase) for switch in MANY) / about_ms - 1) < 0.06


def test_more_than_99_percent_succeed_and_some_fail() -> None:
    succeeded = sum(switch.succeeded for switch in MANY) / len(MANY)
    assert 0.99 < succeeded < 1


def test_a_switch_depends_on_names_only() -> None:
    assert SWITCHING.attempt("a", "p", 1) == Switching(7, 4_000).attempt("a", "p", 1)
    different = {
        SWITCHING.attempt("a", "p", 1),
        SWITCHING.attempt("a", "p", 2),
        SWITCHING.attempt("a", "q", 1),
        SWITCHING.attempt("b", "p", 1),
        Switching(8, 4_000).attempt("a", "p", 1),
    }
    assert len(different) == 5


def test_attempts_are_bounded() -> None:
    pending = PendingSwitch.first("a", "p", 1_000, SWITCHING)
    for _ in range(MAX_ATTEMPTS):
        assert not pending.exhausted
        pending = pending.next("a", pending.ends_at, SWITCHING)
    assert pending.exhausted
