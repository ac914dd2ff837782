"""Claims: numbers taken from rows and held against bands, and bands that belong to shipped examples."""

import tomllib
from typing import Any

import pytest

from mlrtui import examples
from mlrtui.analysis.claims import CATAPULT, CLAIMS, ETA_STAR, WIDTHS, Rows, check


def fit(term: str, exponent: float, where: str = "", r2: float = 0.9, name: str = "") -> dict[str, Any]:
    return {
        "fit": name or f"{term} {where}",
        "term": term,
        "y": "eta_star",
        "exponent": exponent,
        "low": exponent - 0.1,
        "high": exponent + 0.1,
        "r2": r2,
        "cells": 9,
        "where_expr": where,
    }


def trial(c: float, phase: str, end: float | None) -> dict[str, Any]:
    return {"eta_lambda0": c, "phase": phase, "eta_final_sharpness": end}


def verdicts(sweep: str, rows: Rows) -> list[str]:
    return [finding.verdict for finding in check(sweep, rows)]


def test_every_claim_names_a_shipped_example() -> None:
    names = {tomllib.loads(example.path.read_text())["sweep"]["name"] for example in examples.available()}
    assert {claim.sweep for claim in CLAIMS} <= names
    assert all(claim.low < claim.high and claim.source for claim in CLAIMS)


def test_a_good_scan_holds_and_a_shifted_one_misses() -> None:
    lazy, end = trial(1.9, "lazy", 1.9), trial(4.5, "divergent", None)
    risen = [trial(2.1, "catapult", 1.9), trial(2.3, "catapult", 1.66), trial(2.6, "catapult", 1.25)]
    good = Rows((), [lazy, *risen, trial(3.4, "catapult", 0.6), end])
    assert verdicts(CATAPULT, good) == ["holds"] * 5
    late = [trial(2.1, "lazy", 2.1), trial(2.3, "lazy", 2.3), trial(2.6, "catapult", 1.25), end]
    assert verdicts(CATAPULT, Rows((), late)) == ["misses", "misses", "misses", "misses", "holds"]
    assert verdicts(CATAPULT, Rows((), [lazy])) == ["not measured", "misses", *["not measured"] * 3]


def test_only_the_fit_of_one_term_under_the_same_condition_counts() -> None:
    wide = "width >= 16 * depth"
    two = [fit("depth*width", -0.1, name="two"), fit("width", -0.1, name="two")]
    rows = Rows([*two, fit("depth*width", -0.7, wide.replace(" ", "")), fit("lambda0", -0.6)], ())
    assert verdicts(ETA_STAR, rows) == ["holds", "holds", "holds"]
    assert verdicts(ETA_STAR, Rows(two, ())) == ["not measured"] * 3
    assert verdicts(ETA_STAR, Rows([fit("depth*width", -0.7, wide, r2=0.79)], ())) == [
        "holds",
        "misses",
        "not measured",
    ]


@pytest.mark.parametrize(("ce", "mse", "gap"), [(-0.5, -1.0, "holds"), (-0.6, -0.85, "misses")])
def test_the_gap_between_two_exponents(ce: float, mse: float, gap: str) -> None:
    where = "parametrization == 'sp' and loss == '{}'"
    rows = Rows([fit("width", ce, where.format("ce")), fit("width", mse, where.format("mse"))], ())
    assert verdicts(WIDTHS, rows) == ["holds", "holds", gap, "not measured", "not measured"]
