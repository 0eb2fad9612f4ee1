"""Whether an input moves the states of those who read it: its verdict.

One agent is the *authority* of a log: routing on `hcp.sites.v1`, invoicing on `hcp.accounts.v1`,
brokering on `hcp.intake.v1`. Its answers to an input are the verdict on it, and nothing else is:
`evolve` is given what they say and judges nothing, so rules that change later change no state.
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.events import accounts, intake, sites
from schemas.topics import Event
from streams.site_names import shown


def verdict_of(event: Event, answers: Iterable[Event]) -> str | None:
    """The reason for which the authority's answers refuse the input; None when they take it.

    `InputRejected` refuses what it answers; `WorkloadRejected` does when that is the submission.
    """
    for answer in answers:
        match answer:
            case sites.InputRejected() | accounts.InputRejected() | intake.InputRejected():
                return answer.reason
            case sites.WorkloadRejected() | intake.WorkloadRejected():
                if _submits(event, answer.workload_id):
                    return answer.reason
            case _:
                pass
    return None


def _submits(event: Event, workload_id: str) -> bool:
    return isinstance(event, sites.WorkloadSubmitted | intake.WorkloadSubmitted) and (
        workload_id in (event.workload_id, shown(event.workload_id))
    )
