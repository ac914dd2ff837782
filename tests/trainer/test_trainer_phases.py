"""The rule table row by row, its evidence against plain NumPy, and what is left of it in an older store."""

from dataclasses import fields, replace
from math import inf, isnan, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlrtui_trainer import phase_evidence, phases
from mlrtui_trainer.phase_evidence import History, Ratios, window
from mlrtui_trainer.phases import Evidence, label
from mlrtui_trainer.spec import FLAG_ALL_SAMPLES
from mlrtui_trainer.stored_phases import _TRIED, StoredTrial, evidence_from_steps, label_if_decided

CALM: dict[str, Any] = {
    "loss_kind": "mse", "verdict": "finished", "full_batch": True, "loss_initial": 2.0, "loss_final": 0.2,
    "accuracy": 0.9, "loss_constant": 1.9, "majority": 0.5, "drift": -0.5, "logit_growth": 1.5, "hidden_growth": 1.1,
    "ratio_initial": 0.5, "ratio_first": 0.5, "ratio_before_peak": 0.5, "ratio_low": 0.4, "ratio_hover": 0.0,
    "ratio_last": 0.4,
}  # fmt: skip
NO_SHARPNESS = dict.fromkeys(("ratio_first", "ratio_before_peak", "ratio_low", "ratio_hover", "ratio_last"), nan)
COLLAPSED = {"rise": 3.0, "loss_final": 1.7, "accuracy": 0.6, "drift": 0.02}

ROWS: list[tuple[str, dict[str, Any], str]] = [
    ("1", {"verdict": "diverged"}, "divergent"),
    ("1", {"loss_final": inf}, "divergent"),
    ("1", {"verdict": "diverged", "loss_kind": "ce"}, "catastrophic"),
    ("1", {"loss_final": nan, "loss_kind": "mse-softmax"}, "catastrophic"),
    ("2", {"verdict": "dead"}, "collapsed"),
    ("3", {"linear": True, "ratio_initial": 1.0006, "rise": 1.021, "loss_final": 900.0}, "divergent"),
    ("3", {"linear": True, "ratio_initial": 1.0006, "rise": 1.02}, "lazy"),
    ("3", {"linear": True, "ratio_initial": 1.0005, "rise": 9.0, "peak_smoothed": 9.0, "loss_final": 3.0}, "lazy"),
    ("3", {"linear": True, "ratio_initial": nan, "ratio_first": 1.1, "rise": 2.0}, "divergent"),
    ("12", {"linear": True, "loss_kind": "ce", "ratio_initial": 2.0}, "stable"),
    ("12", {"linear": True, "optimizer": "adam", "ratio_initial": 2.0}, "lazy"),
    ("9", {"linear": True, "full_batch": False, "peak_smoothed": 1.5}, "catapult"),
    ("9", {"peak_smoothed": 1.1, "ratio_before_peak": 1.01}, "catapult"),
    ("12", {"peak_smoothed": 1.09, "ratio_before_peak": 1.01}, "lazy"),
    ("12", {"peak_smoothed": 1.1, "ratio_before_peak": 1.0}, "lazy"),
    ("9", {"peak_smoothed": 1.1, **NO_SHARPNESS}, "catapult"),
    ("12", {"peak_smoothed": 1.49, "full_batch": False}, "lazy"),
    ("9", {"peak_smoothed": 1.5, "full_batch": False}, "catapult"),
    ("12", {"optimizer": "momentum", "beta": 0.9, "peak_smoothed": 8.6}, "lazy"),
    ("9", {"optimizer": "momentum", "beta": 0.9, "peak_smoothed": 8.7}, "catapult"),
    ("9", {"optimizer": "momentum", "beta": 0.9, "peak_smoothed": 1.2, "ratio_before_peak": 1.1}, "catapult"),
    ("12", {"optimizer": "momentum", "beta": 0.9, "peak_smoothed": 1.2, **NO_SHARPNESS}, "lazy"),
    ("9", {"optimizer": "adam", "peak_smoothed": 1.1}, "catapult"),
    ("6", COLLAPSED, "collapsed"),
    ("6", {**COLLAPSED, "rise": 1.0, "peak_smoothed": 9.0, "ratio_before_peak": 2.0}, "collapsed"),
    ("6", {**COLLAPSED, "rise": 1.0, "loss_kind": "ce", "logit_growth": 5.0}, "collapsed"),
    ("12", {**COLLAPSED, "rise": 1.0, "logit_growth": 5.0}, "lazy"),
    ("6", {**COLLAPSED, "accuracy": nan, "majority": nan}, "collapsed"),
    ("6", {**COLLAPSED, "drift": 0.03}, "unfinished"),
    ("6", {**COLLAPSED, "drift": nan}, "unfinished"),
    ("12", {**COLLAPSED, "accuracy": 0.61}, "lazy"),
    ("12", {**COLLAPSED, "loss_final": 1.6}, "lazy"),
    ("6", {**COLLAPSED, "loss_final": 2.1, "loss_initial": 2.0}, "collapsed"),
    ("7", {**COLLAPSED, "loss_final": 2.3}, "unfinished"),
    ("12", {**COLLAPSED, "rise": 2.9}, "lazy"),
    ("7", {"loss_final": 2.0}, "unfinished"),
    ("7", {"loss_final": 3.0, "loss_kind": "ce"}, "unfinished"),
    ("8", {"loss_kind": "ce", "logit_growth": 5.0, "hidden_growth": 3.0}, "controlled"),
    ("8", {"loss_kind": "ce", "logit_growth": 5.0, "hidden_growth": 3.1}, "catapult"),
    ("8", {"loss_kind": "ce", "logit_growth": 5.0, "hidden_growth": nan}, "catapult"),
    ("8", {"loss_kind": "mse-softmax", "peak_smoothed": 2.0, "ratio_before_peak": 2.0}, "catapult"),
    ("12", {"loss_kind": "ce", "logit_growth": 4.9}, "stable"),
    ("10", {"ratio_hover": 0.25, "rise": 1.05, "ratio_low": 0.99}, "edge"),
    ("10", {"ratio_hover": 0.8, "rise": 4.0, "full_batch": False, "loss_kind": "ce"}, "edge"),
    ("12", {"ratio_hover": 0.24, "rise": 1.05}, "lazy"),
    ("12", {"ratio_hover": 0.9, "rise": 1.04}, "lazy"),
    ("12", {"ratio_hover": 0.9, "rise": 1.5, "ratio_low": 1.0}, "lazy"),
    ("10b", {"ratio_last": 1.01, "rise": 1.02, "rise_at_end": True}, "unfinished"),
    ("12", {"ratio_last": 1.0, "rise": 1.02, "rise_at_end": True}, "lazy"),
    ("12", {"ratio_last": 1.01, "rise": 1.02, "rise_at_end": False}, "lazy"),
    ("12", {"ratio_last": 1.01, "rise": 1.02, "rise_at_end": True, "optimizer": "adam"}, "lazy"),
    ("11", {"ratio_first": 1.1, "ratio_last": 1.06, "rise": 1.02}, "catapult"),
    ("12", {"ratio_first": 1.1, "ratio_last": 1.07, "rise": 1.02}, "lazy"),
    ("12", {"ratio_first": 1.0, "ratio_last": 0.5, "rise": 1.02}, "lazy"),
    ("12", {"ratio_first": 1.1, "ratio_last": 0.9, "rise": 1.01}, "lazy"),
    ("12", {"ratio_first": 1.1, "ratio_last": 0.9, "rise": 1.5, "loss_kind": "ce"}, "stable"),
    ("12", {"ratio_first": 1.1, "ratio_last": 0.9, "rise": 1.5, "full_batch": False}, "lazy"),
    ("12", {"loss_kind": "ce", "accuracy": 0.1, "loss_final": 1.95, "ratio_before_peak": nan}, "stable"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "changes", "expected"), ROWS)
def test_the_rule_table(row: str, changes: dict[str, Any], expected: str) -> None:
    phase = label(Evidence(**{**CALM, **changes}))
    assert phase.label == expected
    assert phase.reason.startswith(f"row {row}:"), phase.reason


def test_what_a_label_rests_on() -> None:
    assert label(Evidence(**CALM)).basis == "loss+sharpness"
    assert label(Evidence(**{**CALM, **NO_SHARPNESS})).basis == "loss"
    linear = Evidence(**{**CALM, **NO_SHARPNESS, "linear": True})
    assert label(linear).basis == "loss+sharpness"  # λ at the start decides
    hidden = label(Evidence(**{**CALM, "loss_kind": "ce", "logit_growth": 7.0, "hidden_growth": nan}))
    assert "not known" in hidden.reason
    assert "7" in hidden.reason


def test_what_has_no_phase() -> None:
    with pytest.raises(ValueError, match="unknown loss"):
        label(Evidence(**{**CALM, "loss_kind": "hinge"}))
    with pytest.raises(ValueError, match="no phase"):
        label(Evidence(**{**CALM, "verdict": "failed"}))


patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
numbers = st.one_of(
    st.sampled_from([nan, 0.0, 0.5, 1.0, 1.1, 1.5, 3.0, 5.0, 9.0, inf]), st.floats(0.0, 1e12, allow_nan=False)
)
evidences = st.builds(
    Evidence,
    loss_kind=st.sampled_from(sorted(phases.PHASES)),
    verdict=st.sampled_from([one for one in phases.VERDICTS if one != "failed"]),
    full_batch=st.booleans(),
    optimizer=st.sampled_from(["sgd", "momentum", "adam"]),
    linear=st.booleans(),
    rise_at_end=st.booleans(),
    **{one.name: numbers for one in fields(Evidence) if one.type in ("float", float)},
)


@patient
@given(evidences)
def test_any_evidence_has_one_of_its_losses_labels(evidence: Evidence) -> None:
    phase = label(evidence)
    assert phase.label in phases.PHASES[evidence.loss_kind]
    assert phase.basis in ("loss", "loss+sharpness")
    assert phase.reason.startswith("row ")


@patient
@given(evidences, evidences, st.sets(st.sampled_from(sorted(_TRIED)), max_size=4))
def test_what_is_missing_never_decides(evidence: Evidence, other: Evidence, missing: set[str]) -> None:
    """And where it is said to be decided, no value of what is missing gives another label."""
    names = frozenset(missing)
    changed = replace(evidence, **{name: getattr(other, name) for name in names})
    decided = label_if_decided(evidence, names)
    assert decided == label_if_decided(changed, names)
    if decided is not None:
        assert label(changed).label == decided.label
        assert "nan" not in decided.reason or not names


def test_only_some_evidence_may_be_missing() -> None:
    with pytest.raises(ValueError, match="loss_final"):
        label_if_decided(Evidence(**CALM), frozenset({"loss_final"}))


# the evidence


def smoothed(loss: np.ndarray, initial: float, wide: int) -> np.ndarray:
    padded = np.concatenate([np.full(wide - 1, initial), loss])
    return np.array([padded[k : k + wide].mean() for k in range(len(loss))])


@patient
@given(
    st.integers(1, 100), st.integers(1, 90), st.integers(0, 2**31), st.lists(st.integers(1, 40), max_size=12),
    st.booleans(),
)  # fmt: skip
def test_a_history_is_that_of_plain_numpy_however_it_is_cut(
    batch: int, steps: int, seed: int, cuts: list[int], full: bool
) -> None:
    draw = np.random.default_rng(seed)
    loss = np.exp(draw.normal(0.0, 1.0, (steps, 3)).cumsum(0) * 0.5)
    sizes = np.exp(draw.normal(0.0, 1.0, (steps, 3, 3)))
    initial = np.array([1.0, 0.5, 2.0])
    history, at = History(initial, batch, steps, full=full), 0
    for cut in [*cuts, steps]:
        history.add(loss[at : at + cut], sizes[at : at + cut])
        at += cut
    whole = History(initial, batch, steps, full=full)
    whole.add(loss, sizes)
    end = np.array([0.3, 0.4, 5.0])
    for one in (history, whole):
        one.finish(end)
    for lane in range(3):
        found = history.select([2, lane]).curve(1)
        alone = History(initial[[lane]], batch, steps, full=full)
        alone.add(loss[:, [lane]], sizes[:, :, [lane]])
        alone.finish(end[[lane]])
        for same in (whole.curve(lane), alone.curve(0)):
            assert repr(found) == repr(same)  # to the bit
        wide = 1 if full else window(batch)
        line = np.append(smoothed(loss[:, lane], initial[lane], wide), end[lane])
        rises = line / np.minimum.accumulate(np.minimum(line, initial[lane]))
        rises[line <= 1e-3 * initial[lane]] = 0.0
        assert found.peak_smoothed == pytest.approx(max(line.max() / initial[lane], 1.0), rel=1e-9)
        assert found.rise == pytest.approx(max(rises.max(), 1.0), rel=1e-9)
        assert found.rise_at_end == (found.rise > 1.0 and int(rises.argmax()) == steps)
        length = max(10, len(line) // 4)
        if len(line) < phase_evidence.SHORTEST_DRIFT:
            assert isnan(found.drift)
        else:
            slope = np.polyfit(np.arange(length), np.log(line[-length:]), 1)[0]
            assert found.drift == pytest.approx(slope * length, rel=1e-6, abs=1e-9)
        early, hidden = sizes[:11, :, lane], sizes[:, 2, lane]
        assert found.logit_rms_initial == sizes[0, 0, lane]
        assert found.logit_rms_peak == early[:, 0].max()
        assert found.logit_growth == pytest.approx(early[:, 1].max() / early[0, 1])
        assert found.hidden_growth == pytest.approx(hidden.max() / hidden[0])


def test_the_memory_of_a_history_does_not_grow_and_its_drift_stays() -> None:
    steps = 50_003
    loss = np.exp(-1e-4 * np.arange(steps, dtype=np.float64))[:, None]
    history, whole = (History(np.array([1.0]), 64, steps, full=False) for _ in range(2))
    for at in range(0, steps, 37):
        history.add(loss[at : at + 37])
    whole.add(loss)
    assert repr(history.curve(0)) == repr(whole.curve(0))
    assert len(history._store) == 2 * phase_evidence.GRAINS
    assert history.curve(0).drift == pytest.approx(-1e-4 * steps / 4, rel=5e-3)


def test_a_loss_that_is_not_finite_leaves_the_extremes_alone() -> None:
    history = History(np.array([1.0, 1.0]), 128, 4, full=True)
    history.add(np.array([[1.0, 1.0], [3.0, 0.5], [nan, 0.4], [inf, 0.3]]))
    first, second = history.curve(0), history.curve(1)
    assert (first.peak_smoothed, first.peak_step, first.rise) == (3.0, 1, 3.0)
    assert (second.peak_smoothed, second.rise) == (1.0, 1.0)


def test_sizes_count_from_all_samples_where_those_are_given() -> None:
    history = History(np.array([1.0]), 2, 4, full=False, sizes_initial=np.array([[2.0], [1.0], [4.0]]))
    history.add(np.ones((2, 1)), np.array([[[9.0], [3.0], [2.0]], [[1.0], [2.0], [nan]]]))
    curve = history.curve(0)
    assert (curve.logit_rms_initial, curve.logit_rms_peak) == (9.0, 9.0)
    assert (curve.logit_growth, curve.hidden_growth) == (3.0, 0.5)


@patient
@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=60), st.integers(1, 5), st.integers(0, 300))
def test_ratios_are_those_of_plain_numpy(values: list[float], every: int, peak: int) -> None:
    ratios, steps = Ratios(), [every * k for k in range(len(values))]
    for step, value in zip(steps, values, strict=True):
        ratios.add(step, value)
    ratios.add(steps[-1] + 1, nan)  # not measured
    found = ratios.summary(steps[-1], peak)
    line = np.array(values)
    assert (found.ratio_first, found.ratio_last) == (values[0], values[-1])
    assert found.ratio_before_peak == line[: peak // every + 1].max()
    assert found.ratio_low == line[: max(len(line) // 2, 1)].min()
    means = [(values[k] + values[k + 1] + values[k + 2]) / 3.0 for k in range(len(values) - 2)]
    near = [0.85 <= mean <= 1.3 for mean in means]
    assert repr(found.ratio_hover) == repr(sum(near) / len(near) if near else nan)


def test_ratios_of_a_long_training_keep_their_extremes() -> None:
    ratios, count = Ratios(), 3 * phase_evidence.MOST_RECORDS
    for step in range(count):
        ratios.add(step, 1.0 + step / count)
    found = ratios.summary(count - 1, count // 2)
    assert found.ratio_before_peak == pytest.approx(1.5, rel=1e-3)
    assert (found.ratio_first, found.ratio_last) == (1.0, 1.0 + (count - 1) / count)


# what a store still holds


STORED = StoredTrial("mse", "finished", 128, 128, 1.0, 0.1, eta=0.5, lambda0=2.0, loss_constant=0.9, hidden_growth=1.0,
                     accuracy=0.9, majority=0.5, logit_rms_initial=1.0, logit_rms_peak=2.0)  # fmt: skip


def rows(loss: list[float], keep: slice = slice(None)) -> tuple[np.ndarray, ...]:
    step = np.arange(len(loss))
    return step[keep], np.array(loss)[keep], np.zeros(len(loss), np.int64)[keep], np.full(len(loss), nan)[keep]


def test_a_trial_whose_steps_are_all_there_is_labelled_as_when_it_trained() -> None:
    evidence, missing = evidence_from_steps(STORED, *rows([1.0, 0.5, 4.0, 0.3, 0.1]))
    assert not missing
    assert (evidence.peak_smoothed, evidence.rise, evidence.logit_growth) == (4.0, 8.0, 2.0)
    decided = label_if_decided(evidence, missing)
    assert decided == label(evidence)
    assert decided is not None
    assert decided.label == "catapult"


def test_a_thinned_trial_is_labelled_where_what_is_gone_does_not_matter() -> None:
    falling = np.geomspace(1.0, 0.1, 300).tolist()
    evidence, missing = evidence_from_steps(STORED, *rows(falling, slice(None, None, 3)))
    assert missing == {"rise", "rise_at_end", "drift"}
    assert isnan(evidence.rise)
    decided = label_if_decided(evidence, missing)  # without λ no rise makes it anything but lazy
    assert decided is not None
    assert (decided.label, decided.basis) == ("lazy", "loss")
    assert "drift" in decided.reason
    falling[150] = 7.0
    evidence, missing = evidence_from_steps(STORED, *rows(falling, slice(None, None, 3)))
    decided = label_if_decided(evidence, missing)
    assert decided is not None
    assert decided.label == "catapult"


def test_a_trial_whose_missing_numbers_matter_has_no_label() -> None:
    ce = replace(STORED, loss_kind="ce", hidden_growth=nan)
    evidence, missing = evidence_from_steps(ce, *rows([1.0, 0.5, 0.4, 0.3, 0.1]))
    assert missing == {"logit_growth", "hidden_growth"}  # what is stored of the outputs has their common shift in it
    assert label_if_decided(evidence, missing) is None
    evidence, missing = evidence_from_steps(replace(ce, verdict="diverged"), *rows([1.0, 1e9]))
    decided = label_if_decided(evidence, missing)
    assert decided is not None
    assert decided.label == "catastrophic"
    assert "nan" not in decided.reason


def test_mini_batches_are_smoothed_and_the_end_is_over_all_samples() -> None:
    trial = replace(STORED, batch=16, samples=128)
    step, loss, flags, sharpness = rows([1.0, 1.0, 9.0, 1.0, 1.0, 0.5])
    flags[-1] = FLAG_ALL_SAMPLES
    evidence, missing = evidence_from_steps(trial, step, loss, flags, sharpness)
    assert not missing
    assert evidence.peak_smoothed == 3.0
    few = (step[[0, 2, 5]], loss[[0, 2, 5]], flags[[0, 2, 5]], sharpness[[0, 2, 5]])
    assert evidence_from_steps(trial, *few)[1] == {"peak_smoothed", "rise", "rise_at_end", "drift"}


def test_sharpness_of_a_store_is_in_units_of_the_edge() -> None:
    step, loss, flags, _ = rows([1.0, 0.5, 4.0, 0.3, 0.1])
    sharpness = np.array([4.8, 4.4, nan, 3.0, 2.0])
    evidence, _ = evidence_from_steps(STORED, step, loss, flags, sharpness)
    assert evidence.ratio_initial == 0.5
    assert (evidence.ratio_first, evidence.ratio_before_peak) == (1.2, 1.2)
    assert (evidence.ratio_low, evidence.ratio_last) == (pytest.approx(1.1), 0.5)
    kernel, _ = evidence_from_steps(replace(STORED, has_edge=False), step, loss, flags, sharpness)
    assert isnan(kernel.ratio_first)
    assert isnan(kernel.ratio_initial)
