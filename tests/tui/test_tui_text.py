"""Words, numbers and marks: the small pieces of the screens."""

import math
from dataclasses import replace

import pytest
from tui_fakes import scan_store, search_store
from tui_rows import NOW, make_cell, make_curve, make_fit, make_sweep, make_trial

from mlrtui.text.lines import boxed, clean, fit, line, merge, plain, width_of
from mlrtui.text.marks import ASCII, UNICODE, cell_state, trial_state
from mlrtui.text.numbers import day, number, span
from mlrtui.text.phrases import fit_notes, fit_sentence, outcome, progress
from mlrtui.text.terminal import ascii_needed
from mlrtui.tui.curves import Trace, caption, loss_points, not_converged, sharpness_points
from mlrtui.tui.live.sheets import cell_text
from mlrtui.tui.once import read_once, render_once
from mlrtui.tui.palette import style_of
from mlrtui.tui.state import headline
from mlrtui.tui.widgets.rows import window
from mlrtui_db.models import FitRow, TrialRow


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0"),
        (3.0, "3"),
        (0.0125, "0.0125"),
        (0.00271, "2.7e-3"),
        (31.24, "31.2"),
        (204.8, "205"),
        (999.9, "1000"),
        (123456.0, "1.2e5"),
        (1e300, "1e300"),
        (-0.5, "-0.5"),
        (math.nan, "NaN"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
    ],
)
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1s"), (45, "45s"), (200, "3m"), (4320, "1h12m"), (187_200, "2d4h")]
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_days_get_coarser_with_age() -> None:
    assert day(NOW, NOW).startswith("today ")
    assert len(day(NOW - 5 * 86_400, NOW)) == 11
    assert len(day(NOW - 2 * 365 * 86_400, NOW)) == 10


@pytest.mark.parametrize(
    ("trial", "state", "words"),
    [
        (make_trial(1, 1, 0.1), "done", "lazy"),
        (make_trial(1, 1, 0.1, phase="catapult", peak_step=12), "catapult", "catapult @12"),
        (
            make_trial(1, 1, 0.1, verdict="diverged", phase="divergent", bad_kind="nan", bad_step=37),
            "diverged",
            "NaN @37",
        ),
        (make_trial(1, 1, 0.1, verdict="diverged", bad_kind="threshold", bad_step=3), "diverged", "blew up @3"),
        (make_trial(1, 1, 0.1, verdict="dead", phase="collapsed"), "collapsed", "dead"),
        (make_trial(1, 1, 0.1, phase="edge"), "at-edge", "edge"),
        (make_trial(1, 1, 0.1, phase="collapsed"), "collapsed", "collapsed"),
        (make_trial(1, 1, 0.1, phase="unfinished"), "unfinished", "unfinished"),
        (make_trial(1, 1, 0.1, phase="controlled", peak_step=3), "controlled", "controlled @3"),
        (make_trial(1, 1, 0.1, verdict="not-reached", phase="stable"), "slow", "not-reached"),
        (make_trial(1, 1, 0.1, verdict="stalled", given_up_epoch=3, phase="controlled"), "slow", "given up, ep. 3"),
        (make_trial(1, 1, 0.1, verdict="reached", phase=None), "done", "reached"),
        (make_trial(1, 1, 0.1, status="failed", verdict="failed", phase=None), "failed", "failed"),
        (make_trial(1, 1, 0.1, status="failed", verdict=None, phase=None), "failed", "failed"),
        (make_trial(1, 1, 0.1, status="running", verdict=None, phase=None, last_step=4), "running", "step 4"),
        (make_trial(1, 1, 0.1, status="queued", verdict=None, phase=None), "waiting", "waiting"),
    ],
)
def test_every_trial_has_a_state_and_words(trial: TrialRow, state: str, words: str) -> None:
    assert trial_state(trial) == state
    assert outcome(trial) == words
    assert ASCII.glyph(state).isascii()
    assert len({glyph for _, glyph in UNICODE.glyphs}) == len(UNICODE.glyphs) == len({g for _, g in ASCII.glyphs})


def test_every_state_has_a_style_of_its_own() -> None:
    states = [state for state, _ in UNICODE.glyphs]
    assert len({style_of(state) for state in states}) == len(states)
    assert all(style_of(state, color=False).color is None for state in states)
    assert style_of("done-chosen", color=False).reverse


def test_cells_have_states_and_texts() -> None:
    cell = make_cell(1, 2, 64, nets=2, nets_done=1, trials=9, trials_done=4, trials_running=2)
    assert cell_state(cell) == "running"
    assert cell_state(replace(cell, trials_running=0, nets_done=2)) == "done"
    assert cell_state(replace(cell, trials_running=0, trials_failed=1)) == "failed"
    assert cell_state(make_cell(1, 2, 64)) == "waiting"
    assert cell_text(cell, "progress", search=True) == "1/2"
    assert cell_text(cell, "progress", search=False) == "4/9"
    assert cell_text(cell, "η*", search=True) == "-"
    assert cell_text(replace(cell, ln_eta_star_mean=math.log(0.031)), "η*", search=True) == "0.031"
    assert cell_text(replace(cell, censored=2, bound="at_max", bound_eta=0.1), "η*", search=True) == "≥0.1"
    assert cell_text(replace(cell, phases=(("lazy", 3), ("catapult", 2))), "phases", search=False) == "L3C2"


def test_laws_read_as_they_are_written_in_papers() -> None:
    assert fit_sentence([make_fit()]) == "η* ∝ (depth·width)^−0.71 [−0.85, −0.57]"
    two = [make_fit(term="depth", exponent=-0.9), make_fit(term="width", exponent=-0.5, low=None, high=None)]
    assert fit_sentence(two) == "η* ∝ depth^−0.90 [−0.85, −0.57] · width^−0.50 [no interval]"
    notes = fit_notes(
        [
            make_fit(
                where_expr="width >= 16 * depth", excluded=("a: censored", "b: censored"), warnings="under one decade"
            )
        ]
    )
    assert notes == [
        "R² 0.91 · 15 cells · 1.9 decades",
        "where width ≥ 16·depth",
        "left out: 2 cells censored (a, b)",
        "! under one decade",
    ]


def test_the_headline_is_the_law_of_one_product() -> None:
    product, other = make_fit(), make_fit(fit="b", term="lambda0")
    assert headline((other, product)) == product
    rows: tuple[FitRow, ...] = (make_fit(fit="two", term="depth"), make_fit(fit="two", term="width"), other)
    assert headline(rows) == other
    wide = make_fit(fit="c", where_expr="width >= 16*depth", r2=0.1)
    assert headline((make_fit(fit="d", term="(depth-1)*width"), product, wide)) == wide
    assert headline(()) is None


def test_progress_counts_nets_of_a_search_and_trials_of_a_scan() -> None:
    assert progress(make_sweep(1, "x", "search", nets=30, nets_done=12, trials_done=97)) == "nets 12/30 · 97 trials"
    assert progress(make_sweep(1, "x", "scan", trials=9, trials_done=7)) == "7/9 trials"


def test_flags_of_the_store_become_points() -> None:
    nan = math.nan
    curve = make_curve(1, [1.0, nan, nan, nan, 2.0], [4.0, nan, nan, nan, 6.0], [0, 1 | 8, 2, 4 | 16, 32])
    trace = Trace.of(curve)
    step, loss = loss_points(trace)
    assert step.tolist() == [0, 1, 2, 3, 4]
    assert [str(value) for value in loss] == ["1.0", "nan", "inf", "-inf", "2.0"]
    step, sharpness = sharpness_points(trace)
    assert step.tolist() == [0, 1, 3, 4]  # at step 2 it was not measured: neither a point nor a gap
    assert [str(value) for value in sharpness] == ["4.0", "nan", "inf", "6.0"]
    assert not_converged(trace).tolist() == [False, False, False, True]


def test_captions_name_peak_now_and_what_is_missing() -> None:
    step, loss = loss_points(Trace.of(make_curve(1, [1.0, 31.2, math.nan, 0.0, 0.5], None, [0, 0, 1, 0, 0])))
    assert caption(step, loss, log=True) == "peak 31.2 @1 · now 0.5 @4 · 1 non-finite from @2 · 1 not positive"
    assert caption(step, loss, log=False) == "peak 31.2 @1 · now 0.5 @4 · 1 non-finite from @2"
    assert caption(step[2:3], loss[2:3], log=True) == "1 non-finite from @2"


def test_text_is_cleaned_cut_and_boxed() -> None:
    assert clean("a\x1b[31m\x00\x85\u200fb\n") == "a·[31m···b·"
    assert plain(fit(line("abcdef"), 4)) == "abc…"
    assert plain(fit(line("日本語"), 4)) == "日 …"
    assert width_of(fit(line("日本語"), 10)) == 10
    assert [plain(row) for row in boxed([line("x")], 8, 3, title=line("t"), caption=line("c"))] == [
        "┌─ t ──┐",
        "│x     │",
        "└── c ─┘",
    ]
    for row in boxed([line("λ₀ ∝ long enough")], 10, 4, title=line("η of everything"), ascii_only=True):
        assert width_of(row) == 10
        assert plain(row).isascii()
    assert {width_of(row) for row in boxed([], 2, 2)} == {2}


@pytest.mark.parametrize(
    ("count", "cursor", "room", "expected"),
    [(3, 0, 5, range(3)), (9, 0, 4, range(4)), (9, 8, 4, range(5, 9)), (9, 5, 4, range(2, 6)), (9, 3, 0, range(3, 4))],
)
def test_windows_hold_the_cursor(count: int, cursor: int, room: int, expected: range) -> None:
    assert window(count, cursor, room) == expected


@pytest.mark.parametrize(
    ("environment", "needed"),
    [
        ({"TERM": "xterm-256color", "LANG": "en_US.UTF-8"}, False),
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "xterm-256color", "LANG": "C", "LC_CTYPE": "C.UTF-8"}, True),
        ({"TERM": "xterm-256color", "LANG": "en_US.UTF-8", "LC_ALL": "POSIX"}, True),
        ({"TERM": "xterm-256color", "LC_ALL": "C.utf8"}, False),
        ({"TERM": "xterm-256color", "LANG": "de_DE.ISO-8859-1"}, True),
        ({"TERM": "dumb", "LANG": "en_US.UTF-8"}, True),
        ({"TERM": "linux", "LANG": "en_US.UTF-8"}, True),
        ({"LANG": "en_US.UTF-8"}, True),
    ],
)
def test_plain_terminals_get_ascii(environment: dict[str, str], needed: bool) -> None:
    assert ascii_needed(environment) == needed


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (40, 12)])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_one_picture_without_a_terminal(size: tuple[int, int], ascii_only: bool) -> None:
    store = search_store()
    text = render_once(read_once([store.source()]), "live", size, ascii_only)
    lines = text.splitlines()
    assert len(lines) == size[1] - 1
    assert max(map(len, lines)) <= size[0]
    assert text.isascii() == ascii_only
    assert store.closed == store.opened == 1
    if size[0] >= 80:
        assert ("(depth.width)^-0.71" if ascii_only else "(depth·width)^−0.71") in text


def test_one_picture_of_a_failing_store_says_why() -> None:
    store = scan_store()
    store.error = RuntimeError("disk on fire")
    assert "disk on fire" in render_once(read_once([store.source()]))


@pytest.mark.parametrize("role", ["diverged-chosen", "cursor"])
def test_what_is_under_the_cursor_is_marked_for_one_cell(role: str) -> None:
    assert merge([("x", role), (" ", ""), (" ", ""), ("y", "done")]) == (("x", role), ("  ", ""), ("y", "done"))
    assert merge([("x", "done"), (" ", ""), ("y", "done")]) == (("x y", "done"),)
