"""Phases: every trial by its phase, theory's lines, a cursor over the map."""

import math

from test_tui_screens import shown
from tui_fakes import scan_store, search_store
from tui_laws import wide_scan_store

from mlrtui.text.marks import ASCII, PHASE_STATES, UNICODE
from mlrtui.tui.live.screen import LiveScreen
from mlrtui.tui.live.sheets import PHASE_LETTERS
from mlrtui.tui.pages import PhaseMark
from mlrtui.tui.palette import style_of
from mlrtui.tui.phases.trials import PhaseView, counts, phase_state
from mlrtui_trainer.phases import PHASES


def mark(trial_id: int, width: int, c: float | None, phase: str | None = "lazy", **changes: object) -> PhaseMark:
    values: dict[str, object] = {
        "trial_id": trial_id,
        "label": f"2x{width}",
        "depth": 2,
        "width": width,
        "seed": 0,
        "eta": 0.1,
        "eta_lambda0": c,
        "verdict": "finished",
        "phase": phase,
        "peak_ratio": 1.0,
        "peak_step": 0,
        "eta_final_sharpness": None,
        "bad_step": None,
        "bad_kind": None,
    }
    return PhaseMark(**(values | changes))  # type: ignore[arg-type]


def test_the_cursor_moves_along_a_net_and_to_the_nearest_rate_of_the_next() -> None:
    marks = [
        mark(at, width, c) for at, (width, c) in enumerate([(64, 1.0), (64, 3.0), (128, 0.9), (128, 2.7), (128, 9.0)])
    ]
    view = PhaseView.of(marks, "width", 1, "")
    up, down, right = view.moved(0, -1), view.moved(0, 1), view.moved(1, 0)
    assert up is not None
    assert down is not None
    assert right is not None
    assert (up.trial_id, down.trial_id, right.trial_id) == (1, 0, 3)  # the largest rate of its net has nothing above it
    assert PhaseView.of([], "width", None, "").moved(1, 0) is None


def test_trials_without_a_place_are_left_out() -> None:
    marks = [mark(1, 64, None), mark(2, 64, math.nan), mark(3, 64, math.inf), mark(4, 64, -1.0), mark(5, 64, 2.0)]
    assert [kept.trial_id for kept in PhaseView.of(marks, "width", None, "").marks] == [5]


def test_every_phase_of_the_rules_has_a_sign_of_its_own_kind() -> None:
    known = dict.fromkeys(phase for phases in PHASES.values() for phase in phases)
    assert set(known) == set(PHASE_STATES) == set(PHASE_LETTERS)
    assert len(set(PHASE_LETTERS.values())) == len(PHASE_LETTERS)
    same = ({"lazy", "stable"}, {"divergent", "catastrophic"})  # one phase, named by the loss
    for marks in (UNICODE, ASCII):
        signs = {phase: marks.glyph(phase_state(mark(1, 64, 1.0, phase))) for phase in known}
        assert len(set(signs.values())) == len(signs) - len(same)
        assert all(len({signs[phase] for phase in pair}) == 1 for pair in same)
        assert marks is UNICODE or all(sign.isascii() for sign in signs.values())
        everything = [sign for _, sign in marks.glyphs]
        assert len(set(everything)) == len(everything)
    assert phase_state(mark(1, 64, 1.0, None, verdict="dead")) == "slow"
    assert phase_state(mark(1, 64, 1.0, None, verdict="failed")) == "failed"
    plain = {phase: style_of(phase_state(mark(1, 64, 1.0, phase))) for phase in known}
    assert all(style.color is not None for style in plain.values())


def test_phases_are_listed_from_the_calm_to_the_lost() -> None:
    marks = [mark(at, 64, 1.0 + at, phase) for at, phase in enumerate(reversed(PHASE_STATES))]
    assert [names for _, names, _ in counts(marks)] == [
        "stable, lazy", "edge", "controlled", "catapult", "unfinished", "collapsed", "catastrophic, divergent",
    ]  # fmt: skip


async def test_the_map_shows_marks_ranges_and_theory() -> None:
    async with shown(wide_scan_store(), (160, 48)) as view:
        await view.press("6")
        await view.until(lambda: "phases: ηλ₀ against width" in view.text())
        text = view.text()
        rows = text.splitlines()
        assert any(" 2▸" in row for row in rows)
        assert not any(" 4▸" in row for row in rows)  # of relu nets theory says no such thing
        plot = "\n".join(row.split("┃")[1] for row in rows if row.startswith("┃"))
        assert plot.count("✗") == 3
        assert "✓ lazy 12  ~ catapult 6  ✗ divergent 3  / dead 3" in text
        assert "catapult 2 2.14 – 2.55" in text


async def test_the_cursor_reads_out_and_enter_opens_the_trial() -> None:
    async with shown(wide_scan_store(), (160, 48)) as view:
        await view.press("6")
        await view.until(lambda: "trial L2 n128 seed 0" in view.text())
        await view.press("right", *["up"] * 6)
        assert "trial L2 n256 seed 0" in view.text()
        for words in ("✗ divergent (diverged)", "ηλ₀ 4.68", "nan @37"):
            assert words in view.text()
        await view.press("enter")
        await view.until(lambda: isinstance(view.app.screen, LiveScreen))
        await view.until(lambda: view.reading.trial_id == 209)


async def test_x_goes_through_the_axes_that_vary() -> None:
    async with shown(search_store(), (160, 48)) as view:
        await view.press("6")
        for axis in ("width", "depth", "seed", "width"):
            await view.until(lambda axis=axis: f"ηλ₀ against {axis}" in view.text())  # type: ignore[misc]
            await view.press("x")
    async with shown(scan_store()) as view:
        await view.press("6")
        await view.until(lambda: "ηλ₀ against seed" in view.text())
        await view.press("x")
        assert "ηλ₀ against seed" in view.text()
