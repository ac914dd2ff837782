"""Plain terminals: signs are spelled out before text is laid out, so that no word and no number is cut for it."""

import re
from collections.abc import Callable

import pytest
from tui_fakes import FakeStore, scan_store, search_store
from tui_laws import law_store, wide_scan_store

from mlrtui.charts.draw import sentence
from mlrtui.text.lines import as_shown, centred, fit_parts, line, plain, shown_in, width_of, wrapped
from mlrtui.text.marks import UNICODE
from mlrtui.tui.once import SCREENS, read_once, render_once
from mlrtui.tui.state import Look, Wanted
from mlrtui.tui.widgets.typed import Prompt

CUT = re.compile(r"[A-Za-z0-9.,)]~(?=[\s|+]|$)")
EVENT = re.compile(r"^\|.?(\d\d-\d\d )?\d\d:\d\d")  # rows of a log are cut: Log shows the chosen one in full


@pytest.mark.parametrize("make", [scan_store, search_store, law_store, wide_scan_store])
def test_no_word_is_cut_on_any_screen_of_80_columns(make: Callable[[], FakeStore]) -> None:
    for screen in SCREENS:
        reading = read_once([make().source()], screen, Wanted())
        _, *rows = render_once(reading, screen, (80, 24), ascii=True).splitlines()  # the first holds the sweep's name
        assert [row for row in rows if CUT.search(row) and not EVENT.match(row)] == [], screen
        assert all(len(row) <= 80 for row in rows)


def test_text_is_measured_as_it_will_be_shown() -> None:
    text = "width ≥ 16·depth, where η·λ₀ ≤ 2"
    with shown_in(True):
        assert width_of(line("η ≥ 2")) == len("eta >= 2")
        assert wrapped(text, 12) == ["width >=", "16.depth,", "where", "eta.lam0 <=", "2"]
        assert as_shown("λ…") == "lam~"
    assert wrapped(text, 12) == ["width ≥", "16·depth,", "where η·λ₀ ≤", "2"]
    assert width_of(line("η ≥ 2")) == 5


def test_a_line_loses_whole_parts_and_never_a_piece_of_a_number() -> None:
    said = line("η* 0.156 ± 0.0043 · fails at 0.164 · λ₀ 23.3")
    assert fit_parts(said, 80) == said
    assert plain(fit_parts(said, 40)) == "η* 0.156 ± 0.0043 · fails at 0.164"
    assert plain(fit_parts(said, 20)) == "η* 0.156 ± 0.0043"
    assert plain(fit_parts(said, 3)) == "η* 0.156 ± 0.0043"  # the first part stays, to be cut by who draws it
    assert plain(fit_parts(line("λ  m: accuracy, rate, grad_norm"), 22)) == "λ  m: accuracy, …"


@pytest.mark.parametrize("ascii_only", [False, True])
def test_a_note_in_an_empty_pane_takes_the_rows_that_it_needs(ascii_only: bool) -> None:
    words = "no trial yet: the search starts from λ at init"
    rows = [plain(row) for row in sentence(words, 24, 7, ascii_only)]
    assert len(rows) == 7
    assert {len(row) for row in rows} == {24}
    assert " ".join(" ".join(rows).split()) == (words.replace("λ", "lam") if ascii_only else words)
    assert not rows[0].strip()
    assert centred("x", 5, 0) == []


def test_a_text_that_is_moved_to_the_left_says_so() -> None:
    row = Prompt(Look(UNICODE), "find", "")
    row.typed = "mlrtui map NAME --eta 1 2"
    row._go(len(row.typed))
    assert plain(row.typed_line(40)).rstrip() == "mlrtui map NAME --eta 1 2"
    assert plain(row.typed_line(10)).startswith("‹")
    assert plain(row.typed_line(10)).rstrip().endswith("-eta 1 2")
    assert width_of(row.typed_line(10)) == 10
