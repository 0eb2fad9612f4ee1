"""Refused records, as operators look at them."""

from __future__ import annotations

import base64

from gateway.health import letters_said
from gateway.routes.dead_letters import TEXT_CHARS, Bytes, DeadLetterShown, printable
from tests.projections.given import MIDNIGHT

ROW = {
    "dead_letter_id": "d1",
    "topic": "hcp.sites.v1",
    "partition": 0,
    "offset": 7,
    "reader": "routing",
    "reason": "malformed_body",
    "detail": "No.",
    "refused_at": MIDNIGHT,
    "recorded_at_ms": -(2**63),
    "key": b"site-a",
    "key_bytes": 6,
    "value": b"\x00\x1b[2J\xffok",
    "value_bytes": 5_000_000,
    "headers": [
        {"name": "trace", "value_base64": "/w==", "value_bytes": 1},
        {"name": "none", "value_base64": None, "value_bytes": 0},
    ],
    "header_count": 2,
}


def test_one_is_shown_so_that_it_harms_nobody() -> None:
    shown = DeadLetterShown.of(ROW)
    assert shown.position == "hcp.sites.v1:0:7"
    assert shown.value is not None
    assert shown.value.size_bytes == 5_000_000
    assert base64.b64decode(shown.value.base64) == ROW["value"]
    assert shown.value.hex == "00 1b 5b 32 4a ff 6f 6b"
    assert shown.value.text == "\\x00\\x1b[2J\\xffok"
    assert [(header.name, header.value is None) for header in shown.headers] == [
        ("trace", False),
        ("none", True),
    ]


def test_what_is_shown_is_bounded() -> None:
    shown = Bytes.of(b"\x01" * 16_384, 16_384)
    assert len(shown.text) == TEXT_CHARS
    assert len(shown.hex) < 1_000


def test_text_is_what_can_be_printed() -> None:
    assert printable("é\u202e\ud7ff".encode()) == "é\\u202e\\ud7ff"


def test_health_says_how_many_and_why() -> None:
    assert letters_said([]) == "none in the last day"
    rows = [{"topic": "hcp.sites.v1", "count": 3, "reason": "forged"}]
    assert letters_said(rows) == "3 of hcp.sites.v1, the last forged; see /api/v1/dead-letters"
