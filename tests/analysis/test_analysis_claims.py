"""Claims: numbers taken from rows and held against bands, and bands that belong to shipped examples."""

import tomllib
from collections.abc import Callable, Sequence
from math import log
from typing import Any

import pytest
from test_analysis_growth import family

from mlrtui.claims.check import Claim, Finding, Measured, Results, Row, check, verdict_text
from mlrtui.claims.measures import (
    Measure,
    average,
    column,
    controlled,
    difference,
    distance,
    elsewhere,
    farthest,
    power,
    share,
    time_to_peak,
)
from mlrtui.claims.table import CATAPULT, CLAIMS, ETA_STAR, LINEAR_TANH, OPTIMIZERS, SOFTMAX, SP
from mlrtui.commands import examples

Rows = dict[str, list[dict[str, Any]]]


def read(**sweeps: Rows) -> Callable[[str, str], Sequence[Row]]:
    """A store that holds these views of these sweeps."""
    return lambda view, sweep: sweeps.get(sweep, {}).get(view, [])


def fit(term: str, exponent: float, where: str = "", r2: float = 0.9, name: str = "") -> dict[str, Any]:
    return {
        "fit": name or f"{term} {where}",
        "term": term,
        "y": "eta_star",
        "exponent": exponent,
        "low": exponent - 0.02,
        "high": exponent + 0.02,
        "r2": r2,
        "cells": 9,
        "where_expr": where,
    }


def trial(c: float, phase: str, end: float | None) -> dict[str, Any]:
    return {"cell": "1x512", "seed": 0, "eta_lambda0": c, "phase": phase, "eta_final_sharpness": end}


def found(sweep: str, rows: Rows) -> list[Finding]:
    return check(CLAIMS, Results(sweep, read(**{sweep: rows})))


def verdicts(sweep: str, rows: Rows) -> list[str]:
    return [finding.verdict for finding in found(sweep, rows)]


def test_every_claim_names_a_shipped_example() -> None:
    names = {tomllib.loads(example.path.read_text())["sweep"]["name"] for example in examples.available()}
    assert {claim.sweep for claim in CLAIMS} <= names
    assert all(claim.low <= claim.high and claim.source for claim in CLAIMS)
    assert len({(claim.sweep, claim.text) for claim in CLAIMS}) == len(CLAIMS)


def test_every_claim_says_when_the_store_holds_nothing_for_it() -> None:
    for claim in CLAIMS:
        (finding,) = check([claim], Results(claim.sweep, read()))
        assert finding.verdict == "not measured"
        assert finding.measured.note


def test_a_good_scan_holds_and_a_shifted_one_misses() -> None:
    lazy, end = trial(1.9, "lazy", 1.9), trial(4.5, "divergent", None)
    risen = [trial(2.1, "catapult", 1.9), trial(2.3, "catapult", 1.66), trial(2.6, "catapult", 1.25)]
    good = {"phases": [lazy, *risen, trial(3.4, "catapult", 0.6), end], "onsets": [{"c_max": 3.4}]}
    assert verdicts(CATAPULT, good) == ["holds"] * 5
    late = [trial(2.1, "lazy", 2.1), trial(2.3, "lazy", 2.3), trial(2.6, "catapult", 1.25), end]
    assert verdicts(CATAPULT, {"phases": late, "onsets": [{"c_max": 2.6}]}) == ["misses"] * 4 + ["holds"]


def judged(low: float | None, value: float | None, high: float | None) -> Finding:
    """A claim with the band 2 to 3, measured so."""
    (finding,) = check(
        [Claim("s", "a number", "a source", 2.0, 3.0, lambda _: Measured(value, low, high))], Results("s", read())
    )
    return finding


@pytest.mark.parametrize(
    ("low", "value", "high", "expected"),
    [
        (2.1, 2.5, 2.9, "holds"),
        (2.0, 2.5, 3.0, "holds"),
        (1.9999999999999998, 2.5, 3.0000000000000004, "holds"),  # rounding
        (1.9, 2.5, 2.9, "undecided"),
        (1.0, 2.5, 4.0, "undecided"),
        (1.5, 1.9, 2.1, "undecided"),  # the point misses, the interval does not
        (1.5, 1.9, 1.99, "misses"),
        (3.01, 3.2, 4.0, "misses"),
        (None, 2.5, None, "holds"),
        (None, 1.9, None, "misses"),
        (2.4, 2.5, None, "holds"),  # half an interval is none
        (None, None, None, "not measured"),
    ],
)
def test_the_whole_interval_decides(low: float | None, value: float | None, high: float | None, expected: str) -> None:
    finding = judged(low, value, high)
    assert finding.verdict == expected
    alone = value is not None and (low is None or high is None)
    assert verdict_text(finding) == expected + " (by the point alone)" * alone


def test_differences_have_intervals_where_both_sides_do() -> None:
    def fixed(value: float, low: float | None = None, high: float | None = None, is_range: bool = False) -> Measure:
        return lambda _: Measured(value, low, high, is_range=is_range)

    results = Results("s", read())
    fits = difference(fixed(-0.5, -0.8, -0.2), fixed(-1.0, -1.4, -0.6))(results)
    assert (fits.value, fits.low, fits.high) == (pytest.approx(0.5), pytest.approx(0.0), pytest.approx(1.0))
    assert not fits.is_range
    ranges = difference(fixed(6.0, 5.0, 7.0, True), fixed(5.0, 4.0, 6.0, True))(results)
    assert (ranges.value, ranges.low, ranges.high, ranges.is_range) == (1.0, -1.0, 3.0, True)
    assert difference(fixed(6.0), fixed(5.0, 4.0, 6.0))(results).interval is None


def test_controlled_divergence_is_one_or_none_or_open() -> None:
    rows = {"width_growth": [*family(), *family(2, loss="mse"), *family(3, loss="mse-softmax", widths=(64, 128))]}
    results = Results("s", read(s=rows))
    assert controlled("ce")(results).value == 1.0
    assert controlled("mse")(results).value == 0.0
    softmax = controlled("mse-softmax")(results)
    assert (softmax.value, softmax.note) == (None, "2 widths over 1.0 octaves (needed: 3 over 3)")
    assert controlled("ce")(Results("s", read())).value is None


def test_only_the_fit_of_one_term_under_the_same_condition_counts() -> None:
    wide = "width >= 16 * depth"
    two = [fit("depth*width", -0.1, name="two"), fit("width", -0.1, name="two")]
    rows = {"exponents": [*two, fit("depth*width", -0.7, wide.replace(" ", "")), fit("lambda0", -0.6)]}
    assert verdicts(ETA_STAR, rows) == ["holds", "holds", "holds"]
    assert verdicts(ETA_STAR, {"exponents": two}) == ["not measured"] * 3
    assert verdicts(ETA_STAR, {"exponents": [fit("depth*width", -0.7, wide, r2=0.79)]}) == [
        "holds",
        "misses",
        "not measured",
    ]


@pytest.mark.parametrize(("ce", "mse", "gap"), [(-0.5, -1.0, "holds"), (-0.6, -0.85, "misses")])
def test_the_gap_between_two_exponents(ce: float, mse: float, gap: str) -> None:
    rows = {"exponents": [fit("width", ce, "loss == 'ce'"), fit("width", mse, "loss == 'mse'")]}
    assert verdicts(SP, rows) == ["holds", "holds", gap]


@pytest.mark.parametrize(("sp", "mup", "expected"), [(-0.6, 0.1, "holds"), (-0.4, 0.3, "misses")])
def test_adam_is_read_from_the_fits_that_its_example_asks_for(sp: float, mup: float, expected: str) -> None:
    (path,) = [example.path for example in examples.available() if example.name == "width-scaling/optimizers-cpu"]
    conditions = [str(table["where"]) for table in tomllib.loads(path.read_text())["fit"]]
    assert len(conditions) == 4
    of_adam = [where for where in conditions if "adam" in where]
    rows = {"exponents": [fit("width", mup if "mup" in where else sp, where) for where in of_adam]}
    assert verdicts(OPTIMIZERS, rows) == [expected, expected, "holds"]
    assert (
        verdicts(OPTIMIZERS, {"exponents": [fit("width", -0.6, w) for w in conditions if w not in of_adam]})
        == ["not measured"] * 3
    )


@pytest.mark.parametrize(("softmax", "expected"), [(-0.5, "holds"), (-1.1, "misses")])
def test_the_softmax_is_held_against_the_squared_loss_of_another_sweep(softmax: float, expected: str) -> None:
    plain = {"exponents": [fit("width", -1.0, "loss == 'mse'")]}
    stored = read(**{SOFTMAX: {"exponents": [fit("width", softmax)]}, SP: plain})
    assert [finding.verdict for finding in check(CLAIMS, Results(SOFTMAX, stored))] == [expected, expected]


def test_each_activation_and_depth_is_averaged_by_itself() -> None:
    ends = {("linear", 2): 5.0, ("linear", 3): 6.0, ("linear", 4): 99.0, ("tanh", 2): 5.0, ("tanh", 3): 99.0}
    onsets = [{"activation": name, "depth": depth, "c_max": c} for (name, depth), c in ends.items()]
    phases = [
        {**trial(4.0, "catapult", 1.5), "activation": "linear"},
        {**trial(4.0, "catapult", 3.0), "activation": "tanh"},
    ]
    assert verdicts(LINEAR_TANH, {"onsets": onsets, "phases": phases}) == ["holds"] * 5


def test_powers_are_fitted_on_cell_means() -> None:
    rows = [
        {"cell": f"1x{n}", "width": n, "y": 3.0 * n**0.5 * off, "loss": loss}
        for n in (64, 128, 256, 512, 1024)
        for off in (0.9, 1 / 0.9)
        for loss in ("ce", "mse")
        if loss == "ce" or n < 100
    ]
    measured = power("v", column("y"), loss="ce")(Results("s", read(s={"v": rows})))
    assert measured.value == pytest.approx(0.5, abs=1e-9)
    assert measured.note == "5 cells"
    assert power("v", column("y"), loss="mse")(Results("s", read(s={"v": rows}))).value is None


def test_means_extremes_and_shares_keep_their_ranges() -> None:
    rows = [{"y": y, "kind": kind} for y, kind in ((3.9, "a"), (4.05, "a"), (None, "a"), (9.0, "b"))]
    results = Results("s", read(s={"v": rows}, t={"v": rows[:1]}))
    mean = average("v", column("y"), kind="a")(results)
    assert (mean.value, mean.low, mean.high, mean.note) == (pytest.approx(3.975), 3.9, 4.05, "of 2")
    assert farthest(4.0, "v", column("y"), kind="a")(results).value == 3.9
    assert share("v", lambda row: None if row["y"] is None else row["y"] > 4)(results).value == pytest.approx(2 / 3)
    assert elsewhere("t", average("v", column("y")))(results).value == 3.9
    assert average("v", column("y"), kind="c")(results).value is None


def test_the_distance_between_two_searches_of_the_same_nets() -> None:
    def net(seed: int, eta_star: float | None, rate: float = 0.1) -> dict[str, Any]:
        return {
            "depth": 2, "width": 64, "input_lr": rate, "training_loss": "ce", "seed": seed, "eta_star": eta_star
        }  # fmt: skip

    here = {"eta_star": [net(1, 1.0), net(2, 2.0), net(3, None), net(4, 1.0)]}
    there = {"eta_star": [net(1, 1.1), net(2, 2.0), net(3, 1.0), net(1, 9.0, rate=1.0)]}
    measured = distance("t", "eta_star")(Results("s", read(s=here, t=there)))
    assert measured.value == pytest.approx(0.0477, abs=1e-4)
    assert measured.note == "of 2, 0.00 to 0.10"


def test_the_peak_of_the_solvable_model_comes_after_a_time_in_proportion_to_ln_width() -> None:
    rows = [
        {"eta_lambda0": 3.0, "width": n, "loss_initial": 0.5 * f * f, "peak_step": 2.0 + 0.72 * log(n / f**2)}
        for n in (16, 256, 4096)
        for f in (0.3, 1.0)
    ]
    results = Results("s", read(s={"phases": [*rows, {**rows[0], "eta_lambda0": 2.6}]}))
    assert time_to_peak(3.0)(results).value == pytest.approx(0.72, abs=1e-9)
    assert time_to_peak(2.6)(results).value is None
