"""What waits for a site: who goes when a site tells what it has.

Most urgent first, then in the order of arrival. A site's summary starts a pass over all that wait.
Bound of one pass: `MAX_MOVED` submissions that go, end, or wait for something else from now on; the
rest have their turn with the next summary, which comes, because what went changed that site's
offer. Until then a later submission of their shape waits behind them.
"""

from __future__ import annotations

import copy

from schemas.events.intake import SiteSummarized
from streams.brokering.answers import Answer, forwarded, queued, rejected, to_site
from streams.brokering.evolution import summarize
from streams.brokering.selection import Choice, Shape, Wait, choose, shape_of, take
from streams.brokering.state import State
from streams.refusal import Refusal
from streams.site_inputs import possible_time

MAX_MOVED = 500
BEHIND_OTHERS = Wait("behind_others", "Others that wait for the same go first.")


def answer_waiting(state: State, event: SiteSummarized) -> list[Answer]:
    """Who goes, ends or waits for something else, now that a site has told what it has."""
    if not state.waiting:
        return []
    after = State(state.pool, copy.deepcopy(state.sites), state.now)
    summarize(after, event)
    now = possible_time(event.at)
    stuck: dict[Shape, Wait | Refusal] = {}
    answers: list[Answer] = []
    moved = 0
    for waiting in sorted(state.waiting.values(), key=lambda waiting: waiting.queue_key):
        asked, shape = waiting.asked, shape_of(waiting.asked)
        found = stuck.get(shape) or choose(state.pool, after.sites, shape)
        if isinstance(found, Choice):
            take(after.sites, found, shape.gpu_count)
            answers += [to_site(after, asked, found.site_id), forwarded(after, asked, found, now)]
        else:
            stuck[shape] = found  # what goes leaves the sites with less, never with more
            if isinstance(found, Refusal):
                answers.append(rejected(after, asked, found, now))
            elif found.reason != waiting.reason:
                answers.append(queued(after, asked, waiting.rank, found, now))
            else:
                continue
        moved += 1
        if moved == MAX_MOVED:
            break
    return answers


def is_waited_for(state: State, shape: Shape) -> bool:
    """Whether others of this shape wait already."""
    return any(shape_of(waiting.asked) == shape for waiting in state.waiting.values())
