"""Phases of real trainings: a truth set labelled by eye, and cases that an earlier edition of the rules got wrong.

What takes more than some ten seconds runs where MLRTUI_TEST_FULL=1 asks for it.
"""

import os
from dataclasses import replace
from math import log

import pytest
from phase_truth import TRUE_NAMES, Setting, Truth, said, truths

from mlrtui_trainer.phases import label

TRUTHS = truths()
SLOW = frozenset({51, 105, 106, 111, 272, 274, 296, 298, 299})
"""Rows of the file that train for long: 1200 steps with λ at each, or 512 units."""

EVERYTHING = os.environ.get("MLRTUI_TEST_FULL") == "1"
TRAINED = [truth for truth in TRUTHS if EVERYTHING or truth.id not in SLOW]
SURVIVED = ("stable", "catapult", "edge", "controlled")
full_only = pytest.mark.skipif(not EVERYTHING, reason="takes minutes: MLRTUI_TEST_FULL=1 runs it")

PARITY = Setting(1, 512, "mse", 0.0, 150, 902, 128, 128, target="parity")
TANH = Setting(3, 64, "mse", 0.0, 1200, 901, 256, 256, activation="tanh", init_variance=0.5)
REGRESSION = Setting(0, 1, "mse", 0.0, 200, 901, 128, 128, target="parity", activation="linear")


def test_the_rules_say_of_the_stored_evidence_what_the_reader_said() -> None:
    wrong = []
    for truth in TRUTHS:
        name = label(truth.evidence).label
        if TRUE_NAMES.get(name, name) != truth.label:
            wrong.append(truth)
    assert len(TRUTHS) == 40
    assert len(wrong) <= 1, wrong
    assert all(truth.alternative for truth in wrong), wrong


@pytest.mark.parametrize("truth", [one for one in TRAINED if not one.alternative], ids=lambda one: str(one.id))
def test_a_training_is_labelled_as_the_reader_did(truth: Truth) -> None:
    outcome = truth.setting.outcome()
    assert said(outcome) == truth.label, outcome.phase_reason
    assert outcome.phase_rule == 2
    assert outcome.phase_basis == "loss+sharpness"
    assert outcome.loss_constant / outcome.loss_initial == pytest.approx(truth.evidence.loss_constant, rel=1e-3)
    assert outcome.majority == pytest.approx(truth.evidence.majority, abs=1e-3)


def test_of_trainings_with_a_doubt_at_most_one_is_labelled_otherwise() -> None:
    doubtful = [truth for truth in TRAINED if truth.alternative]
    outcomes = [(truth, truth.setting.outcome()) for truth in doubtful]
    wrong = [(truth.id, outcome.phase_reason) for truth, outcome in outcomes if said(outcome) != truth.label]
    assert len(doubtful) >= 6
    assert len(wrong) <= 1, wrong


@pytest.mark.parametrize("truth", TRAINED, ids=lambda one: str(one.id))
def test_a_training_cut_short_is_not_lost_if_the_whole_one_survives(truth: Truth) -> None:
    for steps in (10, 20, 40, 80):
        if steps < truth.setting.steps:
            cut = truth.setting.cut(steps).outcome()
            lost = said(cut) in ("divergent", "collapsed")
            assert not (lost and truth.label in SURVIVED), (steps, cut.phase_reason)


def test_a_catapult_whose_budget_ends_on_the_way_back_is_unfinished() -> None:
    wine = replace(PARITY, data="wine", seed=911).at(2.6).outcome()
    assert said(wine) == "unfinished"
    assert wine.loss_final > wine.loss_initial
    assert 0.9 < wine.ratio_last < 1.0
    slow = PARITY.at(2.1)
    assert [said(slow.cut(steps).outcome()) for steps in (15, 150)] == ["unfinished", "catapult"]


def test_a_gentle_scan_under_cross_entropy_is_stable_whatever_its_accuracy() -> None:
    outcome = Setting(3, 128, "ce", 0.00013, 112, 901, 1024, 64).outcome()
    assert said(outcome) == "stable"
    assert outcome.final_accuracy < 0.5
    assert outcome.loss_final < outcome.loss_initial


def test_a_net_that_collapsed_has_not_survived() -> None:
    two = replace(PARITY, depth=2, width=128, steps=120, seed=901)
    assert [said(two.at(c).outcome()) for c in (15.0, 22.0)] == ["catapult", "collapsed"]


@pytest.mark.parametrize(("c", "expected"), [(3.6, "stable"), (3.75, "stable"), (3.9, "divergent"), (4.5, "divergent")])
def test_heavy_ball_on_linear_regression(c: float, expected: str) -> None:
    outcome = replace(REGRESSION, optimizer="momentum").at(c).outcome()
    assert said(outcome) == expected
    if expected == "stable":
        assert 2.0 < outcome.peak_smoothed < 2.8**2


@pytest.mark.parametrize(("c", "expected"), [(1.99, "stable"), (2.03, "divergent")])
def test_linear_regression_diverges_above_its_edge_however_slowly(c: float, expected: str) -> None:
    for every in (0, 1):
        outcome = replace(REGRESSION, steps=150, every=every).at(c).outcome()
        assert said(outcome) == expected
    if expected == "divergent":
        assert 100.0 < outcome.loss_final / outcome.loss_initial < 1000.0


def test_a_catapult_between_two_epochs_is_seen_in_its_steps() -> None:
    outcome = Setting(1, 512, "mse", 0.0, 160, 901, 512, 64, target="parity").at(2.6).outcome()
    assert said(outcome) == "catapult"
    assert outcome.peak_smoothed > 100.0


def test_the_noise_of_tiny_batches_is_no_divergence() -> None:
    outcome = Setting(2, 64, "ce", 0.0, 384, 901, 256, 2).at(0.1).outcome()
    assert said(outcome) == "stable"


def test_sharpening_to_the_edge_is_the_edge_of_stability() -> None:
    short = TANH.cut(300)
    assert said(replace(short, seed=902).at(0.5).outcome()) == "stable"
    assert said(replace(short, seed=902).at(1.8).outcome()) == "edge"


@full_only
@pytest.mark.parametrize("c", [1.0, 1.33, 1.8])
def test_a_long_stay_at_the_edge(c: float) -> None:
    assert said(TANH.at(c).outcome()) == "edge"


def test_outputs_that_agree_on_all_classes_have_collapsed() -> None:
    """Adam's outputs are huge, but a softmax does not see what all of them share."""
    outcome = Setting(3, 128, "ce", 1.0, 120, 901, 512, 64, optimizer="adam").outcome()
    assert said(outcome) == "collapsed"
    assert outcome.loss_final == pytest.approx(log(10), abs=1e-3)
