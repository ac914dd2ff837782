"""What a reader gives back, and that it is one picture of one moment."""

import math
import re
import sqlite3
from array import array
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import db_samples as samples
import pytest

from mlrtui_db.axes import AXES
from mlrtui_db.errors import StoreError
from mlrtui_db.lock import holder
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store

VIEWS = {
    "eta_star": "sweep cell depth width seed eta_star first_failure eta_area zone_octaves reversals trials censored"
    " lambda0 lambda0_residual operator eta_star_lambda0",
    "boundaries": "sweep cell depth width seed eta round verdict reached_epoch best_accuracy",
    "grid": "sweep cell depth width nets nets_done trials trials_done diverged ln_eta_star_mean ln_eta_star_sd"
    " lambda0_mean",
    "curves": "sweep cell depth width seed eta eta_lambda0 trial_id step loss accuracy sharpness sharpness_residual"
    " sharpness_ratio loss_state",
    "spectra": "sweep cell depth width seed eta eta_lambda0 trial_id step operator rank value residual value_ratio",
    "layers": "sweep cell depth width seed eta eta_lambda0 trial_id step layer role activation_rms effective_rms"
    " propagating_rms",
    "measures": "sweep cell depth width seed eta eta_lambda0 trial_id step measure value edge",
    "phases": "sweep cell depth width seed eta eta_lambda0 verdict phase peak_ratio peak_step lambda0 final_sharpness"
    " eta_final_sharpness final_accuracy",
    "onsets": "sweep cell depth width seed c_loss c_loss_above c_sharp c_sharp_above c_max c_max_below ordered"
    " accuracy_best eta_best eta_unstable",
    "width_growth": "sweep cell depth width seed eta eta_lambda0 trial_id factor power family logit_rms hidden_growth",
    "forks": "sweep cell depth width seed step eta_star eta_star_se eta_last first_failure window_low window_high"
    " successes reversals eta_rule censored reason trials sharpness eta_edge kappa kappa0 eta_catapult base_eta"
    " base_lambda0 base_eta_step base_schedule base_warmup_steps base_loss fork_loss fitted state steps",
    "fork_trials": "sweep cell depth width seed step eta eta_lambda0 round status verdict phase loss_final peak_ratio"
    " peak_step bad_step trial_id",
    "maps": "sweep cell depth width seed map eta axis value success status verdict phase loss_initial loss_final"
    " peak_ratio bad_step trial_id net_id",
    "exponents": "sweep fit y term exponent low high r2 cells decades where_expr excluded method",
    "annotations": "sweep kind text at annotation_id",
}


def test_the_views_are_the_contract(tmp_path: Path) -> None:
    samples.filled(tmp_path / "a.db")
    with Reader.open(tmp_path / "a.db") as reader:
        assert reader.views() == tuple(VIEWS)
        for view, promised in VIEWS.items():
            columns, rows = reader.query(view)
            assert list(columns)[: len(promised.split())] == promised.split()
            assert view in ("exponents", "annotations") or {axis.column for axis in AXES} <= set(columns)
            assert len(set(columns)) == len(columns)
            found = list(rows)
            assert found or view in ("forks", "fork_trials", "maps")  # tests/driver has those
            assert all(len(row) == len(columns) for row in found)


def query(reader: Reader, view: str, sweep: str | None = None) -> list[dict[str, object]]:
    columns, rows = reader.query(view, where_sweep=sweep)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def test_what_the_views_say(tmp_path: Path) -> None:
    samples.filled(tmp_path / "a.db")
    with Reader.open(tmp_path / "a.db") as reader:
        first = query(reader, "eta_star")[0]
        assert (first["eta_star"], first["trials"], first["lambda0"]) == (0.2, 2, 8.0)
        assert first["eta_star_lambda0"] == pytest.approx(0.2 * 4.0)  # the preconditioned one decides
        grid = query(reader, "grid")
        assert [(row["nets"], row["nets_done"], row["trials"], row["trials_done"]) for row in grid] == [
            (2, 2, 4, 4)
        ] * 2
        assert grid[0]["ln_eta_star_mean"] == pytest.approx((math.log(0.2) + math.log(0.4)) / 2)
        curve = [row for row in query(reader, "curves") if row["trial_id"] == 1]
        assert [row["step"] for row in curve] == [0, 1, 2]
        assert [row["sharpness_ratio"] for row in curve] == [8.0 * 0.1 / 2, None, 4.0 * 0.1 / 2]
        assert {row["loss_state"] for row in curve} == {"finite"}
        spectrum = [row for row in query(reader, "spectra") if row["trial_id"] == 1]
        assert [(row["step"], row["operator"], row["rank"], row["value"]) for row in spectrum] == [
            (0, "gauss-newton", 1, 8.0),
            (0, "gauss-newton", 2, 7.5),
            (0, "hessian", 1, 9.0),
            (2, "hessian", 1, None),
        ]
        assert spectrum[0]["value_ratio"] == pytest.approx(8.0 * 0.1 / 2)
        layers = [row for row in query(reader, "layers") if row["trial_id"] == 1]
        assert [
            tuple(row[name] for name in ("step", "layer", "role", "activation_rms", "propagating_rms"))
            for row in layers
        ] == [
            (0, 1, "input", 0.8, 0.0),
            (0, 2, "output", 0.7, 0.0),
            (1, 1, "input", 0.8, 0.0),
            (1, 2, "output", None, None),
        ]
        measures = [row for row in query(reader, "measures") if row["trial_id"] == 1]
        assert [
            tuple(row[name] for name in ("step", "measure", "part", "value", "edge", "value_ratio")) for row in measures
        ] == [
            (0, "grad_norm", None, 1.5, None, None),
            (0, "toy", None, 3.0, 4.0, 0.75),
            (2, "by layer", "input", 0.25, None, None),
            (2, "by layer", "output", 0.5, None, None),
            (2, "grad_norm", None, None, None, None),
        ]
        phase = query(reader, "phases")[0]
        assert phase["eta_final_sharpness"] == pytest.approx(0.1 * 3.0)
        assert query(reader, "exponents")[0]["exponent"] == -0.7


def test_query_of_one_sweep_and_of_none(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    samples.filled(path, name="one")
    samples.filled(path, name="two")
    with Reader.open(path) as reader:
        for view in set(reader.views()) - {"forks", "fork_trials", "maps"}:  # tests/driver has those
            one, two = query(reader, view, "one"), query(reader, view, "two")
            assert {row["sweep"] for row in one} == {"one"}
            assert len(one) == len(two)
            assert len(query(reader, view)) == len(one) + len(two)
            assert query(reader, view, "three") == []
        with pytest.raises(StoreError, match="no view 'step; DROP TABLE step': use one of eta_star"):
            reader.query("step; DROP TABLE step")


def test_long_exports_hold_no_transaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.db"
    samples.filled(path, etas=(0.3, 0.1, 0.2))
    monkeypatch.setattr("mlrtui_db.rows._WINDOW", 7)
    with Reader.open(path) as reader, Store.open(path) as store:
        columns, rows = reader.query("curves")
        first = next(rows)
        with store.transaction():
            store.add_event("info", "written in the middle of an export")
        assert reader.tail_events()[-1].text == "written in the middle of an export"
        everything = [dict(zip(columns, row, strict=True)) for row in (first, *rows)]
    keys = [(row["depth"], row["seed"], row["eta"], row["step"]) for row in everything]
    assert len(keys) == 2 * 2 * 3 * 3
    assert keys == sorted(keys)


@pytest.mark.parametrize("view", ["curves", "spectra", "layers", "measures"])
def test_no_window_loses_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, view: str) -> None:
    """Wherever it ends: also between the parts of a measure, of which no part may be one."""
    path = tmp_path / "a.db"
    samples.filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO series (measure) VALUES ('by layer')")
        connection.execute(
            "INSERT INTO measure (trial_id, step, series_id, value) SELECT 1, step, last_insert_rowid(), 2.0 FROM step"
            " WHERE trial_id = 1"
        )
        connection.commit()
    with Reader.open(path) as reader:
        whole = query(reader, view)
        for window in range(1, 8):
            monkeypatch.setattr("mlrtui_db.rows._WINDOW", window)
            assert query(reader, view) == whole


def test_live_is_everything_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    sweep_id = samples.filled(path)
    with Reader.open(path) as reader:
        live = reader.live()
        assert live is not None
        assert live.sweep == reader.sweeps()[0]
        assert (live.sweep.sweep_id, live.sweep.name, live.sweep.mode) == (sweep_id, "one", "search")
        assert (live.sweep.cells, live.sweep.nets, live.sweep.nets_done) == (2, 4, 4)
        assert (live.sweep.trials, live.sweep.trials_done, live.sweep.trials_running, live.sweep.trials_failed) == (
            8,
            8,
            0,
            0,
        )
        assert live.sweep.heartbeat_at is not None
        assert [(cell.depth, cell.width, cell.trials, cell.diverged) for cell in live.cells] == [
            (2, 64, 4, 0),
            (4, 64, 4, 0),
        ]
        assert live.cells[0].phases == (("stable", 4),)
        assert live.cells[0].lambda0_mean == 8.0
        assert live.newest_trial_id == 8
        assert live.cell_id == live.cells[1].cell_id
        assert [net.seed for net in live.nets] == [0, 1]
        assert [(trial.seed, trial.eta) for trial in live.trials] == [(0, 0.1), (0, 0.2), (1, 0.1), (1, 0.2)]
        assert live.trials[0].lambda0_preconditioned == 4.0
        assert [event.text for event in live.events] == ["all done"]
        assert [fit.exponent for fit in live.fits] == [-0.7]
        assert not live.writer_alive
        other = reader.live(sweep_id, live.cells[0].cell_id)
        assert other is not None
        assert other.cell_id == live.cells[0].cell_id
        assert {trial.cell_id for trial in other.trials} == {live.cells[0].cell_id}
        assert reader.live(99) is None


def test_an_empty_store_has_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with Store.open(path), Reader.open(path) as reader:
        assert reader.sweeps() == ()
        assert reader.live() is None
        assert reader.trial(1) is None
        curve = reader.curve(1)
        assert (curve.attempt, len(curve.step), curve.step.typecode, curve.loss.typecode) == (0, 0, "q", "d")
        assert {view: query(reader, view) for view in reader.views()} == {view: [] for view in VIEWS}


def test_a_fresh_sweep_shows_its_first_cell(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    samples.filled(path)
    with Store.open(path) as store, Reader.open(path) as reader:
        with store.transaction():
            newest = store.add_sweep(samples.sweep("two", mode="scan"))
        live = reader.live()
        assert live is not None
        assert (live.sweep.sweep_id, live.sweep.trials, live.sweep.heartbeat_at) == (newest, 0, None)
        assert live.cell_id == live.cells[0].cell_id
        assert (live.trials, live.newest_trial_id, live.fits, live.cells[0].phases) == ((), None, (), ())
        assert live.writer_alive
        assert holder(path) is not None
        older = reader.live(1)
        assert older is not None
        assert older.sweep.name == "one"
        first, other_sweep = live.cells[0].cell_id, older.cells[0].cell_id
        again = reader.live(newest, other_sweep)
        assert again is not None
        assert again.cell_id == first


def test_the_picture_never_reads_the_steps(tmp_path: Path) -> None:
    samples.filled(tmp_path / "a.db")
    asked: list[str] = []
    with Reader.open(tmp_path / "a.db") as reader:
        reader._connection.set_trace_callback(asked.append)
        reader.live()
        reader.sweeps()
        reader.trial(1)
        seen = len(asked)
        reader.curve(1)
    assert not [query for query in asked[:seen] if re.search(r"\b(step|curves)\b", query)]
    assert [query for query in asked[seen:] if re.search(r"\bFROM step\b", query)]
    assert asked.count("BEGIN") == asked.count("COMMIT") == 4


def test_curves_can_be_read_bit_by_bit(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    samples.filled(path)
    with Reader.open(path) as reader:
        whole = reader.curve(1)
        assert whole.loss == array("d", [2.3, 2.5, 1.0])
        assert math.isnan(whole.sharpness[1])
        assert reader.curve(1, after_step=0).step == array("q", [1, 2])
        assert reader.curve(1, after_step=2).step == array("q")
        assert reader.curve(1, limit=2).loss == whole.loss[:2]
        assert reader.curve(1, after_step=0, limit=1).step == array("q", [1])
        assert (reader.curve(1, limit=0).attempt, len(reader.curve(1, limit=0).step)) == (whole.attempt, 0)


@pytest.mark.parametrize("without", [(), (4,)], ids=["each step", "one left out"])
def test_a_long_curve_is_the_same_whichever_way_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: tuple[int, ...]
) -> None:
    path = tmp_path / "a.db"
    samples.filled(path)
    numbers = {0: (2.0, None, 8.0), 3: (None, 0.5, None), 7: (1.0, None, 9.0)}  # loss, accuracy, sharpness
    with closing(sqlite3.connect(path)) as connection:
        (columns,) = connection.execute("SELECT count(*) FROM pragma_table_info('step')").fetchone()
        assert columns == 9
        connection.execute("DELETE FROM step WHERE trial_id IN (1, 2)")
        for step in (step for step in range(9) if step not in without):
            row = numbers.get(step, (1.5 + step, None, None))
            for trial_id, flags in ((1, step % 3), (2, 0)):
                values = (trial_id, step, *row, None, None, flags, None)
                connection.execute("INSERT INTO step VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        connection.execute("UPDATE trial SET n_steps = 9")
        connection.commit()
    with Reader.open(path) as reader:
        plain = [reader.curve(trial_id) for trial_id in (1, 2)]
        monkeypatch.setattr("mlrtui_db._curves._LONG", 1)
        asked: list[str] = []
        reader._connection.set_trace_callback(asked.append)
        counted = [reader.curve(trial_id) for trial_id in (1, 2)]
        shorter = [reader.curve(trial_id, residuals=False) for trial_id in (1, 2)]
    assert any("flags != 0" in query for query in asked)
    assert any("ifnull(accuracy" in query for query in asked) == bool(without)
    for one, other in zip(plain, counted, strict=True):
        for name in ("step", "loss", "accuracy", "sharpness", "sharpness_residual", "flags"):
            assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name
    for one, other in zip(plain, shorter, strict=True):
        assert (one.loss.tobytes(), one.flags) == (other.loss.tobytes(), other.flags)
        assert not len(other.sharpness_residual)


def test_a_measure_is_a_curve_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    samples.filled(path)
    with Reader.open(path) as reader:
        layers, spectra = ("activation_rms", "by layer", "effective_rms"), ("spectrum gauss-newton", "spectrum hessian")
        assert reader.measures(1) == (*layers, "grad_norm", "propagating_rms", *spectra, "toy")
        curve = reader.measure_curve(1, "grad_norm")
        assert (curve.measure, curve.attempt, [*curve.parts]) == ("grad_norm", 1, [""])
        values = curve.parts[""]
        assert values.step == array("q", [0, 2])
        assert values.value[0] == 1.5
        assert all(map(math.isnan, (values.value[1], *values.edge)))
        assert reader.measure_curve(1, "toy").parts[""].edge == array("d", [4.0])
        assert reader.measure_curve(1, "grad_norm", after_step=0).parts[""].step == array("q", [2])
        assert not reader.measure_curve(1, "nothing").parts
        by_layer = reader.measure_curve(1, "by layer").parts
        assert {part: (values.step[0], values.value[0]) for part, values in by_layer.items()} == {
            "input": (2, 0.25),
            "output": (2, 0.5),
        }
        assert [*reader.measure_curve(1, "spectrum gauss-newton").parts] == ["1", "2"]
        assert reader.measures(10**6) == ()


def test_a_cell_is_told_apart_by_what_its_label_says_beside_its_size(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    labels = ["2x64", "2x128 in=0.1 ce", "2x256 in=0.1 mse", "of another tool"]
    cells = [replace(samples.cell(place, 2, 64 << place, (0,)), label=label) for place, label in enumerate(labels)]
    with Store.open(path) as store, store.transaction():
        store.add_sweep(samples.sweep(cells=cells))
    with Reader.open(path) as reader:
        live = reader.live()
    assert live is not None
    assert [cell.variant for cell in live.cells] == ["", "in=0.1 ce", "in=0.1 mse", ""]


def test_a_reader_closes_once(tmp_path: Path) -> None:
    samples.filled(tmp_path / "a.db")
    reader = Reader.open(tmp_path / "a.db")
    reader.close()
    reader.close()
    with pytest.raises(StoreError):
        reader.sweeps()


def test_everything_about_a_trial(tmp_path: Path) -> None:
    samples.filled(tmp_path / "a.db")
    with Reader.open(tmp_path / "a.db") as reader:
        snapshot = reader.live()
        assert snapshot is not None
        trial = snapshot.trials[0]
        details = reader.trial_details(trial.trial_id)
        assert details is not None
        stored = dict(details.trial)
        assert (stored["eta"], stored["verdict"]) == (trial.eta, trial.verdict)
        assert "loss_initial" in stored
        assert dict(details.net)["lambda0"] == 8.0
        cell = dict(details.cell)
        assert cell["cell_id"] == snapshot.cell_id
        assert cell["activation"] == "relu"
        assert "settings" not in cell
        assert dict(details.sweep)["name"] == "one"
        assert dict(details.attempt)["attempt"] == trial.attempt
        assert reader.trial_details(10**6) is None


def test_a_reader_follows_what_is_added_and_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with Store.open(path) as store, Reader.open(path) as reader:
        with store.transaction():
            sweep_id = store.add_sweep(samples.sweep())
        nets = samples.net_ids(store, sweep_id)
        seen = []

        def look() -> None:
            with Reader.open(path) as fresh:
                seen.append(reader.live())
                assert seen[-1] == fresh.live()

        look()
        with store.transaction():
            ids = store.add_trials([samples.trial(net_id, 0.1) for net_id in nets])
        look()
        with store.transaction():
            store.open_attempts(ids, "driver", "cpu", {})
            store.append_steps(samples.steps(ids[-1], [2.0, 1.0]))
        look()
        assert seen[-1].newest_trial_id == ids[-1]
        assert sum(cell.trials_running for cell in seen[-1].cells) == len(ids)
        with closing(sqlite3.connect(path)) as other, other:  # as a merge does, without a mark on what is left
            other.execute("DELETE FROM attempt WHERE trial_id = ?", (ids[0],))
            other.execute("DELETE FROM trial WHERE trial_id = ?", (ids[0],))
        look()
        with store.transaction():
            store.add_sweep(samples.sweep("another"))
        look()  # where the store has two sweeps, the newest is shown
        assert seen[-1].sweep.sweep_id != sweep_id
        assert reader.live(sweep_id).cells == seen[-2].cells
