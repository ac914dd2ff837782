"""What `w` writes on every screen: what the screen shows, in files that programs read."""

import csv
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from test_tui_screens import Shown, shown
from tui_fakes import FakeStore, both_sweeps, scan_store, search_store
from tui_laws import law_store, talking_store, wide_scan_store

Rows = list[dict[str, str]]


def read(folder: Path, name: str) -> Rows:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


async def write(view: Shown, folder: Path, screen: str) -> set[str]:
    """Press w; the names of the tables, after comparing text and picture with the screen."""
    before = view.text()
    await view.press("w")
    await view.until(lambda: f"written: mlrtui-{screen}.txt, .svg" in view.text())
    assert (folder / f"mlrtui-{screen}.txt").read_text(encoding="utf-8").rstrip("\n") == before.rstrip("\n")
    assert (folder / f"mlrtui-{screen}.svg").read_text(encoding="utf-8").startswith("<svg")
    return {path.stem.removeprefix(f"mlrtui-{screen}") for path in folder.glob(f"mlrtui-{screen}*.csv")}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def test_live_writes_the_steps_that_are_drawn_and_the_trials_of_the_cell(folder: Path) -> None:
    store = scan_store()
    async with shown(store, (160, 48)) as view:
        await view.press("left_square_bracket", "left_square_bracket")
        await view.until(lambda: "ηλ₀=2.1 " in view.text())
        assert await write(view, folder, "live") == {"", "-trials"}
    steps = read(folder, "mlrtui-live")
    assert {row["trial_id"] for row in steps} == {"5"}
    assert [float(row["loss"]) for row in steps] == list(store.curves[5].loss)
    trials = read(folder, "mlrtui-live-trials")
    assert [(row["trial_id"], row["verdict"]) for row in trials] == [
        (str(trial.trial_id), trial.verdict or "") for trial in store.trials[1]
    ]


async def test_trial_writes_its_steps_with_nan_as_a_flag(folder: Path) -> None:
    async with shown(scan_store(), (160, 48)) as view:
        await view.press("enter", "down", "down", "enter")
        await view.until(lambda: "trial 9 " in view.text() and view.reading.details is not None)
        assert await write(view, folder, "trial") == {""}
    last = read(folder, "mlrtui-trial")[-1]
    assert (last["trial_id"], last["step"], last["loss"], last["flags"]) == ("9", "37", "", "9")


async def test_compare_writes_all_curves_and_its_table(folder: Path) -> None:
    async with shown(scan_store(), (160, 48)) as view:
        await view.press("space", *["left_square_bracket"] * 3, "space", "equals_sign")
        await view.until(lambda: len(view.reading.compared) == 2)
        assert await write(view, folder, "compare") == {"", "-settings"}
    assert {row["trial_id"] for row in read(folder, "mlrtui-compare")} == {"7", "4"}
    settings = {row["name"]: (row["A"], row["B"]) for row in read(folder, "mlrtui-compare-settings")}
    assert settings["eta"] == ("0.15", "0.095")
    assert settings["phase"] == ("-", "lazy")


async def test_browse_writes_the_sweeps_that_pass_the_filter(folder: Path) -> None:
    async with shown(both_sweeps(), (160, 48), start="browse") as view:
        await view.until(lambda: "−0.71" in view.text())
        await view.press("slash", *"mode == 'search'", "enter")
        await view.until(lambda: "1 of 2 sweeps" in view.text())
        assert await write(view, folder, "browse") == {""}
    (row,) = read(folder, "mlrtui-browse")
    assert (row["name"], row["exponent"]) == ("digits: eta* over depth x width", "-0.71")


async def test_exponents_writes_its_cells_its_fit_and_its_nets(folder: Path) -> None:
    store = law_store()
    async with shown(store, (160, 48)) as view:
        await view.press("2")
        await view.until(lambda: "12 fitted" in view.text() or "14 fitted" in view.text())
        await view.press("slash", "ctrl+u", *"width > 64", "enter")
        await view.until(lambda: "10 fitted" in view.text())
        assert await write(view, folder, "exponents") == {"", "-fit", "-nets"}
    cells = read(folder, "mlrtui-exponents")
    assert len(cells) == len(store.snapshots[2].cells)
    inside = [row for row in cells if row["fitted"] == "1"]
    assert len(inside) == 10
    assert all(int(row["width"]) > 64 and row["left_out"] == "" and row["where"] == "width > 64" for row in inside)
    (apart_or_not,) = {row["y"] for row in cells}
    assert apart_or_not == "eta_star"
    # The fit that is written is that of the cells that are written.
    x = [math.log(float(row["x_value"])) for row in inside]
    y = [float(row["ln_y"]) for row in inside]
    mean_x, mean_y = sum(x) / 10, sum(y) / 10
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)
    fits = read(folder, "mlrtui-exponents-fit")
    assert fits[0]["term"] == "depth*width"
    assert float(fits[0]["exponent"]) == pytest.approx(slope, rel=1e-12)
    assert float(fits[0]["low"]) < slope < float(fits[0]["high"])
    assert [row["term"] for row in fits[1:]] == ["depth", "width"]
    nets = [net for row in store.nets.values() for net in row]
    assert {float(row["eta_star"]) for row in read(folder, "mlrtui-exponents-nets")} == {net.eta_star for net in nets}


async def test_phases_writes_the_trials_of_the_map(folder: Path) -> None:
    store = wide_scan_store()
    async with shown(store, (160, 48)) as view:
        await view.press("6")
        await view.until(lambda: "ranges of" in view.text() and "lazy 12" in view.text())
        assert await write(view, folder, "phases") == {""}
    rows = read(folder, "mlrtui-phases")
    assert {int(row["trial_id"]) for row in rows} == {trial.trial_id for row in store.trials.values() for trial in row}
    assert sum(row["phase"] == "lazy" for row in rows) == 12


async def test_boundary_writes_the_search_of_the_net_that_is_shown(folder: Path) -> None:
    store = law_store()
    async with shown(store, (160, 48)) as view:
        await view.press("up", "b", "right_square_bracket")
        await view.until(lambda: "L6 n256 seed" in view.text())
        seed = int(view.text().split("L6 n256 seed ")[1][0])
        assert await write(view, folder, "boundary") == {"", "-rounds", "-net"}
    mine = sorted((trial for trial in store.trials[12] if trial.seed == seed), key=lambda trial: trial.eta)
    assert [float(row["eta"]) for row in read(folder, "mlrtui-boundary")] == [trial.eta for trial in mine]
    (net,) = read(folder, "mlrtui-boundary-net")
    known = next(net for net in store.nets[12] if net.seed == seed)
    assert (float(net["eta_star"]), float(net["first_failure"])) == (known.eta_star, known.first_failure)
    rounds = read(folder, "mlrtui-boundary-rounds")
    assert [int(row["round"]) for row in rounds] == sorted({trial.round for trial in mine})


async def test_log_writes_the_events_that_pass(folder: Path) -> None:
    async with shown(talking_store(), (160, 48)) as view:
        await view.press("5")
        await view.until(lambda: "50 of 50" in view.text())
        await view.press("v", "slash", *"diverged", "enter")
        await view.until(lambda: "10 of 50" in view.text())
        assert await write(view, folder, "log") == {""}
    rows = read(folder, "mlrtui-log")
    assert [row["text"] for row in rows] == [f"event {at}: trial diverged" for at in range(48, 0, -5)]
    assert {(row["level"], row["sweep"], row["trial_id"]) for row in rows} == {("warning", "catapult scan", "9")}


@pytest.mark.parametrize("make", [scan_store, FakeStore])
async def test_what_has_no_data_writes_text_and_picture_alone(make: Callable[[], FakeStore], folder: Path) -> None:
    async with shown(make(), (160, 48)) as view:
        await view.press("question_mark", "w")
        names = {path.name for path in folder.iterdir()}
        assert names == {"mlrtui-help.txt", "mlrtui-help.svg"}
        await view.press("escape", "1", "b")  # no search in a scan, nothing at all in an empty store
        await view.until(lambda: "Boundary" in view.text())
        assert await write(view, folder, "boundary") == set()


async def test_no_file_is_replaced_not_even_of_another_screen_s_tables(folder: Path) -> None:
    (folder / "mlrtui-exponents-fit.csv").write_text("mine", encoding="utf-8")
    async with shown(law_store(), (160, 48)) as view:
        await view.press("2")
        await view.until(lambda: "fitted" in view.text())
        await view.press("w")
        await view.until(lambda: "mlrtui-exponents-2.txt, .svg, .csv, -fit.csv" in view.text())
    assert (folder / "mlrtui-exponents-fit.csv").read_text(encoding="utf-8") == "mine"


async def test_live_of_a_search_writes_too(folder: Path) -> None:
    async with shown(search_store(), (160, 48)) as view:
        assert await write(view, folder, "live") == {"", "-trials"}
    assert {row["verdict"] for row in read(folder, "mlrtui-live-trials")} >= {"reached", "diverged"}
