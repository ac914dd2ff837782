"""Stores in trouble, and odd data, on every screen: it says what it sees and never raises."""

import math
from dataclasses import replace

import pytest
from conftest import thinned
from test_tui_screens import WAYS, shown
from tui_fakes import FakeStore, scan_store
from tui_rows import make_curve

from mlrtui_db.errors import StoreError, StoreMissing

SCREENS = [name for name in WAYS if name not in ("help", "palette", "control")]


@pytest.mark.parametrize("screen", SCREENS)
async def test_a_store_that_fails_meanwhile_is_said_and_comes_back(screen: str) -> None:
    store = scan_store()
    async with shown(store) as view:
        await view.press("space")
        await view.go(screen)
        await view.until(lambda: "catapult" in view.text() or screen == "compare")
        store.error = StoreError("runs.db is locked by another program: wait, or end it.")
        await view.press("r")
        await view.until(lambda: "runs.db is locked" in view.text())
        store.error = None
        store.commit()
        await view.press("r")
        await view.until(lambda: "runs.db is locked" not in view.text())


@pytest.mark.parametrize("screen", SCREENS)
async def test_a_missing_store_is_said(screen: str) -> None:
    async with shown(FakeStore(error=StoreMissing("There is no store at runs.db: run mlrtui run."))) as view:
        await view.go(screen)
        await view.until(lambda: "There is no store at runs.db" in view.text())


ODD = ([0.5], [math.nan] * 40, [0.5] * 40, [], [1e300, -1e300, 1e-300, 0.0])


@pytest.mark.parametrize(("screen", "loss"), thinned(["live", "trial", "compare"], ODD, step=2))
async def test_odd_curves_are_drawn_on_every_screen(screen: str, loss: list[float]) -> None:
    store = scan_store()
    flags = [1 if math.isnan(value) else 0 for value in loss]
    store.curves[7] = make_curve(7, loss, loss, flags)
    rows = [replace(trial, n_steps=len(loss)) if trial.trial_id == 7 else trial for trial in store.trials[1]]
    store.trials[1] = tuple(rows)
    async with shown(store, (100, 30)) as view:
        await view.press("space")
        await view.go(screen)
        await view.press("y", "x", "left", "right", "tab", "y", "y")
        await view.pilot.resize_terminal(40, 12)
        await view.pilot.pause()
        await view.pilot.resize_terminal(100, 30)
        await view.pilot.pause()
        assert "catapult scan" in view.text()


async def test_from_browse_to_the_peak_of_a_diverged_trial_in_six_keys() -> None:
    async with shown(scan_store(), start="browse") as view:
        await view.until(lambda: "1 sweep" in view.text())
        for key in ("enter", "enter", "down", "down", "enter"):
            before = view.reading.trial_id
            await view.press(key)
            if key == "down":
                await view.until(lambda before=before: view.reading.trial_id != before)  # type: ignore[misc]
        await view.until(lambda: "diverged: the loss was NaN at step 37" in view.text())
        trace = view.reading.trace
        assert trace is not None
        assert f" step 36  loss {trace.loss[36]:.7g}" in view.text()
