"""What `hcp explain` shows at 80 columns."""

from __future__ import annotations

import io

import msgspec
from rich.console import Console

from deploy.explanation import Explanation, print_explanation

WHY = "Fits under every limit without displacing mining. Net $4.67 an hour."


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


def alternative(
    label: str, reason: str, amount: str, *, feasible: bool = True
) -> dict[str, object]:
    value = usd(amount)
    return {"label": label, "feasible": feasible, "reason": reason, "value_per_hour": value}


PLACED = {
    "workload": {"workload_id": "w-1", "state": "running", "site_id": "seed", "units": ["h100-2"]},
    "pending_because": None,
    "queue_position": None,
    "decisions": [
        {
            "at": "2024-05-06T00:55:00Z",
            "agent": "routing",
            "kind": "placement",
            "chosen": "place on H100 at feeder-a",
            "reason": WHY,
            "power_price_usd_per_mwh": None,
            "alternatives": [
                alternative("place on H100 at feeder-a", "Fits [/] under it.", "4.672028"),
                alternative("wait in the queue", "Earns nothing until something changes.", "0"),
                alternative("place on A100 at any feeder", "None.", "1234.5", feasible=False),
            ],
        }
    ],
}
QUEUED = {
    "workload": {"workload_id": "w-2", "state": "queued", "site_id": None, "units": []},
    "pending_because": "No site has been chosen for it yet.",
    "queue_position": 3,
    "decisions": [],
}

GONE: dict[str, object] = {"pending_because": None, "queue_position": None}


def shown(answer: object) -> str:
    file = io.StringIO()
    # soft_wrap as in the command line: the explanation must fold by itself
    print_explanation(
        Console(width=80, file=file, soft_wrap=True), msgspec.convert(answer, Explanation)
    )
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "None\n" not in text
    assert "{" not in text
    return text


def test_a_decision_is_a_sentence_and_a_table_of_what_else_was_possible() -> None:
    lines = [line.rstrip() for line in shown(PLACED).splitlines()]
    assert lines[0] == "w-1 is running at seed on h100-2"
    assert lines[2] == "2024-05-06 00:55Z  routing, placement: place on H100 at feeder-a"
    assert lines[3] == WHY
    assert lines[4].split() == ["alternative", "possible", "$/h", "why", "not"]
    assert lines[5].split() == [">", "place", "on", "H100", "at", "feeder-a", "yes", "4.67"]
    assert lines[6].startswith("  wait in the queue")
    assert "Earns nothing" in lines[6]
    assert "no        1,234.50  None." in lines[-1]


def test_what_waits_says_why() -> None:
    assert [line.rstrip() for line in shown(QUEUED).splitlines()] == [
        "w-2 is queued at place 3 of the queue",
        "It waits: No site has been chosen for it yet.",
    ]


def test_an_alert_that_stands_is_told() -> None:
    alerts = [{"detail": "Too long."}, {"detail": "Over.", "cleared_at": "2024-05-06T00:00:00Z"}]
    lines = shown({**PLACED, "alerts": alerts}).splitlines()
    assert lines[1].rstrip() == "Alert: Too long."
    assert not any("Over." in line for line in lines)


def test_many_units_and_long_reasons_fold() -> None:
    workload = {**PLACED["workload"], "units": [f"h100-{n:04}" for n in range(40)]}  # type: ignore[dict-item]
    assert "h100-0039" in shown({**PLACED, "workload": workload})


def test_what_was_rejected_says_why() -> None:
    workload = {
        "workload_id": "w-3",
        "state": "rejected",
        "reason": "no_such_model",
        "detail": "No site of the pool has a healthy H999.",
    }
    lines = shown({**QUEUED, **GONE, "workload": workload}).splitlines()
    assert [line.rstrip() for line in lines] == [
        "w-3 is rejected",
        "Why: No site of the pool has a healthy H999.",
    ]
