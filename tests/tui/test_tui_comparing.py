"""Compare for nets and for sweeps: marks, what is put side by side, what is taken away."""

import csv
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from test_tui_screens import Shown, shown
from tui_fakes import FakeStore, scan_store, search_store
from tui_laws import law_store
from tui_rows import make_fit

from mlrtui.errors import BadInput
from mlrtui.tui.compare.differences import by_rate
from mlrtui.tui.compare.marking import nets_of, sweeps_named
from mlrtui.tui.compare.screen import CompareScreen
from mlrtui.tui.compare.sweeps import agreement_text, laws, ratio_sentences, ratios_of, stored_choices
from mlrtui.tui.once import data_once, read_once, render_once
from mlrtui.tui.state import ComparedSweep, Mark, Reading

NETS = (Mark(0, 2, None, 10, 1), Mark(0, 2, None, 41, 4))


def slower_store(factor: float = 0.5) -> FakeStore:
    """The sweep of `law_store` with all η* that many times as large, and one cell that is not done."""
    store = law_store()
    for cell_id, nets in store.nets.items():
        store.nets[cell_id] = tuple(replace(net, eta_star=factor * net.eta_star) for net in nets if net.eta_star)
    store.nets[5] = tuple(replace(net, eta_star=None, status="open") for net in store.nets[5])
    fits = (make_fit(fit="a", term="depth*width", where_expr="", exponent=-0.4, low=-0.45, high=-0.35),)
    store.snapshots[2] = replace(store.snapshots[2], fits=fits)
    return store


def two(one: FakeStore, other: FakeStore) -> Reading:
    sources = [one.source("one.db"), other.source("other.db")]
    return read_once(sources, "compare", marks=(Mark(0, 2, None), Mark(1, 2, None)))


async def marked(view: Shown, count: int) -> None:
    await view.until(lambda: len(view.app.look.marked) == count)


async def test_nets_are_marked_in_live_and_in_boundary_and_their_searches_are_side_by_side() -> None:
    async with shown(law_store(), (160, 48)) as view:
        await view.press("n")
        await marked(view, 1)
        assert "seed" in view.text().splitlines()[-2]
        assert "is marked, 1 of at most 6" in view.text()
        await view.press("b", "right_square_bracket", "space")
        await marked(view, 2)
        assert "• marked" in view.text()
        await view.press("equals_sign")
        await view.until(lambda: isinstance(view.app.screen, CompareScreen) and len(view.reading.nets) == 2)
        text = view.text()
        for words in (
            "A 8×256 seed",
            "B 8×256 seed",
            "last success – first failure",
            "verdict at each rate",
            "✓ reached",
        ):
            assert words in text
        await view.press("backspace")
        await view.until(lambda: "nothing is marked" in view.text())


async def test_a_key_goes_through_the_kinds_of_what_is_marked() -> None:
    marks = (Mark(0, 2, 100), *NETS)
    async with shown(law_store(), (160, 48), marked=marks, start="compare") as view:
        await view.until(lambda: len(view.reading.nets) == 2)
        assert "1 trial marked, too: v" in view.text()
        await view.press("v")
        assert "edge at 1" in view.text()
        assert "2 nets marked, too" in view.text()
        await view.press("v", "tab", "down", "d")
        assert "verdict at each rate" in view.text()


def test_rates_of_nets_are_put_together_where_they_are_the_same() -> None:
    store = law_store()
    store.trials[4] = tuple(replace(row, eta=store.trials[1][at % 9].eta) for at, row in enumerate(store.trials[4]))
    reading = read_once([store.source()], "compare", marks=NETS)
    rows = by_rate(reading.nets)
    assert len(rows) == 9
    assert [eta for eta, _ in rows] == sorted(eta for eta, _ in rows)
    for eta, (first, second) in rows:
        assert first is not None
        assert second is not None
        assert first.eta == second.eta == eta


def test_a_net_that_is_censored_says_so_and_gives_a_bound() -> None:
    store = law_store()
    reading = read_once([store.source()], "compare", marks=NETS)
    assert reading.nets[0].net.censored == "at_max"
    text = render_once(reading, "compare", (120, 40))
    assert "≥ " in text
    assert "every rate succeeds" in text
    assert "eta_max = 0.1 still" in text


def test_sweeps_of_two_stores_show_ratios_by_cell_and_why_a_cell_has_none() -> None:
    reading = two(law_store(), slower_store())
    assert [one.store for one in reading.sweeps] == ["one.db", "other.db"]
    ratios = ratios_of(reading.sweeps)
    by_label = {label: found[0] for label, _, found in ratios.cells}
    reasons = {label: one.reason for label, one in by_label.items() if one.value is None}
    assert len(by_label) == 15
    assert {len(reasons), *(reason.split(":")[0] for reason in reasons.values())} == {2, "A censored", "B not done"}
    assert all(one.value == pytest.approx(0.5) for one in by_label.values() if one.value is not None)
    (mean,) = ratios.means
    assert mean is not None
    assert (mean.value, mean.cells) == (pytest.approx(0.5), 13)
    said = ratio_sentences(ratios)
    assert said[0].startswith("B: η* is 0.5 [0.5, 0.5] times that of A: geometric mean over 13 cells")
    assert said[1] == "B: 2 shared cells without a ratio: 1 A censored and B censored, 1 B not done"
    text = render_once(reading, "compare", (160, 60))
    assert "A+B cens." in text
    assert "B open" in text
    assert "digits: eta* over depth x width (other.db)" in text


def test_fits_of_sweeps_are_made_over_their_own_cells_and_each_has_its_sign_and_dashes() -> None:
    reading = two(law_store(), slower_store())
    choice = stored_choices(reading.sweeps)[0]
    made = laws(reading.sweeps, choice)
    intercepts = [group.fit.result.intercept for group in made.groups]
    assert intercepts[0] - intercepts[1] == pytest.approx(0.693, abs=0.1)
    for name in ("role", "dashes", "value"):
        assert len({getattr(group, name) for group in made.groups}) == 2
    assert len({group.sign(True) for group in made.groups}) == 2
    plain = render_once(reading, "compare", (120, 40), ascii=True)
    assert plain.isascii()
    assert "@ A" in plain
    assert "# B" in plain


def test_exponents_agree_where_zero_is_in_the_interval_of_their_difference() -> None:
    one, near, far = (make_fit(exponent=at, low=at - 0.1, high=at + 0.1) for at in (-0.7, -0.6, -0.5))
    assert agreement_text(one, near) == "agree: +0.10 [−0.04, 0.24]"
    assert agreement_text(one, far) == "differ: +0.20 [0.06, 0.34]"
    assert agreement_text(one, replace(far, low=None, high=None)) == "not decided: no interval"
    assert agreement_text(None, far) == ""


async def test_sweeps_are_written_and_their_command_shows_them_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with shown(law_store(), (160, 48), marked=(Mark(0, 2, None),), start="compare") as view:
        copied: list[str] = []
        monkeypatch.setattr(view.app, "copy_to_clipboard", copied.append)
        await view.until(lambda: len(view.reading.sweeps) == 1)
        await view.press("right_square_bracket", "C", "w")
        await view.until(lambda: "written" in view.text())
    words = shlex.split(copied[0])
    assert words[: words.index("--screen")] == [
        "mlrtui", "watch", "--store", "fake.db", "--sweep", "digits: eta* over depth x width",
    ]  # fmt: skip
    assert words[words.index("--screen") + 1 :] == ["compare", "--show", "y=eta_star", "--show", "x=depth*width"]
    with (tmp_path / "mlrtui-compare-exponents.csv").open(encoding="utf-8", newline="") as file:
        assert {row["sweep"] for row in csv.DictReader(file)} == {"A"}
    with (tmp_path / "mlrtui-compare-cells.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 15


async def test_nets_are_written_with_the_verdict_at_each_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with shown(law_store(), (160, 48), marked=NETS, start="compare") as view:
        copied: list[str] = []
        monkeypatch.setattr(view.app, "copy_to_clipboard", copied.append)
        await view.until(lambda: len(view.reading.nets) == 2)
        await view.press("C", "w")
        await view.until(lambda: "written" in view.text())
    assert copied[0].endswith("--screen compare --trial 100 --trial 420 --show kind=nets")
    with (tmp_path / "mlrtui-compare-verdicts.csv").open(encoding="utf-8", newline="") as file:
        verdicts = list(csv.DictReader(file))
    assert {row["A"] for row in verdicts} == {"", "reached", "diverged", "not-reached"}
    assert nets_of(law_store().open(), (Mark(0, 2, 100), Mark(0, 2, 420), Mark(0, 2, 101))) == NETS


def test_json_has_what_is_compared() -> None:
    found = data_once(two(law_store(), slower_store()))
    assert [one["store"] for one in found["sweeps"]] == ["one.db", "other.db"]
    assert len(found["ratios"]["cells"]) == 15
    assert found["compared"] == found["nets"] == []
    found = data_once(read_once([law_store().source()], "compare", marks=NETS))
    assert [one["net"]["net_id"] for one in found["nets"]] == [10, 41]
    assert len(found["nets"][0]["trials"]) == 9


def test_a_search_and_a_scan_can_be_compared_as_far_as_they_have_the_same() -> None:
    reading = read_once(
        [search_store().source("a.db"), scan_store().source("b.db")],
        "compare",
        marks=(Mark(0, 2, None), Mark(1, 1, None)),
    )
    assert isinstance(reading.sweeps[1], ComparedSweep)
    text = render_once(reading, "compare", (120, 90))
    assert "η* or best η by cell" in text
    assert "B: no cell has a value" in text


@pytest.mark.parametrize(
    ("names", "stores", "words"),
    [
        (["a", "b", "c"], 2, "3 names for 2 stores"),
        (["catapult scan", "catapult scan"], 1, "given twice"),
        (["nothing", "catapult scan", "catapult scan"], 1, "'catapult scan': given twice"),
        (["nothing"], 1, "not in this store; it has 'catapult scan'"),
        (["catapult scan", "no"], 2, "not in store 2"),
        (["a"] * 7, 1, "compare at most 6"),
    ],
)
def test_sweeps_that_cannot_be_compared_are_refused(names: list[str], stores: int, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        sweeps_named([scan_store().open() for _ in range(stores)], names)


def test_one_name_is_that_of_all_stores() -> None:
    readers = [scan_store().open(), scan_store().open()]
    assert sweeps_named(readers, ["catapult scan"]) == (Mark(0, 1, None), Mark(1, 1, None))
