"""Quantities that the trainings of a scan tell: rules, bounds, and their fits from a real store."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import SMALL_SCAN, Mlrtui

from mlrtui.analysis.quantities import QUANTITIES, derived, lacks, of_mode
from mlrtui.reading.quantities import quantity_rows
from mlrtui_db.reader import Reader

PHASES = {
    "l": "lazy", "c": "catapult", "d": "divergent", "x": "collapsed", "u": "unfinished"
}  # fmt: skip


def net(kinds: str, losses: Sequence[float] = (), cell: str = "1x8", seed: int = 1) -> list[dict[str, Any]]:
    """Trainings of one net at rates 1, 2, 4, ..., by the first letters of their phases."""
    ends = losses or [1.0] * len(kinds)
    return [
        {"sweep": "s", "cell": cell, "seed": seed, "eta": 2.0**place, "phase": PHASES[kind], "loss_final": loss,
         "verdict": "diverged" if kind == "d" else "finished"}
        for place, (kind, loss) in enumerate(zip(kinds, ends, strict=True))
    ]  # fmt: skip


def cell(label: str = "1x8", nets: int = 1, done: int = 1) -> dict[str, Any]:
    return {"cell": label, "nets": nets, "nets_done": done, "depth": 1, "width": 8}


def only(y: str, rows: list[dict[str, Any]]) -> tuple[object, object]:
    (found,) = derived(y, [cell()], rows)
    return found[y], found["censored"]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ("lcd", (2.0, None)),
        ("lcx", (2.0, None)),
        ("ldc", (1.0, None)),  # what survives above the first that is lost does not count
        ("lcc", (4.0, "at_max")),  # nothing is lost
        ("lud", (1.0, "at_max")),  # with more steps it may be more
        ("uld", (2.0, None)),
        ("ddd", (None, "none")),
        ("xud", (None, "none")),
    ],
)
def test_the_largest_stable_rate_lies_below_the_first_that_is_lost(kinds: str, expected: tuple[object, object]) -> None:
    assert only("eta_stable", net(kinds)) == expected


@pytest.mark.parametrize(
    ("kinds", "losses", "expected"),
    [
        ("lcd", (3.0, 1.0, 0.5), (2.0, None)),
        ("lcc", (3.0, 2.0, 1.0), (4.0, "at_max")),
        ("lcc", (1.0, 2.0, 3.0), (1.0, "at_min")),
        ("lcc", (2.0, 1.0, math.inf), (2.0, None)),
        ("l", (1.0,), (1.0, "alone")),
        ("dd", (1.0, 1.0), (None, "none")),
    ],
)
def test_the_best_rate_is_a_bound_at_either_end(
    kinds: str, losses: tuple[float, ...], expected: tuple[object, object]
) -> None:
    assert only("best_rate", net(kinds, losses)) == expected


def test_outputs_have_one_size_where_there_is_one_rate() -> None:
    one = [net("l")[0] | {"logit_growth": 3.0, "logit_rms_initial": 0.5, "logit_rms_peak": 9.0}]
    assert only("logit_rms", one) == (1.5, None)
    assert only("logit_rms", [one[0] | {"logit_growth": None}]) == (9.0, None)
    assert only("logit_rms", net("ll")) == (None, "none")


def test_a_training_that_the_machine_failed_was_not_tried() -> None:
    rows = net("lcd")
    rows[2]["verdict"] = "failed"
    assert only("eta_stable", rows) == (2.0, "at_max")


def test_a_cell_at_work_waits_and_one_without_trainings_is_there() -> None:
    cells = [cell("1x8", nets=2, done=1), cell("1x16")]
    rows = derived("best_rate", cells, net("lcd", (3.0, 1.0, 2.0)))
    assert [(row["cell"], row.get("best_rate"), row["nets_done"] == row["nets"]) for row in rows] == [
        ("1x8", 2.0, False),
        ("1x16", None, True),
    ]


def test_a_kind_of_sweep_lacks_what_the_other_alone_has() -> None:
    for mode in ("search", "scan"):
        assert [y for y in QUANTITIES if not lacks(y, mode)] == of_mode(mode)
    assert set(of_mode("search")) & set(of_mode("scan")) == {"lambda0", "lambda0_preconditioned"}
    assert not lacks("logit_rms", "scan", 1)
    assert "this [scan] has 2" in lacks("logit_rms", "scan", 2)


def test_fits_of_a_scan_explain_what_its_views_show(made: Callable[..., Path], mlrtui: Mlrtui) -> None:
    widths = "width = [8, 16, 32, 64]"
    asked = "".join(f'\n[[fit]]\ny = "{y}"\nx = "width"\ncensored = "bound"\n' for y in ("best_rate", "eta_stable"))
    store = made(SMALL_SCAN.replace("width = 64", widths).replace("2.6, 9.0", "1.3, 2.6, 5.0, 9.0, 20.0") + asked)
    with Reader.open(store) as reader:
        columns, rows = reader.query("onsets")
        onsets = [dict(zip(columns, row, strict=True)) for row in rows]
        found = quantity_rows(reader, "small scan", "scan", ["eta_stable", "lambda0"])
        fits = {fit.y: fit for fit in reader.fits(reader.sweeps()[0].sweep_id)}
    stable = {row["cell"]: row["eta_stable"] for row in found["eta_stable"]}
    assert len(stable) == 4
    for row in onsets:
        assert stable[row["cell"]] == pytest.approx(row["c_max"] / row["lambda0_preconditioned"], rel=1e-9)
    assert set(fits) == {"best_rate", "eta_stable"}
    for y, fit in fits.items():
        told = mlrtui("fit", "--y", y, "--x", "width", "--censored", "bound", "--json")
        assert told.returncode == 0, told.stderr
        (group,) = json.loads(told.stdout)["fits"]
        (term,) = group["terms"]
        assert term["exponent"] == fit.exponent
    refused = mlrtui("fit", "small scan", "--y", "logit_rms", "--x", "width")
    assert (refused.returncode, refused.stderr) == (
        2,
        "mlrtui: --y 'logit_rms': sweep 'small scan': needs one rate for each net, and this [scan] has 6\n",
    )
