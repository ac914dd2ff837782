"""Fits while a sweep runs: cells that have no value yet are counted, and the main fit comes first."""

from dataclasses import replace

import pytest
from test_tui_screens import shown
from tui_fakes import FakeStore, search_store
from tui_rows import make_fit

from mlrtui.analysis.exclusions import left_out
from mlrtui.analysis.fits import FitSpec, fit
from mlrtui.analysis.points import points
from mlrtui.text.phrases import fit_sentence


def running() -> FakeStore:
    """The search whose last two cells are at work, with the fits that a driver stores meanwhile."""
    store = search_store()
    waiting = ("L8 n128: not measured yet", "L8 n256: not measured yet")
    fits = (
        make_fit(fit="l", y="lambda0", exponent=0.98),
        make_fit(fit="d", term="(depth-1)*width", exponent=-0.66, excluded=waiting),
        make_fit(fit="m", exponent=-0.71, excluded=waiting),
    )
    snapshot = store.snapshots[2]
    for cell_id in (14, 15):
        store.nets[cell_id] = tuple(replace(net, status="running", eta_star=None) for net in store.nets[cell_id])
    store.snapshots[2] = replace(snapshot, fits=fits, nets=store.nets[15])
    return store


def test_cells_that_wait_are_counted() -> None:
    texts = ("a: censored", "b: not measured yet", "c: outside where", "d: not measured yet")
    assert left_out(texts) == "a: censored, 2 cells not measured yet, 1 cell outside where"
    assert left_out(texts[1:2]) == "1 cell not measured yet"


@pytest.mark.parametrize(
    ("status", "reason"), [("running", "not measured yet"), ("queued", "not measured yet"), ("done", "no value")]
)
def test_a_cell_without_a_value_waits_only_while_its_nets_do(status: str, reason: str) -> None:
    row = {"cell": "a", "depth": 2, "width": 64, "censored": None, "eta_star": None, "status": status}
    cells = points([row], "eta_star", {"a": 1})
    assert fit(cells, FitSpec("eta_star", ("depth*width",))).excluded == (f"a: {reason}",)
    done = 1 if status == "done" else 0
    row = {"cell": "a", "depth": 2, "width": 64, "lambda0_mean": None, "nets": 1, "nets_done": done}
    cells = points([row], "lambda0", {"a": 1})
    assert fit(cells, FitSpec("lambda0", ("depth*width",))).excluded == (f"a: {reason}",)


async def test_live_shows_the_main_fit_first_and_counts_what_waits() -> None:
    async with shown(running(), (160, 60)) as view:
        await view.until(lambda: "fits, 95 %" in view.text())
        text = view.text()
        rows = (make_fit(), make_fit(term="(depth-1)*width"))
        main, second = (text.index(fit_sentence([row])[:24]) for row in rows)
        assert main < min(second, text.index("λ₀ ∝"))
        assert "2 cells not measured yet" in text.split("fits, 95 %")[1]
        assert "L8 n128: not" not in text


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_exponents_has_no_row_for_a_cell_that_waits(size: tuple[int, int]) -> None:
    async with shown(running(), size) as view:
        await view.press("2")
        await view.until(lambda: "fitted" in view.text())
        assert "2 not measured yet" in view.text()
        await view.press("tab", "tab", "z")
        await view.until(lambda: "residuals" in view.text())
        assert "L8 n64" in view.text()
        assert "L8 n128" not in view.text()


async def test_exponents_lists_the_other_fits_below() -> None:
    async with shown(running(), (120, 60)) as view:
        await view.press("2")
        await view.until(lambda: "other fits of the sweep" in view.text())
        text = view.text()
        above, below = text.split("other fits of the sweep")
        assert "η* ∝ (depth·width)^" in above
        assert "λ₀ ∝" in below.split("residuals")[0]
        assert "((depth-1)·width)^" in below.split("residuals")[0]
