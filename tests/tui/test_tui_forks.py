"""Trial draws η*(t) of the forks of its net, where it has some."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from test_tui_screens import shown
from tui_fakes import scan_store

from mlrtui import data, planning
from mlrtui.config import parse_sweep
from mlrtui.driver.loop import Driver
from mlrtui.engines.fake import FakeEngine
from mlrtui.tui.pages import PhasePage
from mlrtui.tui.ports import StoreSource
from mlrtui.tui.trial.forks import FORKS, ForkRow, beside_forks, fork_points, fork_words
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store


@dataclass(frozen=True)
class Stored:
    """A real store as the screens' tests take one."""

    path: Path

    def source(self) -> StoreSource:
        return StoreSource("s.db", lambda: Reader.open(self.path))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    document = {
        "sweep": {"name": "s", "seeds": 1},
        "data": {"name": "digits", "samples": 32, "target": "parity"},
        "model": {"depth": 1, "width": 4},
        "training": {"loss": "mse", "batch": "full", "steps": 20},
        "search": {"success": "survives", "tolerance": 0.3, "eta_min": 1e-4},
        "fork": {"at": [0, 6, 40], "base_eta_lambda0": 0.5, "steps": 20, "tolerance": 0.3},
    }
    spec, path = parse_sweep(document, "f").settled, tmp_path_factory.mktemp("forks") / "s.db"
    with Store.open(path) as opened:
        Driver(opened, FakeEngine(), driver_id="t").run_sweep(spec, planning.plan(spec, data.load))
    return Stored(path)


@pytest.mark.parametrize("ascii_only", [False, True])
async def test_trial_draws_the_forks_of_its_net_by_one_key(store: Stored, *, ascii_only: bool) -> None:
    async with shown(store, (120, 40), ascii_only=ascii_only) as view:  # type: ignore[arg-type]
        await view.press("tab", "enter")
        await view.until(lambda: view.app.reading is not None and bool(view.reading.forks))
        assert [fork.step for fork in view.reading.forks] == [0, 6, 40]
        for _ in range(4):
            await view.press("m")
            await view.until(lambda: view.reading.wanted == view.app.wanted)
            if view.app.wanted.measure == FORKS:
                break
        name, edge = ("eta*(t)", "2/lam(t)") if ascii_only else ("η*(t)", "2/λ(t)")
        assert f"{name} " in view.text()
        assert f"times {edge} · " in view.text().replace(" . ", " · ")
        assert "c catapult begins" in view.text()


async def test_phases_says_how_many_trials_of_forks_it_leaves_out(store: Stored) -> None:
    async with shown(store, (120, 40)) as view:  # type: ignore[arg-type]
        await view.press("6")
        await view.until(lambda: isinstance(view.reading.page, PhasePage))
        page = view.reading.page
        assert isinstance(page, PhasePage)
        assert view.reading.snapshot is not None
        assert page.forked == view.reading.snapshot.sweep.trials_done - len(page.marks) > 0
        assert f"and {page.forked} trials of forks" in view.text()


async def test_a_sweep_without_forks_has_none_to_draw() -> None:
    async with shown(scan_store(), (120, 40)) as view:
        await view.press("tab", "enter")
        await view.press("m")
        assert view.reading.forks == ()
        assert FORKS not in view.text()


def test_rates_that_are_not_known_are_left_out() -> None:
    forks = (ForkRow(0, 0.2, 0.1, 0.05, None), ForkRow(5, None, 0.2, 0.05, None), ForkRow(9, 0.9, 0.3, 0.05, None))
    steps, rates = fork_points(forks)
    assert (steps.tolist(), rates.tolist()) == ([0.0, 9.0], [0.2, 0.9])
    assert [series.letter for series in beside_forks(forks)] == ["e", "b"]
    assert fork_words(forks) == "η*(t) 2 to 3 times 2/λ(t) · 1 of 3 forks without a value · e 2/λ(t) · b base"
    assert fork_words(()) == ""
