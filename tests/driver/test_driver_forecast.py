"""The forecast of a sweep's time: what it knows before anything ran, and what it learns, on made-up records."""

import math

import pytest

from mlrtui.driver.forecast import CellLeft, Needs, NetLeft, Pace, Workers, forecast
from mlrtui.driver.sharing import Cost

COST = Cost(probe=1.0, training=10.0, trainings=8, questions=8)


def left(nets: int, cost: Cost = COST, cell: int = 1, told: int = 0) -> CellLeft:
    return CellLeft(cell, cost, [NetLeft(False, told)] * nets)


def test_a_guess_comes_with_a_wide_interval_and_records_narrow_it() -> None:
    trainings, needs = Pace(True), Needs(scan=False)
    guess = forecast([left(20)], Pace(True), trainings, needs, Workers(1))
    assert guess is not None
    assert guess.low < guess.seconds / 2 < 2 * guess.seconds < guess.high
    for _ in range(20):
        trainings.add(1, 5.0, 10.0, 10.0)  # twice as fast as guessed
    for net in range(5):
        for part in [0.25] * 4:
            needs.trained(net, part, 0)
        needs.ended(net)
    learnt = forecast([left(15)], Pace(True), trainings, needs, Workers(1))
    assert learnt is not None
    assert learnt.seconds == pytest.approx(15 * 4 * 0.25 * 10 * 0.5, rel=0.25)
    assert learnt.high / learnt.low < guess.high / guess.low / 2


def test_nothing_is_said_of_what_is_not_known() -> None:
    trainings = Pace(False)
    assert forecast([left(2)], Pace(False), trainings, Needs(scan=True), Workers(1)) is None
    trainings.add(1, 30.0, 10.0, 10.0)
    found = forecast([left(2)], Pace(False), trainings, Needs(scan=True), Workers(1))
    assert found is not None
    assert found.seconds == pytest.approx(2 * 8 * 30.0)


def test_a_scan_counts_its_trainings_and_how_far_they_are() -> None:
    needs, one = Needs(scan=True), Cost(0.0, 10.0, 4, questions=1)
    half = CellLeft(1, one, [NetLeft(False, 2, running=(0.5, 0.9))])
    found = forecast([half], Pace(True), Pace(True), needs, Workers(1))
    assert found is not None
    assert found.seconds == pytest.approx(10 * (0.5 + 0.1))


def test_short_trainings_end_first_and_do_not_decide() -> None:
    needs = Needs(scan=True)
    for net in range(3):
        needs.trained(net, 0.05, 0)  # diverged at once
    assert needs.mean_part(running=[0.3] * 7) > 0.7
    assert needs.mean_part(running=[]) < 0.5


def test_a_net_that_has_taken_more_than_others_still_takes_something() -> None:
    needs = Needs(scan=False)
    for net in range(30):
        for _ in range(10):
            needs.trained(net, 0.5, 0)
        needs.ended(net)
    fresh = needs.after(0, COST, 0.5, open_=True)
    begun = needs.after(7, COST, 0.5, open_=True)
    late = needs.after(14, COST, 0.5, open_=True)
    assert fresh.mean == pytest.approx(5.0, rel=0.05)
    assert begun.mean == pytest.approx(1.5, rel=0.1)
    assert 0 < late.mean <= 1


def test_trainings_that_followed_from_others_cost_nothing() -> None:
    needs = Needs(scan=False)
    for net in range(30):
        needs.trained(net, 1.0, told=6)  # six outcomes were known
        needs.ended(net)
    assert needs.after(0, COST, 1.0, open_=True).mean == pytest.approx(1.0, rel=0.3)
    assert needs.after(6, COST, 1.0, open_=True).mean == pytest.approx(1.0, rel=0.3)


def test_more_workers_share_the_work_but_not_a_search_in_turn() -> None:
    many = [left(100)]
    one, four = (forecast(many, Pace(True), Pace(True), Needs(scan=False), Workers(slots)) for slots in (1, 4))
    assert one is not None
    assert four is not None
    assert four.seconds == pytest.approx(one.seconds / 4, rel=0.05)  # and some wait for the last training
    assert four.seconds > one.seconds / 4
    alone = [forecast([left(1)], Pace(True), Pace(True), Needs(scan=False), Workers(slots)) for slots in (1, 4)]
    assert alone[0] is not None
    assert alone[1] is not None
    assert alone[1].seconds == pytest.approx(alone[0].seconds)


def test_the_pace_of_lambda0_says_something_of_training_before_it_begins() -> None:
    probes = Pace(True)
    trainings = Pace(True, like=probes)
    before = trainings.sd
    for _ in range(5):
        probes.add(1, 10.0, 1.0, 10.0)
    assert trainings.ratio(1, 10.0, probes.ratio(1, 10.0)[0])[0] == pytest.approx(10)
    assert trainings.sd < before
    for _ in range(5):
        trainings.add(1, 2.0, 1.0, 10.0)
    assert trainings.ratio(1, 10.0)[0] == pytest.approx(2.0)


def test_rates_of_a_question_share_a_gpu() -> None:
    cost = Cost(0.0, 1.0, trainings=12, questions=3)  # four rates at once
    one, eight = (
        forecast([left(1, cost)], Pace(True), Pace(True), Needs(scan=False), Workers(slots, 4.0, side_by_side=True))
        for slots in (1, 8)
    )
    assert one is not None
    assert eight is not None
    assert eight.seconds == pytest.approx(one.seconds)  # a net's questions follow one another, each on one GPU


def test_a_cell_that_was_trained_is_better_known_than_others() -> None:
    pace = Pace(True)
    for _ in range(10):
        pace.add(1, 3.0, 1.0, 10.0)
    own, own_sd = pace.ratio(1, 10.0)
    other, other_sd = pace.ratio(2, 10.0)
    assert own == pytest.approx(3.0)
    assert other == pytest.approx(3.0)
    assert own_sd < other_sd / 3


def test_other_cells_lie_on_a_line_over_their_size() -> None:
    pace = Pace(True)
    for cell, size in enumerate((1.0, 10.0, 100.0)):
        for _ in range(10):
            pace.add(cell, 2.0 * size**0.7, size, size)
    assert pace.ratio(9, 1000.0)[0] == pytest.approx(2.0 * 1000**-0.3, rel=0.2)
    assert pace.ratio(9, 0.1)[0] == pytest.approx(2.0 * 0.1**-0.3, rel=0.2)


def test_time_without_work_and_work_without_time_are_no_pace() -> None:
    pace = Pace(True)
    pace.add(1, 3.0, 0.0, 10.0)  # it waited
    pace.add(2, 0.0, 1.0, 10.0)  # the clock stood still
    assert pace.ratio(1, 10.0, other=2.0)[0] == 2.0
    assert pace.ratio(2, 10.0, other=2.0)[0] == 2.0


def test_nothing_left_takes_no_time() -> None:
    found = forecast([], Pace(True), Pace(True), Needs(scan=True), Workers(2))
    assert found is not None
    assert (found.seconds, found.low, found.high) == (0.0, 0.0, 0.0)
    assert not math.isnan(found.high)


# A stored search of the quick start (2 nets a cell): what a training was guessed to take, how many there were, and
# which part of their steps they did on average.
STORED = {
    "2x64": (0.012, 32, 0.73),
    "2x128": (0.033, 30, 0.55),
    "2x256": (0.105, 34, 0.54),
    "3x64": (0.017, 30, 0.43),
    "3x128": (0.053, 33, 0.33),
    "3x256": (0.185, 33, 0.37),
    "4x64": (0.022, 32, 0.53),
    "4x128": (0.073, 30, 0.33),
    "4x256": (0.266, 28, 0.28),
    "6x64": (0.032, 42, 0.60),
    "6x128": (0.113, 32, 0.36),
    "6x256": (0.427, 33, 0.29),
    "8x64": (0.042, 49, 0.80),
    "8x128": (0.154, 42, 0.67),
    "8x256": (0.588, 34, 0.41),
}


@pytest.mark.parametrize("ended", range(12))
def test_a_stored_search_is_foreseen_within_a_third_whichever_of_its_cells_have_ended(ended: int) -> None:
    needs, pace, rest = Needs(scan=False), Pace(True), []
    truth = 0.0
    for cell, (training, trials, part) in enumerate(STORED.values()):
        cost = Cost(0.0, training, trainings=16, questions=16)
        if cell < ended:
            for net in (2 * cell, 2 * cell + 1):
                for _ in range(trials // 2):
                    needs.trained(net, part, 0, cell)
                needs.ended(net)
            pace.add(cell, training * part, training * part, training)  # as fast as guessed
        else:
            rest.append(left(2, cost, cell))
            truth += training * trials * part
    found = forecast(rest, Pace(True), pace, needs, Workers(1))
    assert found is not None
    assert 0.7 < found.seconds / truth < 1.3
    assert found.low < truth < found.high


def test_a_cell_whose_trainings_are_short_takes_less_than_one_whose_are_long() -> None:
    needs = Needs(scan=False)
    for net, (cell, part) in enumerate([(1, 0.9), (2, 0.1)]):
        for _ in range(8):
            needs.trained(net, part, 0, cell)
        needs.ended(net)
    found = [forecast([left(1, cell=cell)], Pace(True), Pace(True), needs, Workers(1)) for cell in (1, 2, 3)]
    long, short, unknown = (one.seconds for one in found if one is not None)
    assert 2 * short < unknown < long


def test_wide_cells_are_foreseen_by_what_narrow_ones_took() -> None:
    needs = Needs(scan=False)
    for net, (cell, width, part) in enumerate([(1, 32, 0.8), (2, 64, 0.55), (3, 128, 0.4)]):
        for _ in range(10):
            needs.trained(net, part, 0, cell, width)
    narrow, wide, widest = (needs.factor(9, width) for width in (32, 128, 512))
    assert widest < wide < 1 < narrow
    assert needs.factor(3, 128) == pytest.approx(0.4 / (0.8 + 0.55 + 0.4) * 3, rel=0.15)  # its own trainings count most
    assert Needs(scan=True).factor(9, 512) == 1.0


def test_a_first_record_is_a_bound() -> None:
    pace = Pace(True)
    pace.add_first(1, 30.0, 1.0, 1.0)  # it compiled for most of that
    assert pace.ratio(1, 1.0)[0] == 1.0
    pace.add_first(1, 0.2, 1.0, 1.0)  # imports included, five times as fast as guessed
    assert pace.ratio(1, 1.0)[0] == pytest.approx(0.2)
    pace.add_first(1, 3.0, 1.0, 1.0)
    assert pace.ratio(1, 1.0)[0] == pytest.approx(0.2)


def test_a_wait_for_a_first_sign_is_taken_to_last_as_long_again() -> None:
    at_once, late = (
        forecast([left(100)], Pace(True), Pace(True), Needs(scan=False), Workers(2, waited=waited))
        for waited in (0, 60)
    )
    assert at_once is not None
    assert late is not None
    assert late.seconds == pytest.approx(at_once.seconds + 30.0)
    assert late.high > at_once.high + 60.0
