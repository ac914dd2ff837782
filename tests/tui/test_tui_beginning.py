"""The first seconds of a sweep: the screen says what starts, as long as the store has nothing of it."""

from dataclasses import replace
from pathlib import Path

import pytest
from test_tui_screens import shown
from tui_fakes import FakeStore, search_store

from mlrtui import planning
from mlrtui.commands.run import _starting
from mlrtui.config import load_sweep
from mlrtui.tui.state import Starting

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart-eta-star.toml"
STARTED = Starting(
    "eta* on digits", ("15 cells x 2 seeds = 30 nets", "depth 2, 3, 4, 6, 8"), "2 x cpu", "/data/a.db.log"
)


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_the_screen_after_run_shows_what_starts(size: tuple[int, int]) -> None:
    async with shown(FakeStore(driver=True), size, starting=STARTED) as view:
        text = " ".join(view.text().split())
        for words in (
            "starting eta* on digits",
            "15 cells x 2 seeds",
            "depth 2, 3, 4",
            "workers: 2 x cpu",
            "loads the data",
        ):
            assert words in text
        assert "mlrtui run" not in text
        assert "yet" not in text


async def test_a_screen_that_was_opened_beside_it_says_that_a_driver_starts() -> None:
    async with shown(FakeStore(driver=True)) as view:
        assert "a sweep is starting" in view.text()
        assert "`mlrtui run` starts one" not in view.text()


async def test_without_a_driver_there_is_nothing_that_starts() -> None:
    for store in (FakeStore(), FakeStore(error=OSError("no such file"))):
        async with shown(store, starting=STARTED) as view:
            assert "starting" not in view.text()


async def test_before_the_first_trial_the_list_says_what_comes_before_it() -> None:
    store = search_store()
    snapshot = store.snapshots[2]
    nets = tuple(replace(net, lambda0=None, status="open") for net in snapshot.nets)
    store.nets = dict.fromkeys(store.nets, nets)
    store.trials = dict.fromkeys(store.trials, ())
    store.snapshots[2] = replace(snapshot, newest_trial_id=None, trials=(), nets=nets)
    async with shown(store, (120, 36)) as view:
        assert "no trial yet: λ₀ of these nets is" in view.text()


def test_a_started_sweep_is_described_by_its_plan() -> None:
    plan = planning.plan(load_sweep(QUICKSTART), None)
    said = _starting([plan, plan], ["cpu", "cpu", "cuda:0"], Path("/data/a.db"))
    assert said.sweep == "quick start: eta* on digits"
    assert said.grid == (
        "15 cells x 2 seeds = 30 nets",
        "depth 2, 3, 4, 6, 8",
        "width 64, 128, 256",
        "then another sweep",
    )
    assert said.workers == "2 x cpu, cuda:0"
    assert said.log == "/data/a.db.log"
