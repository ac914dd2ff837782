"""The eigenvalue solver on matrices whose spectrum is known."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor

from mlrtui_trainer.curvature import lanczos
from mlrtui_trainer.curvature import tracker as tracker_module
from mlrtui_trainer.curvature.lanczos import largest, start_vectors
from mlrtui_trainer.curvature.stopping import AUDITED, FALLEN, RULES, rules_of
from mlrtui_trainer.curvature.subspace import Last, followed
from mlrtui_trainer.curvature.tracker import AUDIT_EVERY, Tracker


@dataclass(frozen=True)
class Dense:
    """Any symmetric matrices, [lanes, size, size]."""

    matrix: Tensor

    @property
    def lanes(self) -> int:
        return self.matrix.shape[0]

    @property
    def size(self) -> int:
        return self.matrix.shape[1]

    def apply(self, v: Tensor) -> Tensor:
        return (self.matrix * v[:, None]).sum(-1)

    def select(self, keep: Tensor) -> "Dense":
        return Dense(self.matrix[keep])


class Diagonal(Dense):
    """The same with eigenvalues on the diagonal and zeros elsewhere, [lanes, size]."""

    def apply(self, v: Tensor) -> Tensor:
        return self.matrix * v

    def select(self, keep: Tensor) -> "Diagonal":
        return Diagonal(self.matrix[keep])


def with_spectra(*spectra, dtype=torch.float64) -> Dense:
    size = len(spectra[0])
    basis, _ = torch.linalg.qr(torch.randn(size, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
    return Dense(
        torch.stack([basis @ torch.diag(torch.tensor(s, dtype=torch.float64)) @ basis.T for s in spectra]).to(dtype)
    )


def solve(operator, tolerance=1e-3, most=60, start=None, dtype=torch.float64):
    seeds = list(range(operator.lanes))
    return largest(
        operator, start_vectors(seeds, operator.size, dtype, "cpu") if start is None else start, tolerance, most
    )


TAIL = list(np.linspace(0.0, 0.5, 47))


@pytest.mark.parametrize(
    ("spectrum", "top"),
    [
        ([1.0, 0.999, 0.99, *TAIL], 1.0),  # clustered
        ([*TAIL, *(-s for s in TAIL), 0.7, -0.7], 0.7),  # symmetric
        ([-5.0, -9.0, 0.2, *(-s for s in TAIL)], 0.2),  # largest magnitude is not largest
        ([-1.0 - s for s in TAIL], -1.0),  # negative throughout
        ([3.0] * 50, 3.0),
        ([2.0, *[0.0] * 49], 2.0),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_largest_algebraic_eigenvalue(spectrum, top, dtype):
    found = solve(with_spectra(spectrum, dtype=dtype), dtype=dtype)
    assert found.converged.all()
    assert found.value[0] == pytest.approx(top, rel=1e-3)
    assert found.residual[0] <= 1e-3


def test_value_vector_and_residual_agree():
    operator = with_spectra([4.0, 3.0, *TAIL], [1.0, -3.0, *TAIL])
    found = solve(operator)
    pulled = operator.apply(found.vector)
    assert (found.vector * found.vector).sum(1).tolist() == pytest.approx([1.0, 1.0])
    assert (found.vector * pulled).sum(1).tolist() == pytest.approx(found.value.tolist(), rel=1e-9)
    rest = (pulled - torch.from_numpy(found.value)[:, None] * found.vector).norm(dim=1).numpy() / np.abs(found.value)
    assert found.residual.tolist() == pytest.approx(rest.tolist(), rel=1e-3, abs=1e-9)


def test_zero_is_exact_after_one_product():
    found = solve(Dense(torch.zeros(1, 20, 20, dtype=torch.float64)))
    assert (found.value[0], found.residual[0], found.products[0], found.rule[0]) == (0.0, 0.0, 1, "exhausted")


def test_a_matrix_of_one_number():
    found = solve(Dense(torch.tensor([[[-2.5]]], dtype=torch.float64)))
    assert found.value[0] == -2.5
    assert found.converged[0]


def test_a_small_budget_is_reported_and_still_a_lower_bound():
    found = solve(with_spectra([1.0, 0.9999, 0.999, 0.99, *TAIL]), tolerance=1e-9, most=4)
    assert (found.rule[0], found.products[0], bool(found.converged[0])) == ("budget", 4, False)
    assert 0.9 < found.value[0] <= 1.0
    assert found.residual[0] > 1e-9


def test_lanes_leave_by_their_own_numbers_only():
    spectra = ([9.0, *TAIL, 0.1], [1.0, *[0.0] * 48], [1.0, 0.999, 0.99, *TAIL[1:]])
    together = solve(with_spectra(*spectra))
    assert len(set(together.products.tolist())) == 3
    for lane, spectrum in enumerate(spectra):
        alone = solve(with_spectra(spectrum), start=start_vectors([lane], 49, torch.float64, "cpu"))
        assert (alone.value[0], alone.residual[0]) == (together.value[lane], together.residual[lane])
        assert alone.products[0] == together.products[lane]
        assert torch.equal(alone.vector[0], together.vector[lane])


@pytest.mark.parametrize("poison", [torch.nan, torch.inf])
def test_a_lane_that_is_not_finite_is_reported_and_changes_nothing(poison):
    good = with_spectra([2.0, 1.5, *TAIL], [3.0, 1.0, *TAIL])
    bad = good.matrix.clone()
    bad = torch.stack([bad[0], torch.full_like(bad[0], poison), bad[1]])
    seeds = start_vectors([0, 7, 1], 49, torch.float64, "cpu")
    found = solve(Dense(bad), start=seeds)
    clean = solve(good)
    assert found.rule[1] == "nonfinite"
    assert np.isnan(found.value[1])
    assert not found.converged[1]
    assert found.value[[0, 2]].tolist() == clean.value.tolist()
    assert torch.equal(found.vector[[0, 2]], clean.vector)


def test_a_warm_start_that_is_orthogonal_to_the_new_top_is_rescued():
    before, after = with_spectra([2.0, 1.0, *TAIL]), with_spectra([1.0, 2.0, *TAIL])
    tracker = Tracker([3], 49, 1e-3, torch.float64, "cpu")
    assert tracker.measure(before).value[0] == pytest.approx(2.0, rel=1e-5)
    assert tracker.measure(after).value[0] == pytest.approx(2.0, rel=1e-5)


def test_what_grows_past_the_top_is_found_when_it_does():
    """The old top is an eigenvector that stays; one that no kept vector pointed along at first grows past it."""
    size = 4000
    values = torch.linspace(0.0, 0.5, size, dtype=torch.float64)
    tracker = Tracker([3], size, 1e-3, torch.float64, "cpu")
    for t in range(AUDIT_EVERY):
        values[0], values[1] = 1.0, min(1.02, 0.5 + 0.03 * t)
        found = tracker.measure(_Diagonal(values[None].clone()))
        assert found.value[0] == pytest.approx(values.max().item(), rel=1e-4)


def test_an_audit_takes_more_products_and_looks_elsewhere(monkeypatch):
    """One eigenvector orthogonal to all else that a lane starts from: only another random direction points along it."""
    size = 400
    values = torch.linspace(0.0, 0.5, size, dtype=torch.float64)
    values[0], values[1] = 1.0, 0.4
    monkeypatch.setattr(tracker_module, "start_vectors", _blind_at_first)
    tracker = Tracker([3], size, 1e-3, torch.float64, "cpu")
    found = [tracker.measure(_Diagonal(values[None].clone()))]
    values[1] = 1.5
    found += [tracker.measure(_Diagonal(values[None].clone())) for _ in range(AUDIT_EVERY + 1)]
    assert [one.value[0] for one in found[:AUDIT_EVERY]] == pytest.approx([1.0] * AUDIT_EVERY, rel=1e-4)
    assert [one.value[0] for one in found[AUDIT_EVERY:]] == pytest.approx([1.5] * 2, rel=1e-4)
    assert found[AUDIT_EVERY].products[0] >= RULES[AUDITED].products > found[AUDIT_EVERY - 1].products[0]


def _blind_at_first(seeds, size, dtype, device, draw=0):
    """`start_vectors`, of which the first ones do not point along the second coordinate."""
    drawn = start_vectors(seeds, size, dtype, device, draw)
    if draw < 2:
        drawn[:, 1] = 0.0
    return drawn


def test_a_fall_takes_more_products():
    tracker = Tracker([3], 49, 1e-3, torch.float64, "cpu")
    quiet = with_spectra([2.0, 1.0, *TAIL])
    tracker.measure(quiet)
    calm = tracker.measure(quiet).products[0]
    fallen = tracker.measure(with_spectra([0.9, 0.8, *TAIL])).products[0]
    assert fallen >= RULES[FALLEN].products > calm


def test_a_tracker_of_some_lanes_goes_on_as_the_whole_would():
    operator = with_spectra([2.0, 1.0, *TAIL], [3.0, 2.5, *TAIL])
    whole = Tracker([3, 4], 49, 1e-3, torch.float64, "cpu")
    whole.measure(operator)
    keep = torch.tensor([1])
    part = whole.select(keep)
    a, b = part.measure(operator.select(keep)), whole.measure(operator)
    assert a.value[0] == b.value[1]
    assert torch.equal(a.vector[0], b.vector[1])


SPECTRA = [
    [1.0, 0.999, 0.99, *TAIL],
    [*TAIL, *(-value for value in TAIL), 0.7, -0.7, 0.66][:50],
    [-1.0, -1.5, -4.0, *(-5.0 - value for value in TAIL)],
]


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("top", [2, 3, 5])
def test_several_values_each_with_its_vector_and_residual(spectrum, top):
    found = largest(with_spectra(spectrum), start_vectors([2], len(spectrum), torch.float64, "cpu"), 1e-7, 60, top=top)
    assert found.converged[0]
    expected = sorted(spectrum, reverse=True)[:top]
    assert found.values[0].tolist() == pytest.approx(expected, rel=1e-9)
    assert found.residuals.max() <= 1e-7
    operator = with_spectra(spectrum)
    for value, vector in zip(expected, found.space[0], strict=False):  # of one more than was asked for
        assert (vector * vector).sum().item() == pytest.approx(1.0)
        assert (operator.apply(vector[None])[0] - value * vector).norm().item() <= 1e-6


def test_a_repeated_value_is_found_once_and_what_is_not_there_is_nan():
    found = solve(with_spectra([3.0] * 20 + [1.0] * 10), start=start_vectors([1], 30, torch.float64, "cpu"))
    assert found.value[0] == pytest.approx(3.0)
    both = largest(with_spectra([3.0] * 20 + [1.0] * 10), start_vectors([1], 30, torch.float64, "cpu"), 1e-6, 60, top=3)
    assert both.values[0, :2].tolist() == pytest.approx([3.0, 1.0])
    assert np.isnan(both.values[0, 2])
    assert both.rule[0] == "exhausted"


def last_of(lanes, value, audited=False):
    return Last(np.full(lanes, value), np.full(lanes, audited))


def test_a_solve_along_a_training_stops_earlier_and_stays_within_the_tolerance():
    operator = with_spectra(*[[*TAIL, 0.6, 1.0]] * 8)
    _, vectors = torch.linalg.eigh(operator.matrix)
    start = start_vectors(list(range(8)), operator.size, torch.float64, "cpu")
    block = torch.stack([vectors[:, :, -1] + 0.1 * start, start], dim=1)
    alone = followed(operator, block, 1e-3, 60)
    steady, fallen, audited = (
        followed(operator, block, 1e-3, 60, last=last)
        for last in (last_of(8, 1.02), last_of(8, 1.1), last_of(8, 1.02, audited=True))
    )
    assert steady.products.sum() < fallen.products.sum() < audited.products.sum()
    for found, residual in ((alone, 1.0), (steady, RULES[0].residual), (fallen, RULES[FALLEN].residual)):
        assert found.converged.all()
        assert np.abs(found.value - 1.0).max() <= 1e-3
        assert found.residual.max() <= 1e-3 * residual


def test_the_more_the_vector_has_turned_the_more_products_are_made():
    nobody = np.zeros(4, dtype=np.bool_)
    turn, ones = np.array([0.0, 0.3, 0.6, 1.0]), np.ones(4)
    assert np.transpose(rules_of(turn, ones, ones, nobody)).tolist() == [list(rule) for rule in RULES]
    assert [rule.products for rule in RULES] == sorted(rule.products for rule in RULES)
    for before in (2 * ones, np.full(4, np.nan)):  # fallen, and not known
        assert np.transpose(rules_of(turn, ones, before, nobody))[0].tolist() == list(RULES[FALLEN])
    assert np.transpose(rules_of(turn, ones, ones, ~nobody)).tolist() == [list(RULES[AUDITED])] * 4


def test_a_start_at_random_is_not_content_with_the_second_value():
    """Solves that trusted the first eigenvector they meet would find none that was lost."""
    spectrum = np.linspace(0.0, 0.5, 2000)
    spectrum[:2] = 1.0, 0.9
    operator = Diagonal(torch.from_numpy(spectrum).repeat(64, 1))
    draws = [start_vectors(list(range(64)), 2000, torch.float64, "cpu", draw) for draw in range(2)]
    found = followed(operator, torch.stack(draws, dim=1), 1e-3, 40, last=last_of(64, np.nan))
    assert found.value.tolist() == pytest.approx([1.0] * 64, rel=1e-3)


def test_where_two_values_cross_the_new_one_is_found():
    """The old top has fallen below another, whose vector was kept with it."""
    operator = with_spectra(*[[*TAIL, 1.0, 1.03]] * 16)
    _, vectors = torch.linalg.eigh(operator.matrix)
    noise = start_vectors(list(range(16)), operator.size, torch.float64, "cpu")
    block = torch.stack([vectors[:, :, -2], vectors[:, :, -1] + 0.05 * noise], dim=1)
    found = followed(operator, block, 1e-3, 40, last=last_of(16, 1.0))
    assert found.value.tolist() == pytest.approx([1.03] * 16, rel=1e-3)
    assert found.products.max() <= 10


def test_the_wanted_number_is_refused_where_it_means_nothing():
    operator = with_spectra([1.0, 2.0])
    for most, top in ((0, 1), (3, 0)):
        start = start_vectors([0], 2, torch.float64, "cpu")
        with pytest.raises(ValueError, match="at least 1"):
            largest(operator, start, 1e-3, most, top=top)
        with pytest.raises(ValueError, match="at least 1"):
            followed(operator, start[:, None], 1e-3, most, top=top)


@pytest.mark.parametrize("top", [1, 3])
def test_a_lane_that_overflowed_once_is_measured_again(top):
    good = with_spectra([2.0, 1.5, *TAIL], [3.0, 1.0, *TAIL])
    bad = good.matrix.clone()
    bad[0] = torch.nan
    tracker = Tracker([3, 4], 49, 1e-3, torch.float64, "cpu", top=top)
    tracker.measure(good)
    assert np.isnan(tracker.measure(Dense(bad)).value[0])
    again = tracker.measure(good)
    assert again.value.tolist() == pytest.approx([2.0, 3.0], rel=1e-3)
    assert again.converged.all()


def test_lanes_left_out_of_a_measurement_go_on_from_their_own_last_one():
    operator = with_spectra([2.0, 1.0, *TAIL], [3.0, 2.5, *TAIL])
    both, one = (Tracker([3, 4], 49, 1e-3, torch.float64, "cpu") for _ in range(2))
    for tracker in (both, one):
        tracker.measure(operator)
    only = torch.tensor([1])
    for _ in range(AUDIT_EVERY + 2):  # the audits of the one lane come by its own count
        alone = one.measure(operator.select(only), only)
        together = both.measure(operator)
        assert (alone.value[0], alone.products[0]) == (together.value[1], together.products[1])


@dataclass(frozen=True)
class _Diagonal:
    values: Tensor  # [lanes, size]

    @property
    def lanes(self) -> int:
        return self.values.shape[0]

    @property
    def size(self) -> int:
        return self.values.shape[1]

    def apply(self, v: Tensor) -> Tensor:
        return self.values * v

    def select(self, keep: Tensor) -> "_Diagonal":
        return _Diagonal(self.values[keep])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_products_ahead_of_a_wait_change_no_bit(dtype, monkeypatch):
    rng = np.random.default_rng(5)
    spectra = [np.sort(rng.exponential(size=60))[::-1] * scale for scale in (1.0, 3.0)]
    nan = np.full(60, 1.0)
    nan[7] = np.nan  # a lane that ends by itself
    matrix = torch.tensor(np.stack([*spectra, np.ones(60), nan]), dtype=dtype)
    single = solve(Diagonal(matrix), 1e-5, 50, dtype=dtype)
    for ahead in (2, 4, 7):
        monkeypatch.setattr(lanczos._Run, "_ahead", lambda run, n=ahead: min(n, run.max_products - run.depth))
        several = solve(Diagonal(matrix), 1e-5, 50, dtype=dtype)
        for name in ("values", "residuals"):
            assert np.array_equal(getattr(several, name), getattr(single, name), equal_nan=True)
        assert several.products.tolist() == single.products.tolist()
        assert several.rule.tolist() == single.rule.tolist()
        assert torch.equal(several.space.nan_to_num(7.0), single.space.nan_to_num(7.0))
    assert len(set(single.products.tolist())) > 1
