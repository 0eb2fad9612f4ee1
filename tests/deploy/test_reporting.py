"""What a person reads: the report as tables of 80 columns, a refusal as a sentence."""

from __future__ import annotations

import io
from collections.abc import Mapping
from decimal import Decimal

import httpx
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console

from deploy.cli import out
from deploy.gateway import Money, Profit, Report, problem
from deploy.local.state import ProcessRecord, StackState
from deploy.reporting import cents, print_report, print_status, without_password
from deploy.scene import Play, Scene
from deploy.up import resumed_sentence


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


PROFIT = {
    "ai_revenue": usd("12345.678901"),
    "mining_revenue": usd("1234.5"),
    "power_cost": usd("-99.1"),
    "profit": usd("13679.278901"),
}
HOURS = {
    "site_id": "west",
    "from": "2024-05-08T00:00:00Z",
    "to": "2024-05-08T12:00:00Z",
    "compared_to": "2024-05-08T12:00:00Z",
}
ANSWER = {
    "from": "2024-05-08T00:00:00Z",
    "to": "2024-05-08T12:00:00Z",
    "workloads": {"submitted": 412, "placed": 400, "queued": 7, "completed": 398},
    "hours": [HOURS],
    "energy": [
        {
            "site_id": "west",
            "feeder_id": "f1",
            "energy_mwh": "12.3456",
            "ai_energy_mwh": "2.3456",
            "mining_energy_mwh": "10",
        }
    ],
    "unbilled_ai_energy_mwh": "0.5",
    "refused_usage": [{"site_id": "west", "reason": "unpriced_model", "count": 4}],
    "billing_differences": [
        {
            "site_id": "west",
            "reason": "late_price",
            "count": 1,
            "energy_mwh": "0.00072",
            "difference": usd("0.6336"),
        },
        {
            "site_id": "west",
            "reason": "late",
            "count": 2,
            "energy_mwh": "0.00006",
            "difference": usd("0"),
        },
    ],
    "profit": PROFIT,
    "policies": [
        {"policy": name, **PROFIT}
        for name in ("hcp", "always_mine", "ai_first", "strike_2_up_4_down")
    ],
    "invoices": {"drafted": 3, "finalized": 31, "total": usd("1234.5")},
    "clock": [{"site_id": "west", "now": "2024-05-08T12:03:00Z"}],
}


def shown(answer: Mapping[str, object]) -> str:
    console = Console(width=80, file=io.StringIO())
    print_report(console, msgspec.convert(answer, Report))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_report_fits_a_terminal_and_leaves_nothing_out() -> None:
    text = shown(ANSWER)
    assert max(map(len, text.splitlines())) <= 80
    assert "from 2024-05-08 00:00Z to 2024-05-08 12:00Z" in text
    for figure in ("412", "400", "398", "12.346", "2.346", "10.000", "0.500", "31"):
        assert figure in text, figure
    for amount in ("12,345.68", "1,234.50", "-99.10", "13,679.28"):
        assert amount in text, amount
    assert "unpriced_model): 4" in text
    assert "0.000720 MWh, 0.63 dollars more" in " ".join(text.split())
    assert "0.000060 MWh, on no bill" in " ".join(text.split())
    assert "simulated" not in text
    for policy in ("HCP", "always mine", "AI first", "strike rule 2-up/4-down"):
        assert policy in text, policy


def test_before_the_first_hour_the_report_says_so() -> None:
    nothing: dict[str, object] = {"from": None, "to": None, "hours": [], "energy": []}
    assert "no hour is settled yet" in shown({**ANSWER, **nothing})


@pytest.mark.parametrize(
    ("compared_to", "said"),
    [
        (None, "west is not compared yet"),
        ("2024-05-08T06:00:00Z", "west is compared up to 2024-05-08 06:00Z so far"),
    ],
)
def test_the_report_says_which_hours_are_compared(compared_to: str | None, said: str) -> None:
    hours = [{**HOURS, "compared_to": compared_to}]
    assert said in shown({**ANSWER, "hours": hours})


@given(amounts=st.tuples(*[st.integers(-(10**12), 10**12)] * 3))
@example(amounts=(4_000, 4_000, -4_000))
@example(amounts=(5_000, 5_000, 5_000))
def test_the_table_adds_up_to_the_cent(amounts: tuple[int, int, int]) -> None:
    """As the gateway's amounts do to the micro-dollar."""
    ai, mining, power = (Decimal(amount).scaleb(-6) for amount in amounts)
    exact = ai, mining, power, ai + mining - power
    money = (Money(amount=f"{amount:f}", currency="USD") for amount in exact)
    shown = [Decimal(cell.replace(",", "")) for cell in cents(Profit(*money))]
    assert shown[0] + shown[1] - shown[2] == shown[3]
    assert all(abs(was - cell) <= Decimal("0.01") for was, cell in zip(exact, shown, strict=True))
    assert abs(exact[3] - shown[3]) <= Decimal("0.005")


def test_a_refusal_names_every_option() -> None:
    faults = [
        {"detail": "must be at least 1", "pointer": "#/gpu_count"},
        {"detail": "is no price", "pointer": "#/max_price_usd_per_gpu_hour"},
    ]
    detail = "2 things are wrong with this request; see errors."
    body = {"title": "Unprocessable", "status": 422, "detail": detail, "errors": faults}
    said = problem(httpx.Response(422, json=body))
    assert said == (
        "The gateway refuses this:\n  --gpu-count: must be at least 1\n  --max-price: is no price"
    )
    one = problem(httpx.Response(422, json={**body, "errors": faults[:1]}))
    assert one == "--gpu-count: must be at least 1"


def test_a_resumed_run_does_not_claim_that_it_has_not_begun() -> None:
    play = Play(scenario="seed", event_time=None, ends_at=None, speed=60, finished=False)
    assert "event time: resuming" in Scene(play, None, None, resumed=True).line()
    assert "event time: not begun" in Scene(play, None, None).line()


def test_what_never_got_anywhere_is_not_resumed() -> None:
    nothing = {"workloads": {}, "clock": [{"site_id": "west", "now": None}]}
    assert resumed_sentence(msgspec.convert({**ANSWER, **nothing}, Report)) is None
    said = resumed_sentence(msgspec.convert(ANSWER, Report))
    assert said == "resumed: data of 2024-05-08 12:03Z, 412 workloads, 31 invoices"


def test_an_answer_that_is_no_problem_document_is_still_a_sentence() -> None:
    said = problem(httpx.Response(502, text="<html>bad gateway</html>"))
    assert said == "What answers there is no gateway of HCP: it said 502 Bad Gateway."


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://hcp:secret@127.0.0.1:1/none", "postgresql://hcp:***@127.0.0.1:1/none"),
        ("postgresql://127.0.0.1/none", "postgresql://127.0.0.1/none"),
        ("host=db user=hcp password=secret", "host=db user=hcp password=***"),
        ("host=db user=hcp password='sec ret'", "host=db user=hcp password=***"),
        ("postgresql://db/hcp?user=u&password=secret", "user=u password=*** dbname=hcp host=db"),
        ("postgresql://u:secret@db/hcp?sslpassword=secret", "sslpassword=***"),
        ("https://u:secret@registry.example/v7", "https://u:***@registry.example/v7"),
        ("127.0.0.1:9092", "127.0.0.1:9092"),
        ("http://[::1", "http://[::1"),
    ],
)
def test_no_password_is_shown_in_whatever_form(address: str, shown: str) -> None:
    hidden = without_password(address)
    assert "sec" not in hidden
    assert set(shown.split()) <= set(hidden.split())


def test_what_processes_say_is_shown_with_its_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    words = "exit code 1: [/tmp/x] [thrd:main]"
    process = ProcessRecord(
        name="kafka[1]",
        pid=None,
        started_at=None,
        state="waiting",
        restarts=1,
        last_exit=words,
        retry_in_s=1.0,
        stop_signal=15,
        log="kafka.log",
    )
    state = StackState(
        phase="failed",
        supervisor_pid=1,
        supervisor_started_at=0.0,
        scenario="seed",
        speed=1.0,
        data_dir="/data[/x]",
        processes=[process],
        endpoints=[],
        error=words,
    )
    print_status(out, state)
    shown = capsys.readouterr().out
    assert shown.startswith(f"failed: {words} (scenario seed, data in /data[/x])\n")
    assert f"kafka[1]: {words}" in shown
