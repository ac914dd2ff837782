"""`mlrtui plot` on real stores: every figure and format, whole or not at all, the same bytes, one line for bad
input.
"""

import os
import re
import sqlite3
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="figures need the extra plot")

from conftest import SMALL_MAP, SMALL_SCAN, SMALL_SEARCH, Mlrtui, file_size_limit

from mlrtui.errors import BadInput
from mlrtui.figures.kinds import FIGURES, MOST_CURVES, Asked, read_trainings, view_rows
from mlrtui.figures.saving import ENDINGS, save
from mlrtui.figures.style import SIZES, new_axes, styled
from mlrtui.reading.store import open_store as mlrtui_open
from mlrtui_db.errors import StoreError
from mlrtui_db.reader import Reader

FORKS = f"""{SMALL_SEARCH.replace("small search", "small forks")}
[fork]
at = [0, 6]
base_eta_lambda0 = 0.5
steps = 20
tolerance = 0.3
"""


@pytest.fixture
def store(made: Callable[..., Path]) -> Path:
    found = made(SMALL_SEARCH, SMALL_SCAN)
    with closing(sqlite3.connect(found)) as connection:  # which made-up trainings do not have
        connection.execute("UPDATE step SET accuracy = 1.0 - 1.0 / (step + 2) WHERE accuracy IS NULL")
        connection.commit()
    return found


@pytest.fixture
def store_for(made: Callable[..., Path], store: Path) -> Callable[[str], Path]:
    """One that has what a figure draws."""
    return lambda kind: made(FORKS) if kind == "forks" else made(SMALL_MAP) if kind == "map" else store


def draw(store: Path, kind: str, out: Path, size: str = "single") -> bytes:
    with Reader.open(store) as reader:
        figure = FIGURES[kind]
        sweeps = [row for row in reader.sweeps() if row.mode == figure.modes[0]]
        loaded = figure.load(reader, sweeps, Asked())
    save(out, figure, loaded, Asked(), SIZES[size])
    return out.read_bytes()


@pytest.mark.parametrize("kind", FIGURES.ours)
def test_a_figure_is_the_same_bytes_twice_in_every_format(
    store_for: Callable[[str], Path], tmp_path: Path, kind: str
) -> None:
    store = store_for(kind)
    for ending in ENDINGS:
        first = draw(store, kind, tmp_path / f"a{ending}")
        assert draw(store, kind, tmp_path / f"b{ending}") == first
    root = ET.fromstring((tmp_path / "a.svg").read_bytes())
    assert any(node.tag.endswith("}text") for node in root.iter())  # text stays text
    names = [node.get("id") for node in root.iter() if node.get("id")]
    assert len(names) == len(set(names))
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert b"/Type3" not in pdf
    assert b"/CIDFontType2" in pdf
    assert b"CreationDate" not in pdf


def test_every_censored_net_is_a_mark_of_the_file(store: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("UPDATE net SET censored = 'at_max' WHERE seed = 1 AND eta_star IS NOT NULL")
        (count,) = connection.execute("SELECT count(*) FROM net WHERE censored = 'at_max'").fetchone()
        connection.commit()
    root = ET.fromstring(draw(store, "eta-star", tmp_path / "a.svg"))
    (part,) = (node for node in root.iter() if node.get("id") == "at-max")
    assert sum(node.tag.endswith("}use") for node in part.iter()) == count == 4


def test_the_help_names_every_figure(mlrtui: Mlrtui) -> None:
    shown = mlrtui("plot", "--help").stdout
    assert all(name in shown for name in FIGURES.ours)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["pie"], "use one of eta-star, exponents"),
        (["eta-star", "--out", "a.jpg"], "use one of .pdf, .svg, .png"),
        (["eta-star"], "plot needs --out FILE"),
        (["eta-star", "--out", "a.pdf", "--text"], "give one of them"),
        (["eta-star", "--out", "a.pdf", "--size", "huge"], "use single or double"),
        (["phases", "--out", "a.pdf", "--group-by", "loss"], "has no groups"),
        (["accuracy", "--out", "a.pdf", "--x", "width"], "no variable to choose"),
        (["onsets", "--out", "a.pdf", "--x", "deepness"], "deepness"),
        (["transfer", "--out", "a.pdf", "--group-by", "colour"], "'colour' is no axis"),
        (["onsets", "small search", "--out", "a.pdf"], "needs a scan"),
        (["transfer", "small search", "small scan", "--out", "a.pdf"], "draw them apart"),
        (["phases", "--out", "a.pdf", "--x", "width"], "no variable to choose"),
        (["eta-star", "--out", "a.pdf", "--group-by", "colour"], "'colour' is no axis"),
        (["eta-star", "--out", "a.pdf", "--x", "deepness"], "deepness"),
        (["eta-star", "--out", "a.pdf", "--where", "width >"], "width"),
        (["phases", "--out", "a.pdf", "--where", "width > 4000"], "holds for no cell"),
        (["eta-star", "small scan", "--out", "a.pdf"], "needs a search"),
        (["eta-star", "nothing", "--out", "a.pdf"], "no sweep of this name"),
        (["eta-star", "--out", "mlrtui.db.svg"], "already exists"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(mlrtui: Mlrtui, store: Path, options: list[str], words: str) -> None:
    store.with_name("mlrtui.db.svg").write_text("mine")
    done = mlrtui("plot", *options, "--store", store)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert words in done.stderr
    assert store.with_name("mlrtui.db.svg").read_text() == "mine"
    assert not store.with_name("a.pdf").exists()


def test_a_full_disk_leaves_no_half_file(store: Path, tmp_path: Path) -> None:
    draw(store, "eta-star", tmp_path / "a.svg")  # fonts are found, and kept in their cache
    with file_size_limit(100), pytest.raises(StoreError):
        draw(store, "eta-star", tmp_path / "b.svg")
    assert not (tmp_path / "b.svg").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


def test_without_matplotlib_a_line_names_the_extra(store: Path) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from mlrtui.cli import main\n"
        "sys.argv = ['mlrtui', *sys.argv[1:]]; main()"
    )
    base = [sys.executable, "-c", code]
    for line in (["plot", "eta-star", "--out", "a.pdf"], ["report", "--out", "a.html"]):
        done = subprocess.run([*base, *line, "--store", str(store)], capture_output=True, text=True, check=False)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert "pip install 'mlrtui[plot]'" in done.stderr
    text = subprocess.run(
        [*base, "plot", "eta-star", "--text", "--store", str(store)], capture_output=True, text=True, check=False
    )
    assert text.returncode == 0, text.stderr  # the terminal needs none


def test_nothing_loads_matplotlib_unasked() -> None:
    modules = "mlrtui.cli, mlrtui.figures, mlrtui.commands.plot, mlrtui.commands.report"
    code = f"import sys, {modules}; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("kind", FIGURES.ours)
def test_text_fits_the_terminal_and_ascii_is_ascii(mlrtui: Mlrtui, store_for: Callable[[str], Path], kind: str) -> None:
    store = store_for(kind)
    done = mlrtui("plot", kind, "--text", "--ascii", "--store", store)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    if kind != "exponents":  # which is lines of text without a picture
        wide = mlrtui("plot", kind, "--text", "--store", store).stdout
        assert max(map(len, wide.splitlines())) <= 80
        assert ("┌" if kind != "map" else "|#") in wide


def test_more_rates_than_curves_keep_the_changes_of_phase(store: Path) -> None:
    with closing(sqlite3.connect(store)) as connection:
        net, old = connection.execute(
            "SELECT net_id, max(trial_id) FROM trial JOIN net USING (net_id) JOIN cell USING (cell_id)"
            " JOIN sweep s USING (sweep_id) WHERE s.name = 'small scan' AND trial.status = 'done'"
        ).fetchone()
        columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(trial)")]
        kept = [name for name in columns if name not in ("trial_id", "trial_key", "eta", "eta_lambda0", "phase")]
        connection.execute("DELETE FROM trial WHERE net_id = ? AND trial_id <> ?", (net, old))
        for place in range(60):
            connection.execute(
                f"INSERT INTO trial (trial_key, eta, eta_lambda0, phase, {', '.join(kept)})"
                f" SELECT hex(randomblob(32)), ?, ?, ?, {', '.join(kept)} FROM trial WHERE trial_id = ?",
                (0.01 * (place + 1), 0.05 * (place + 1), "lazy" if place < 41 else "catapult", old),
            )
        connection.execute("DELETE FROM trial WHERE trial_id = ?", (old,))
        connection.commit()
    with Reader.open(store) as reader:
        sweeps = [row for row in reader.sweeps() if row.mode == "scan"]
        found, notes = read_trainings(reader, view_rows(reader, "phases", sweeps))
    assert len(found) == MOST_CURVES
    places = [round(one.eta / 0.01) for one in found]
    assert places == sorted(places)
    assert {1, 41, 42, 60} <= set(places)
    assert any("12 of 60 rates" in note for note in notes)


def test_the_rates_of_a_schedule_are_those_of_its_steps(made: Callable[..., Path]) -> None:
    scheduled = SMALL_SCAN.replace("steps = 60", 'steps = 60\nschedule = "linear-warmup"\nwarmup_steps = 20')
    with Reader.open(made(scheduled)) as reader:
        found, _ = read_trainings(reader, view_rows(reader, "phases", reader.sweeps()))
    assert found
    for one in found:
        assert one.eta_along is not None
        assert one.eta_along.tolist() == pytest.approx([one.eta * min(1.0, (step + 1) / 20) for step in one.step])


def test_the_guides_script_runs(store: Path) -> None:
    guide = Path(__file__).resolve().parents[2] / "docs" / "guides" / "figures.md"
    (script,) = re.findall(r"^```python\n(.*?)^```$", guide.read_text(), flags=re.DOTALL | re.MULTILINE)
    script = script.replace("quick start: eta* on digits", "small search")
    environment = {**os.environ, "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=store.parent, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in ("eta-star.pdf", "both.pdf"):
        assert store.with_name(name).read_bytes().startswith(b"%PDF")


def test_figures_of_an_open_store_are_those_of_the_command(store: Path, tmp_path: Path) -> None:
    with mlrtui_open(store) as opened:
        assert dir(opened.plot) == sorted(name.replace("-", "_") for name in FIGURES)
        sweep = opened["small search"]
        ours = sweep.plot.eta_star()
        with styled():
            theirs = sweep.plot.eta_star(new_axes(SIZES["double"]), x="width", group_by=["loss"])
        assert [len(line.get_xdata()) for line in ours.lines if line.get_gid() == "nets"] == [8]
        assert theirs.get_xlabel() == "width"
        assert ours.figure.get_size_inches()[0] == SIZES["single"].width
        for wrong, words in (
            (sweep.plot.onsets, "needs a scan"),
            (lambda: sweep.plot.boundary(x="width"), "x= the figure boundary has no variable"),
            (lambda: sweep.plot.eta_star(size="huge"), "use single or double"),
        ):
            with pytest.raises(BadInput, match=words):
                wrong()
        with pytest.raises(AttributeError, match="there are eta_star, exponents"):
            sweep.plot.pie()


def test_a_figure_of_nothing_is_refused(store: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("UPDATE net SET eta_star = NULL, censored = NULL")
        connection.execute("DELETE FROM step")
        connection.commit()
    for kind in ("eta-star", "catapult", "sharpness"):
        with pytest.raises(BadInput, match="nothing to draw"):
            draw(store, kind, tmp_path / "a.svg")
    assert not (tmp_path / "a.svg").exists()
