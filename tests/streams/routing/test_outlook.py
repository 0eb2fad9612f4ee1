"""An outlook must not give up what a search would place, and must know what power can carry."""

from __future__ import annotations

import pytest

from streams.routing.holding import NOTHING, Held
from streams.routing.index import Shape
from streams.routing.outlook import Outlook
from streams.routing.placement import could_fit, find_placement
from streams.routing.state import State
from tests.streams.routing.site import SiteUnderTest, hashprice, placed_on, power_price, submitted
from tests.streams.routing.test_properties import history

SHAPES: list[Shape] = [
    *((("H100",), 1, milli) for milli in range(125, 1001, 125)),
    *((("A100", "H100"), 1, milli) for milli in range(125, 1001, 125)),
    *(((model,), count, 1000) for model in ("A100", "H100") for count in range(2, 7)),
]
HOLDS = (NOTHING, Held(feeders=frozenset({"fa"})), Held(models=frozenset({"A100"})))


@pytest.mark.parametrize("seed", range(30, 36))
def test_it_never_gives_up_what_a_search_places(seed: int) -> None:
    found = given_up = 0
    for number, (state, _, _) in enumerate(history(seed, 1_500)):
        if number % 15 or not {"H100", "A100"} <= {*state.gpu_prices_micros}:
            continue
        held = HOLDS[number // 15 % 3]
        outlook = Outlook(state, held)
        for shape in SHAPES:
            hopeful = could_fit(state, shape) and outlook.may_place(shape)
            search = find_placement(state, shape, held)
            assert hopeful or search.chosen is None, f"gave up {shape}"
            outlook.learn(shape, search)
            found += search.chosen is not None
            given_up += not hopeful
            assert hopeful or not outlook.may_place(shape) or not could_fit(state, shape)
    assert found > 100
    assert given_up > 100


@pytest.mark.parametrize("seed", range(40, 44))
def test_what_power_carries_is_found(seed: int) -> None:
    """With power and hashes for nothing only units and power count: there it is exact."""
    checked = 0
    for number, (state, _, _) in enumerate(history(seed, 1_500)):
        if number % 15 or not {"H100", "A100"} <= {*state.gpu_prices_micros}:
            continue
        copy = _without_prices(state)
        outlook = Outlook(copy, NOTHING)
        for shape in SHAPES:
            if could_fit(copy, shape) and outlook.may_place(shape):
                assert find_placement(copy, shape).chosen is not None, f"did not find {shape}"
                checked += 1
    assert checked > 200


def _without_prices(state: State) -> State:
    free = State(state.site_id)
    for name in (field for field in State.__dataclass_fields__):
        setattr(free, name, getattr(state, name))
    free.power_price_micros = free.hashprice_micros = None
    free.__post_init__()
    return free


def test_the_units_that_draw_least_are_taken_where_the_site_is_short() -> None:
    # Given a feeder that could power all four, two of 300 W and two of 700 W, and two of 300 W
    # elsewhere
    site = SiteUnderTest(site_w=1_200)
    site.gpus(2, "fa", watts=300)
    site.gpus(2, "fa", watts=700)
    site.gpus(2, "fb", watts=300)
    assert placed_on(site.when(submitted(count=4))) == ["g00", "g01", "g04", "g05"]


@pytest.mark.parametrize("milli", [1, 500, 999, 1000])
def test_one_search_settles_what_a_whole_gpu_is_worth(milli: int) -> None:
    """Mining at a price at which a share must pay for 3,500 W of it."""
    site = SiteUnderTest(site_w=3_500, fa_w=3_500)
    site.gpus(1)
    site.asics(1)
    site.given(power_price("0"), hashprice("120"))
    shape = (("H100",), 1, milli)
    outlook = Outlook(site.state, NOTHING)
    search = find_placement(site.state, shape)
    outlook.learn(shape, search)
    for other in range(1, 1001):
        fits = find_placement(site.state, (("H100",), 1, other)).chosen is not None
        assert outlook.may_place((("H100",), 1, other)) == fits or search.chosen is not None
