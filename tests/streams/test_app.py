"""What an agent's log says of its libraries."""

from __future__ import annotations

import logging

from streams.app import OneLine


def said(name: str, text: str, at: float) -> logging.LogRecord:
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, text, ("127.0.0.1",), None)
    record.created = at
    record.exc_text = "Traceback"
    return record


def test_a_library_says_the_same_once_in_a_while_and_without_a_trace() -> None:
    calm = OneLine()
    lines = [said("aiokafka.conn", "Unable to connect to %s", at / 20) for at in range(200)]
    heard = [line for line in lines if calm.filter(line)]
    assert [line.created for line in heard] == [0.0, 5.0]
    assert all(line.exc_text is None for line in heard)
    assert calm.filter(said("aiokafka.conn", "Closed by %s", 9.95))


def test_our_own_words_are_all_kept() -> None:
    calm = OneLine()
    lines = [said("streams", "waiting for %s", at / 20) for at in range(50)]
    assert all(calm.filter(line) for line in lines)
    assert all(line.exc_text == "Traceback" for line in lines)
