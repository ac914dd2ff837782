"""Certificates of transfer: what a known law must give, and how often the interval of its drift holds."""

from math import exp, isclose, log

import numpy as np
import pytest

from mlrtui.analysis.fits import CellPoint
from mlrtui.analysis.prediction import Drift, Refusal, drift
from mlrtui.analysis.transfer import Certificate, Measured, certify, trends

WIDTHS = (64, 96, 128, 192, 256, 384, 512)
TARGET = {"depth": 2, "width": 1024}


def family(power: float, noise: float = 0.0, seed: int = 0, depths: tuple[int, ...] = (2,)) -> list[CellPoint]:
    """Cells of η = 0.3·width^power, with independent errors of ln η."""
    random = np.random.default_rng(seed)
    return [
        CellPoint(f"{d}x{w}", {"depth": float(d), "width": float(w)}, (log(0.3) + power * log(w) + float(e),))
        for d in depths
        for w, e in zip(WIDTHS, random.normal(0.0, noise, len(WIDTHS)), strict=True)
    ]


def certified(points: list[CellPoint], **settings: object) -> Certificate:
    found = certify(points, TARGET, **settings)  # type: ignore[arg-type]
    assert isinstance(found, Certificate)
    return found


@pytest.mark.parametrize(
    ("power", "verdict"),
    [(0.0, "holds"), (0.05, "holds"), (-1.0, "fails"), (-0.5, "fails"), (0.5, "fails"), (-0.25, "undecided")],
)
def test_the_verdict_follows_the_law(power: float, verdict: str) -> None:
    found = certified(family(power, 0.02))
    assert found.verdict == verdict, found.reason
    assert (found.along, found.base["width"]) == ("width", 64.0)


def test_a_law_that_fails_says_from_which_size_on() -> None:
    # half an octave a doubling: a factor 2 after two octaves, and surely past it after three
    assert certified(family(-0.5)).fails_at == 512.0
    assert certified(family(-1.0)).fails_at == 256.0
    assert certified(family(-1.0), factor=8.0).fails_at == 1024.0


def test_the_interval_of_the_drift_holds_as_often_as_it_says() -> None:
    base, target = {"depth": 2.0, "width": 64.0}, {"depth": 2.0, "width": 512.0}
    drawn = [drift(family(-0.7, 0.1, seed), base, target, 0.8) for seed in range(400)]
    held = [one.low <= 8.0**-0.7 <= one.high for one in drawn if isinstance(one, Drift)]
    assert len(held) == 400
    assert 0.76 < sum(held) / 400 < 0.92  # the interval is a tenth wider than that of least squares


def test_cells_that_agree_to_a_step_are_not_known_exactly() -> None:
    exactly, stepped = certified(family(0.0)).drift, certified(family(0.0), resolution=log(2.0)).drift
    assert isinstance(exactly, Drift)
    assert isinstance(stepped, Drift)
    assert stepped.high / stepped.low > exactly.high / exactly.low
    assert certified(family(0.0), resolution=log(8.0)).verdict == "undecided"


def test_a_rate_that_diverges_at_a_trained_size_does_not_hold_there() -> None:
    found = certified(family(0.0), lost=["2x256", "2x384", "1x64"])
    assert (found.verdict, found.fails_at, found.lost) == ("fails", 256.0, ("2x256", "2x384"))
    assert found.confirmed(Measured(0.3)).verdict == "fails"
    few = certified(family(0.0)[:3], lost=["2x96"])  # no prediction, but it was seen to diverge
    assert isinstance(few.prediction, Refusal)
    assert (few.verdict, few.fails_at) == ("fails", 96.0)
    assert certify(family(0.0), {"depth": 2, "width": 192}, lost=["2x256"]).verdict == "holds"  # type: ignore[union-attr]


def test_a_net_without_any_such_rate_takes_a_holds_back() -> None:
    found = certified(family(0.0)).confirmed(None)
    assert (found.verdict, found.inside) == ("undecided", None)
    assert found.reason == "trained at width 1024: its nets have no η*"
    assert certified(family(-1.0)).confirmed(None).verdict == "fails"


def test_cells_whose_depth_is_not_known_are_refused() -> None:
    cells = [CellPoint(p.label, {**p.values, "depth": float("nan")}, p.ln_y) for p in family(0.0)]
    found = certify(cells, TARGET)
    assert isinstance(found, Refusal)
    assert "the cells have no depth" in found.reason


def test_depth_grows_where_the_width_is_that_of_a_cell() -> None:
    found = certify(family(0.0, depths=(2, 3, 4)), {"depth": 8, "width": 128})
    assert isinstance(found, Certificate)
    assert (found.along, found.base) == ("depth", {"depth": 2.0, "width": 128.0})


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"depth": 2, "width": 32}, "no cell is smaller than depth 2, width 32"),
        ({"depth": 3, "width": 1024}, "no cell is smaller than depth 3, width 1024"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_the_reason(target: dict[str, int], words: str) -> None:
    found = certify(family(0.0), target)
    assert isinstance(found, Refusal)
    assert words in found.reason


def test_too_far_or_too_few_is_undecided() -> None:
    far = certify(family(0.0), {"depth": 2, "width": 4096})
    few = certify(family(0.0)[:3], TARGET)
    assert isinstance(far, Certificate)
    assert isinstance(few, Certificate)
    assert (far.verdict, few.verdict) == ("undecided", "undecided")
    assert "octaves outside" in far.reason
    assert "3 cells with η* in every net" in few.reason


@pytest.mark.parametrize(
    ("measured", "verdict", "inside"),
    [
        (Measured(0.3), "holds", True),
        (Measured(0.5), "holds", False),  # not predicted, but within the factor: what was measured decides
        (Measured(0.1), "fails", False),
        (Measured(0.9, "at least"), "fails", False),
        (Measured(0.2, "at least"), "undecided", None),
        (Measured(0.1, "at most"), "fails", False),
        (Measured(0.4, "at most"), "undecided", None),
    ],
)
def test_what_is_measured_at_the_size_decides(measured: Measured, verdict: str, inside: bool | None) -> None:
    found = certified(family(0.0)).confirmed(measured)
    assert (found.verdict, found.inside) == (verdict, inside), found.reason
    assert "measured at width 1024" in found.reason


def layer_rows(power: float, role: str = "hidden") -> list[dict[str, object]]:
    return [
        {"cell": f"2x{w}", "width": w, "role": role, "effective_rms": w**power, "propagating_rms": None} for w in WIDTHS
    ]


@pytest.mark.parametrize(("power", "verdict"), [(0.5, "grows"), (0.0, "keeps"), (-0.5, "shrinks")])
def test_layers_grow_keep_or_shrink_with_the_size(power: float, verdict: str) -> None:
    (found,) = trends(layer_rows(power), "width")
    assert (found.role, found.part, found.verdict) == ("hidden", "effective_rms", verdict)
    assert found.term is not None
    assert isclose(found.term.exponent, power, abs_tol=1e-9)


def test_a_layer_that_grows_takes_a_holds_back_and_one_that_shrinks_does_not() -> None:
    assert certify(family(0.0), TARGET, trends(layer_rows(0.5), "width")).verdict == "undecided"  # type: ignore[union-attr]
    assert certify(family(0.0), TARGET, trends(layer_rows(-0.5), "width")).verdict == "holds"  # type: ignore[union-attr]
    growing = certified(family(0.0), layers=trends(layer_rows(0.5), "width"))
    assert growing.confirmed(Measured(0.3)).verdict == "undecided"
    assert "hidden layer grows" in growing.reason


def test_the_value_at_the_smallest_size_is_that_of_its_nets() -> None:
    points = family(-1.0)
    assert isclose(certified(points).base_value, exp(points[0].ln_y[0]))
