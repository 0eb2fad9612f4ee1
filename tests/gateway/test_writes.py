"""Writes: what is on the log afterwards, and that the writer reads it."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2 as httpx
import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from starlette.testclient import TestClient
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from gateway.app import create_app
from schemas.envelope import Envelope, produced
from schemas.events import accounts, intake, sites
from schemas.isolation import READ_COMMITTED
from schemas.topics import ACCOUNTS, SITES, Event
from tests.gateway.conftest import HERE, Platform
from tests.projections.story import START, tell

SUBMISSION = {
    "name": "fine-tune",
    "customer_id": "acme",
    "kind": "training",
    "gpu_model": "H100",
    "gpu_count": 2,
    "duration_s": 3600,
}


@pytest.fixture(scope="module", autouse=True)
def site_beta(platform: Platform, client: httpx.Client) -> None:
    tell(platform.story, site="beta", workloads=1)
    tell(platform.story, site="beta-2", workloads=1)
    acme = accounts.CustomerEnrolled(customer_id="acme", at=START, name="Acme")
    platform.story.report(acme)
    answer = client.get("/api/v1/sites/beta?min_position=" + platform.write())
    assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def log(platform: Platform) -> Iterator[Log]:
    consumer = Consumer(
        {
            **READ_COMMITTED,
            "bootstrap.servers": platform.settings.kafka,
            "group.id": platform.topics.prefix + "look",
        }
    )
    yield Log(platform, consumer)
    consumer.close()


class Log:
    """What lies at a position."""

    def __init__(self, platform: Platform, consumer: Consumer) -> None:
        self._platform = platform
        self._consumer = consumer

    def at(self, position: str) -> tuple[Event, Envelope]:
        message = self._message(position)
        headers: Any = message.headers()
        return self._platform.codec.decode(message.value()), Envelope.from_headers(headers)

    def end(self, topic: str) -> int:
        where = TopicPartition(self._platform.topics.prefix + topic, 0)
        offsets = self._consumer.get_watermark_offsets(where, timeout=10)
        assert offsets is not None
        return offsets[1]

    def _message(self, position: str) -> Message:
        name, partition, offset = position.split(":")
        topic = self._platform.topics.prefix + name
        self._consumer.assign([TopicPartition(topic, int(partition), int(offset))])
        message = self._consumer.poll(10)
        assert message is not None
        assert message.error() is None
        return message


def post(client: httpx.Client, body: object, **headers: str) -> Any:  # noqa: ANN401 - JSON
    answer = client.post("/api/v1/workloads", json=body, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()


def test_a_submission_is_on_its_sites_log_at_the_sites_time(client: httpx.Client, log: Log) -> None:
    accepted = post(
        client,
        {
            **SUBMISSION,
            "site_id": "beta",
            "workload_id": "mine-1",
            "priority": 5,
            "deadline": "2024-09-02T00:00:00Z",
            "max_price_usd_per_gpu_hour": "3.10",
        },
    )
    event, envelope = log.at(accepted["position"])
    assert event == sites.WorkloadSubmitted(
        site_id="beta",
        at=1_725_148_800_000,  # the clock of beta, not of this machine
        workload_id="mine-1",
        customer_id="acme",
        name="fine-tune",
        kind="training",
        gpu_model="H100",
        gpu_count=2,
        duration_s=3600,
        priority=5,
        deadline=1_725_235_200_000,
        max_price_usd_per_gpu_hour=Decimal("3.10"),
    )
    assert envelope.source == "/hcp/gateway"
    assert envelope.subject == "mine-1"
    assert envelope.cause is None


def test_a_submission_without_a_site_is_on_the_intake(client: httpx.Client, log: Log) -> None:
    accepted = post(client, {**SUBMISSION, "gpu_count": 1, "gpu_milli": 250})
    event, _ = log.at(accepted["position"])
    assert isinstance(event, intake.WorkloadSubmitted)
    assert (event.pool, event.workload_id) == ("default", accepted["workload_id"])
    assert event.gpu_milli == 250


def test_a_writer_reads_its_own_write(client: httpx.Client) -> None:
    for _ in range(5):
        accepted = post(client, {**SUBMISSION, "site_id": "beta"})
        answer = client.get(
            f"/api/v1/workloads/{accepted['workload_id']}",
            headers={"HCP-Min-Position": accepted["position"]},
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["state"] == "queued"


def test_the_same_key_and_body_is_answered_once(client: httpx.Client, log: Log) -> None:
    first = post(client, {**SUBMISSION, "site_id": "beta"}, **{"Idempotency-Key": "k-1"})
    before = log.end("hcp.sites.v1")
    reordered = dict(reversed({**SUBMISSION, "site_id": "beta"}.items()))
    assert post(client, reordered, **{"Idempotency-Key": "k-1"}) == first
    assert log.end("hcp.sites.v1") == before


def test_the_same_key_with_another_body_is_422(client: httpx.Client) -> None:
    post(client, SUBMISSION, **{"Idempotency-Key": "k-2"})
    answer = client.post(
        "/api/v1/workloads",
        json={**SUBMISSION, "gpu_count": 3},
        headers={"Idempotency-Key": "k-2"},
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "Idempotency-Key"


def test_one_key_from_many_at_once_is_one_workload(client: httpx.Client) -> None:
    def ask(_: int) -> str:
        return str(post(client, SUBMISSION, **{"Idempotency-Key": "k-3"}))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(16)))) == 1


def test_a_taken_workload_id_is_409(client: httpx.Client) -> None:
    body = {**SUBMISSION, "site_id": "beta", "workload_id": "mine-2"}
    accepted = post(client, body)
    client.get("/api/v1/sites?min_position=" + accepted["position"])
    assert post(client, body)["workload_id"] == "mine-2"
    answer = client.post("/api/v1/workloads", json={**body, "gpu_count": 4})
    assert answer.status_code == 409
    assert "gpu_count" in answer.json()["detail"]


def test_a_taken_workload_id_is_409_before_any_read_model_knows(client: httpx.Client) -> None:
    body = {**SUBMISSION, "site_id": "beta", "workload_id": "mine-3"}
    post(client, body)
    for changed in ({"gpu_count": 4}, {"site_id": None}, {"site_id": "beta-2"}):
        answer = client.post("/api/v1/workloads", json={**body, **changed})
        assert answer.status_code == 409, answer.text
        assert answer.json()["type"] == "urn:hcp:problem:workload-id-taken"


def test_a_site_given_later_is_another_submission_whenever_it_comes(client: httpx.Client) -> None:
    body = {**SUBMISSION, "workload_id": "mine-6"}
    first = post(client, body)
    for _ in range(2):
        answer = client.post("/api/v1/workloads", json={**body, "site_id": "beta"})
        assert answer.status_code == 409, answer.text
        client.get("/api/v1/sites?min_position=" + first["position"])
    assert post(client, body) == first


def test_one_workload_id_to_two_places_at_once_is_one_workload(client: httpx.Client) -> None:
    def ask(number: int) -> tuple[int, str]:
        place = (None, "beta", "beta-2")[number % 3]
        body = {**SUBMISSION, "site_id": place, "workload_id": "mine-4"}
        answer = client.post("/api/v1/workloads", json=body)
        return answer.status_code, answer.json().get("position", "refused")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(12)))
    assert sorted(status for status, _ in answers) == [202] * 4 + [409] * 8
    assert len({position for status, position in answers if status == 202}) == 1


@pytest.mark.parametrize("keys", [{}, {"Idempotency-Key": "k-4"}])
def test_a_repeated_submission_is_the_same_to_the_microsecond(
    client: httpx.Client, log: Log, keys: dict[str, str]
) -> None:
    body = {
        **SUBMISSION,
        "site_id": "beta",
        "workload_id": f"mine-5-{len(keys)}",
        "deadline": "2024-09-02T00:00:00.123456Z",
        "max_price_usd_per_gpu_hour": "3.10",
    }
    first = post(client, body, **keys)
    client.get("/api/v1/sites?min_position=" + first["position"])
    before = log.end("hcp.sites.v1")
    assert post(client, body, **keys) == first
    same = {**body, "deadline": "2024-09-02T00:00:00.123Z", "max_price_usd_per_gpu_hour": "3.1"}
    assert post(client, same) == first
    assert log.end("hcp.sites.v1") == before


def test_what_others_submitted_is_answered_and_not_repeated(
    client: httpx.Client, platform: Platform
) -> None:
    """The read model knows it, and this gateway never claimed its id."""
    name = {"site_id": "beta", "workload_id": "theirs-1", "customer_id": "acme"}
    spec = {"name": "fine-tune", "kind": "training", "gpu_count": 2, "duration_s": 3600}
    event = sites.WorkloadSubmitted(at=START, deadline=START + 1, **name, **spec)  # type: ignore[arg-type]
    platform.story.report(event)
    position = platform.write()
    client.get("/api/v1/sites?min_position=" + position)
    body = {**name, **spec, "deadline": "2024-09-01T00:00:00.001999Z"}
    for place in ("beta-2", "beta"):
        answer = client.post("/api/v1/workloads", json={**body, "site_id": place})
        if place == "beta":
            assert (answer.status_code, answer.json()["position"]) == (202, position)
        else:
            assert "differs in site_id" in answer.json()["detail"]


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-12:00", "1970-01-01T00:00:00+14:00"])
def test_a_moment_that_no_log_holds_is_named(client: httpx.Client, moment: str) -> None:
    answer = client.post("/api/v1/workloads", json={**SUBMISSION, "deadline": moment})
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["#/deadline"]
    body = {"max_power_w": 1, "duration_s": 1, "starts_at": moment}
    answer = client.post("/api/v1/sites/beta/curtailments", json=body)
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["#/starts_at"]


def test_an_unknown_site_is_named(client: httpx.Client) -> None:
    answer = client.post("/api/v1/workloads", json={**SUBMISSION, "site_id": "atlantis"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"detail": "There is no site atlantis.", "pointer": "#/site_id"}
    ]


def test_cancelling(client: httpx.Client, log: Log) -> None:
    accepted = post(client, {**SUBMISSION, "site_id": "beta"})
    path = f"/api/v1/workloads/{accepted['workload_id']}"
    client.get(path + "?min_position=" + accepted["position"])
    answer = client.delete(path)
    assert answer.status_code == 202, answer.text
    event, _ = log.at(answer.json()["position"])
    assert isinstance(event, sites.WorkloadCancelled)
    assert event.workload_id == accepted["workload_id"]


def test_cancelling_what_has_ended_is_409(client: httpx.Client) -> None:
    answer = client.delete("/api/v1/workloads/beta-w00000")
    assert answer.status_code == 409
    assert "completed" in answer.json()["detail"]


def test_a_curtailment_is_requested_listed_and_lifted(client: httpx.Client, log: Log) -> None:
    body = {"max_power_w": 5000, "duration_s": 900, "reason": "ERS", "payment_usd_per_mwh": "250"}
    answer = client.post("/api/v1/sites/beta/curtailments", json=body)
    assert answer.status_code == 202, answer.text
    accepted = answer.json()
    event, _ = log.at(accepted["position"])
    assert isinstance(event, sites.CurtailmentRequested)
    assert (event.starts_at, event.payment_usd_per_mwh) == (event.at, Decimal(250))
    listed = client.get(
        "/api/v1/sites/beta/curtailments", params={"min_position": accepted["position"]}
    ).json()["items"]
    assert [item["curtailment_id"] for item in listed] == [accepted["curtailment_id"]]
    lifted = client.delete(f"/api/v1/curtailments/{accepted['curtailment_id']}")
    assert lifted.status_code == 202, lifted.text
    event, _ = log.at(lifted.json()["position"])
    assert isinstance(event, sites.CurtailmentLifted)
    attempts = Retrying(
        retry=retry_if_result(lambda found: found.status_code == 202),
        stop=stop_after_delay(20),
        wait=wait_fixed(0.2),
    )
    again = attempts(client.delete, f"/api/v1/curtailments/{accepted['curtailment_id']}")
    assert again.status_code == 409


def test_a_wait_for_a_site_is_waived(client: httpx.Client, log: Log) -> None:
    body = {"customer_id": "acme", "until": "2024-09-01T00:00:00Z", "reason": "burned down"}
    headers = {"Idempotency-Key": "waive-once"}
    accepted = client.post("/api/v1/sites/beta/waivers", json=body, headers=headers)
    assert accepted.status_code == 202, accepted.text
    event, _ = log.at(accepted.json()["position"])
    assert isinstance(event, accounts.CollectionWaived)
    assert (event.customer_id, event.site_id, event.waived_until, event.reason) == (
        *("acme", "beta", 1_725_148_800_000, "burned down"),
    )
    assert event.at >= event.waived_until
    again = client.post("/api/v1/sites/beta/waivers", json=body, headers=headers)
    assert again.json() == accepted.json()


@pytest.mark.parametrize(
    ("site", "customer", "until", "status"),
    [
        ("beta", "acme", "2099-01-01T00:00:00Z", 422),
        # The site's clock is of September 2024, whatever the wall clock says
        ("beta", "acme", "2025-09-01T00:00:00Z", 422),
        ("atlantis", "acme", "2024-09-01T00:00:00Z", 404),
        ("beta", "nobody", "2024-09-01T00:00:00Z", 404),
    ],
)
def test_a_waiver_of_what_is_to_come_of_nowhere_or_nobody_is_refused(
    client: httpx.Client, site: str, customer: str, until: str, status: int
) -> None:
    body = {"customer_id": customer, "until": until}
    assert client.post(f"/api/v1/sites/{site}/waivers", json=body).status_code == status


def test_what_became_of_a_waiver_is_listed(
    platform: Platform, client: httpx.Client, log: Log
) -> None:
    body = {"customer_id": "acme", "until": "2024-09-01T00:00:00Z", "reason": "it burned down"}
    waiver = "/api/v1/sites/beta-2/waivers"
    accepted, refused = (client.post(waiver, json=body).json()["position"] for _ in range(2))
    refusal = accounts.InputRejected(
        customer_id="acme",
        at=START,
        rejected_type=accounts.CollectionWaived.FULL_NAME,
        subject="beta-2",
        reason="nothing_waits",
        detail="No open period waits.",
    )
    _, partition, offset = refused.split(":")
    asked = platform.story.heard(ACCOUNTS, int(partition), int(offset), log.at(refused)[1])
    platform.story.answer("invoicing", asked, refusal)
    items = client.get(waiver, params={"min_position": platform.write()}).json()["items"]
    by_position = {item["position"]: item for item in items}
    kept, lost = by_position[accepted], by_position[refused]
    assert (kept["state"], kept["reason"], kept["refused_reason"]) == (
        *("accepted", "it burned down", None),
    )
    assert (lost["state"], lost["refused_reason"], lost["refused_detail"]) == (
        *("refused", "nothing_waits", "No open period waits."),
    )
    path = "/api/v1/sites/beta-2/waivers?limit=1"
    found: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(path + (f"&cursor={cursor}" if cursor else "")).json()
        found += page["items"]
        cursor = page["next_cursor"]
    assert found == items
    assert client.get("/api/v1/sites/atlantis/waivers").status_code == 404


def test_a_sites_clock_is_set(client: httpx.Client, log: Log) -> None:
    before = client.get("/api/v1/sites/beta-2").json()["now"]
    moved = datetime.fromisoformat(before) - timedelta(minutes=7)
    body = {"now": moved.isoformat(), "corrected_by": "olga", "reason": "a bad feed"}
    headers = {"Idempotency-Key": "set-once"}
    accepted = client.post("/api/v1/sites/beta-2/clock", json=body, headers=headers)
    assert accepted.status_code == 202, accepted.text
    position = accepted.json()["position"]
    event, _ = log.at(position)
    assert isinstance(event, sites.ClockCorrected)
    assert (event.now, event.corrected_by, event.reason) == (
        *(int(moved.timestamp() * 1000), "olga", "a bad feed"),
    )
    again = client.post("/api/v1/sites/beta-2/clock", json=body, headers=headers)
    assert again.json() == accepted.json()
    seen = client.get("/api/v1/sites/beta-2", params={"min_position": position}).json()
    assert datetime.fromisoformat(seen["now"]) == moved


def test_the_clock_of_nowhere_is_404(client: httpx.Client) -> None:
    body = {"now": "2024-09-01T00:00:00Z"}
    assert client.post("/api/v1/sites/atlantis/clock", json=body).status_code == 404


def test_a_curtailment_id_belongs_to_one_request_on_each_site(client: httpx.Client) -> None:
    body = {"max_power_w": 5000, "duration_s": 900, "curtailment_id": "dispatch-1"}

    def ask(site: str, **changed: object) -> httpx.Response:
        return client.post(f"/api/v1/sites/{site}/curtailments", json={**body, **changed})

    first = ask("beta")
    assert first.status_code == 202, first.text
    assert ask("beta").json() == first.json()
    seen = client.get("/api/v1/sites?min_position=" + first.json()["position"])
    assert seen.status_code == 200, seen.text
    assert ask("beta").json() == first.json()
    taken = ask("beta", max_power_w=4000)
    assert (taken.status_code, taken.json()["type"]) == (
        409,
        "urn:hcp:problem:curtailment-id-taken",
    )
    other = ask("beta-2", max_power_w=4000)
    assert other.status_code == 202, other.text
    path = "/api/v1/curtailments/dispatch-1"
    client.get("/api/v1/sites?min_position=" + other.json()["position"])
    assert client.delete(path).json()["errors"][0]["parameter"] == "site_id"
    for site in ("beta", "beta-2"):
        lifted = client.delete(path, params={"site_id": site})
        assert lifted.status_code == 202, lifted.text
    assert client.delete(path, params={"site_id": "gamma-9"}).status_code == 404


def test_a_refused_curtailment_can_be_asked_for_again(
    client: httpx.Client, platform: Platform
) -> None:
    body = {"max_power_w": 5000, "duration_s": 900, "curtailment_id": "dispatch-2"}

    def ask() -> str:
        answer = client.post("/api/v1/sites/beta/curtailments", json=body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["position"])

    first = ask()
    assert ask() == first
    _, partition, offset = first.split(":")
    refused = sites.InputRejected(
        site_id="beta",
        at=START,
        rejected_type=sites.CurtailmentRequested.FULL_NAME,
        subject="dispatch-2",
        reason="too_many_curtailments",
        detail="100 curtailments are open.",
    )
    envelope = produced(refused, source="/test", id="refused-dispatch-2")
    asked = platform.story.heard(SITES, int(partition), int(offset), envelope)
    platform.story.answer("routing", asked, refused)
    seen = client.get("/api/v1/sites?min_position=" + platform.write())
    assert seen.status_code == 200, seen.text
    again = ask()
    assert int(again.split(":")[2]) > int(offset)
    assert ask() == again


def test_a_rejected_workload_can_be_asked_for_again(
    client: httpx.Client, platform: Platform
) -> None:
    """Rejected because the site has no such model, which it may have by now."""
    body = {**SUBMISSION, "site_id": "beta", "workload_id": "rejected-1"}
    first = post(client, body)
    assert post(client, body) == first
    _, partition, offset = first["position"].split(":")
    rejected = sites.WorkloadRejected(
        site_id="beta",
        at=START,
        workload_id="rejected-1",
        customer_id="acme",
        reason="no_such_model",
        detail="Site beta sells no H100.",
    )
    envelope = produced(rejected, source="/test", id="rejected-rejected-1")
    asked = platform.story.heard(SITES, int(partition), int(offset), envelope)
    platform.story.answer("routing", asked, rejected)
    path = "/api/v1/workloads/rejected-1"
    seen = client.get(path + "?min_position=" + platform.write())
    assert seen.json()["state"] == "rejected", seen.text
    # Then the same submission is published again, once, and judged again
    again = post(client, body)
    assert int(again["position"].split(":")[2]) > int(offset)
    assert post(client, body) == again
    seen = client.get(path + "?min_position=" + again["position"])
    assert (seen.json()["state"], seen.json()["reason"]) == ("queued", "pending")
    answer = client.post("/api/v1/workloads", json={**body, "gpu_count": 4})
    assert answer.status_code == 409, "it stands for something again"


def test_a_dry_run_says_where_it_could_run(client: httpx.Client) -> None:
    spec = {"kind": "batch", "gpu_count": 4, "duration_s": 60, "preemptible": True}
    found = client.post("/api/v1/workloads/classify", json=spec).json()
    assert (found["workload_class"], found["feasible"]) == ("flexible", True)
    too_many = client.post("/api/v1/workloads/classify", json={**spec, "gpu_count": 5}).json()
    assert too_many["feasible"] is False
    assert "fewer than 5" in too_many["sites"][0]["reason"]


def test_a_broker_that_does_not_answer_is_503(platform: Platform) -> None:
    away = platform.settings.model_copy(
        update={"kafka": "127.0.0.1:9", "gateway_publish_timeout_s": 1.0}
    )
    app = create_app(away)
    with TestClient(app, raise_server_exceptions=False, base_url=HERE) as client:
        attempts = Retrying(
            retry=retry_if_result(bool), stop=stop_after_delay(30), wait=wait_fixed(0.05)
        )
        attempts(lambda: app.state.gateway.missing)
        answer = client.post("/api/v1/workloads", json=SUBMISSION)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "2"
        assert "Idempotency-Key" in answer.json()["detail"]
        assert client.get("/api/v1/workloads").status_code == 200
        assert client.get("/readyz").status_code == 503
        health = client.get("/api/v1/health").json()
        assert health["status"] == "down"
