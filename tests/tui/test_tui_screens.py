"""The app driven by keys, at several sizes, over stores in memory."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import FULL
from rich.cells import cell_len
from textual.keys import key_to_character
from textual.pilot import Pilot
from tui_fakes import FakeStore, both_sweeps, scan_store, search_store
from tui_rows import NOW, make_cell, make_trial

from mlrtui.tui.app import MlrtuiApp
from mlrtui.tui.browse.screen import BrowseScreen
from mlrtui.tui.keymap import KEYS, bindings, shown_keys
from mlrtui.tui.live.screen import LiveScreen
from mlrtui.tui.modes import MODES, OVER, screen_class
from mlrtui.tui.screen import ReadingScreen
from mlrtui.tui.state import GRID_VALUES, Reading
from mlrtui.tui.trial.screen import TrialScreen
from mlrtui.tui.widgets.typed import Entry
from mlrtui_db.errors import StoreMissing

SCREENS = {name: screen_class(name) for name in (*MODES, *OVER)}
WAYS = {
    "live": ("1",),
    "exponents": ("2",),
    "browse": ("3",),
    "compare": ("4",),
    "log": ("5",),
    "phases": ("6",),
    "workers": ("7",),
    "boundary": ("1", "b"),
    "trial": ("1", "enter", "enter"),
    "help": ("question_mark",),
    "palette": ("colon",),
    "control": ("X",),
}


class Shown:
    """A running app with what tests ask of it."""

    def __init__(self, app: MlrtuiApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    def text(self) -> str:
        screen = self.app.screen
        assert isinstance(screen, ReadingScreen)
        return screen.text()

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(600):
            await self.pilot.pause()
            if condition():
                return
            await self.pilot.pause(0.02)
        raise AssertionError("never came:\n" + self.text())

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def go(self, screen: str) -> None:
        """Open a screen as a user would; without any trial there is no Trial screen."""
        for key in WAYS[screen]:
            await self.press(key)
            await self.pilot.pause()

    @property
    def reading(self) -> Reading:
        assert self.app.reading is not None
        return self.app.reading


@asynccontextmanager
async def shown(store: FakeStore, size: tuple[int, int] = (80, 24), **options: object) -> AsyncIterator[Shown]:
    app = MlrtuiApp([store.source()], clock=lambda: NOW, refresh=60.0, **options)  # type: ignore[arg-type]
    async with app.run_test(size=size) as pilot:
        view = Shown(app, pilot)
        await view.until(lambda: app.reading is not None and isinstance(app.screen, ReadingScreen))
        await pilot.pause()
        yield view


def test_every_key_has_an_action_a_label_and_a_help_text() -> None:
    assert len({key.id for key in KEYS}) == len(KEYS)
    for key in KEYS:
        method = "action_" + key.action.split("(")[0]
        for owner in [SCREENS[name] for name in key.screens] or [MlrtuiApp]:
            assert callable(getattr(owner, method, None)), (key.id, owner)
        assert key.label
        assert 0 < len(key.help) <= 25, key.help  # fits beside its keys in two columns of 80


@pytest.mark.parametrize("screen", sorted(SCREENS))
def test_no_two_commands_of_a_screen_share_a_key(screen: str) -> None:
    taken = [name for key in KEYS if not key.screens or screen in key.screens for name in key.keys]
    assert len(taken) == len(set(taken))


def test_keys_pass_every_terminal() -> None:
    for key in KEYS:
        for name in key.keys:
            assert not name.startswith("alt+")
            assert name not in {"ctrl+a", "ctrl+b", "ctrl+s", "ctrl+q"}
        assert shown_keys(key, ascii_only=True).isascii()


@pytest.mark.parametrize("screen", sorted(SCREENS))
async def test_keys_bound_are_keys_documented(screen: str) -> None:
    async with shown(scan_store()) as view:
        await view.go(screen)
        bound = set(view.app.screen.active_bindings)
        documented = {name for key in KEYS if not key.screens or screen in key.screens for name in key.keys}
        if screen in ("palette", "control"):  # what can be typed is text there, and its prompt hands on the rest
            prompt = view.app.screen.query_one(Entry)
            documented = {name for name in documented if not prompt.check_consume_key(name, key_to_character(name))}
        assert bound == documented
        assert {binding.key for binding in bindings(screen)} <= {",".join(key.keys) for key in KEYS}


@pytest.mark.parametrize(
    ("make", "size"),
    [(search_store, (160, 48)), (FakeStore, (20, 6)), *([(scan_store, (40, 12))] if FULL else [])],
)
async def test_every_key_on_every_screen_keeps_the_app_alive(
    make: Callable[[], FakeStore], size: tuple[int, int]
) -> None:
    async with shown(make(), size) as view:
        for screen in WAYS:
            await view.go(screen)
            mine = [key.keys[-1] for key in KEYS if screen in key.screens or key.id == "refresh"]
            starts = ("enter",) if screen == "control" else ()  # a process, see test_tui_control.py
            await view.press(*(key for key in mine if key not in ("escape", *starts)))
            lines = view.text().splitlines()
            assert len(lines) <= size[1]
            assert all(cell_len(line) <= size[0] for line in lines)
            await view.press("escape")
        assert view.app.is_running


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_live_shows_everything_at_once_and_charts_take_half(size: tuple[int, int]) -> None:
    async with shown(scan_store(), size) as view:
        text = view.text()
        for words in ("catapult scan", "● live", "7/9 trials", "trials in 1×512", "events", "peak 20.4 @14", "2/η"):
            assert words in text
        area = sum(view.app.screen.query_one(name).region.area for name in ("#loss", "#lower"))
        assert area >= 0.5 * size[0] * size[1]


async def test_a_narrow_terminal_shows_one_pane_and_tab_visits_all() -> None:
    async with shown(scan_store(), (40, 12)) as view:

        def visible() -> list[str | None]:
            return [pane.id for pane in view.app.screen.query(".pane") if pane.region.area]

        for name in ("grid", "trials", "loss", "lower", "fits", "events", "grid"):
            await view.until(lambda name=name: visible() == [name])  # type: ignore[misc]
            await view.press("tab")
        await view.press("shift+tab", "shift+tab")
        await view.until(lambda: visible() == ["events"])


async def test_growing_and_shrinking_keeps_the_picture() -> None:
    async with shown(scan_store(), (80, 24)) as view:
        before = view.text()
        for size in ((40, 12), (160, 48), (80, 24)):
            await view.pilot.resize_terminal(*size)
            await view.pilot.pause()
            await view.pilot.pause()
        assert view.text() == before


async def test_arrows_choose_a_cell_and_brackets_a_trial() -> None:
    async with shown(search_store()) as view:
        assert view.reading.snapshot is not None
        await view.press("up", "h")
        await view.until(
            lambda: view.reading.cell is not None and (view.reading.cell.depth, view.reading.cell.width) == (6, 128)
        )
        assert "[✓2/2]" in view.text()
        await view.until(lambda: "trials in 6×128" in view.text())
        first = view.reading.trial_id
        assert first is not None
        await view.press("left_square_bracket")
        await view.until(lambda: view.reading.trial_id != first)
        rows = [trial.trial_id for trial in view.reading.snapshot.trials]
        assert rows[rows.index(first) - 1] == view.reading.trial_id
        await view.press("f")
        await view.until(lambda: view.reading.cell is not None and view.reading.cell.cell_id == 15)
        assert "following newest" in view.text()


async def test_enter_goes_deeper_and_escape_comes_back() -> None:
    async with shown(scan_store()) as view:

        def focused() -> str | None:
            return view.app.focused.id if view.app.focused else None

        assert focused() == "grid"
        await view.press("enter")
        await view.until(lambda: focused() == "trials")
        await view.press("down")
        await view.until(lambda: view.reading.trial_id == 8)
        await view.press("enter")
        await view.until(lambda: isinstance(view.app.screen, TrialScreen) and "trial 8 " in view.text())
        await view.press("escape")
        await view.until(lambda: isinstance(view.app.screen, LiveScreen))
        await view.press("tab", "z")
        await view.until(lambda: view.app.screen.query_one("#loss").region.width == 80)
        await view.press("escape")
        await view.until(lambda: view.app.screen.query_one("#loss").region.width < 80)
        await view.press("escape")
        await view.until(lambda: focused() == "grid")
        await view.press("escape")
        await view.until(lambda: isinstance(view.app.screen, BrowseScreen))


async def test_axes_and_grid_values_switch() -> None:
    async with shown(search_store()) as view:
        assert "sweep: progress" in view.text()
        for name in (*GRID_VALUES[1:], GRID_VALUES[0]):
            await view.press("v")
            assert f"sweep: {name}" in view.text()
        log = view.text()
        await view.press("x")
        assert view.text() != log
        await view.press("x", "y")
        assert view.text() != log
        await view.press("y")
        assert view.text() == log


async def test_sharpness_in_units_of_its_edge_and_as_it_is() -> None:
    store = scan_store()
    store.nets[1] = (replace(store.nets[1][0], operator="hessian", sharpness_samples="first 8 of 9"),)
    async with shown(store, (160, 48)) as view:
        await view.until(lambda: "edge at 1" in view.text())
        ratio = view.text()
        assert "λη/2, edge at 1 · hessian, first 8 of 9" in ratio
        await view.press("e")
        assert "λ, edge at 2/η · hessian, first 8 of 9" in view.text()
        await view.press("e")
        assert view.text() == ratio


async def test_points_that_did_not_converge_are_rings_and_counted() -> None:
    store = scan_store()
    async with shown(store, (160, 48)) as view:
        await view.until(lambda: "edge at 1" in view.text())
        before = view.text()
    trial_id = view.reading.trial_id
    assert trial_id is not None
    store.curves[trial_id].flags[3] |= 32
    async with shown(store, (160, 48)) as view:
        await view.until(lambda: "not converged" in view.text())
        assert "1 not converged (○)" in view.text()
        assert view.text().count("○") == before.count("○") + 2  # in the chart, and in the caption


async def test_pause_keeps_the_picture_and_loses_nothing() -> None:
    store = scan_store()
    async with shown(store) as view:
        await view.press("p")
        assert "paused" in view.text()
        store.snapshots[1] = replace(store.snapshots[1], sweep=replace(store.snapshots[1].sweep, trials_done=8))
        store.commit()
        await view.press("r")
        await view.until(lambda: store.log[-1] == ("curve", 7, 70))
        assert "7/9 trials" in view.text()
        await view.press("p")
        await view.until(lambda: "8/9 trials" in view.text())


async def test_browse_lists_sweeps_and_opens_one() -> None:
    async with shown(both_sweeps(), start="browse") as view:
        await view.until(lambda: "−0.71 [−0.85, −0.57]" in view.text())
        assert "2 sweeps" in view.text()
        assert "catapult scan · open" in view.text()
        await view.press("j", "enter")
        await view.until(lambda: isinstance(view.app.screen, LiveScreen) and "nets 26/30" in view.text())
        await view.press("3", "k", "enter")
        await view.until(lambda: isinstance(view.app.screen, LiveScreen) and "7/9 trials" in view.text())


async def test_help_is_made_from_the_table_and_goes_away() -> None:
    async with shown(scan_store(), (160, 48)) as view:
        await view.press("question_mark")
        text = view.text()
        while any(key.help not in text for key in KEYS):  # more than one page: down to its end
            before = view.text()
            await view.press(*["down"] * 10)
            assert view.text() != before, [key.help for key in KEYS if key.help not in text]
            text += view.text()
        await view.press("escape")
        assert isinstance(view.app.screen, LiveScreen)


async def test_a_search_shows_its_boundary_until_sharpness_was_measured_along() -> None:
    async with shown(search_store()) as view:
        assert "best so far" in view.text()
        await view.press("up")
        await view.until(lambda: "η* 0.0109 · fails at 0.0112" in view.text())
    async with shown(scan_store()) as view:
        assert "best so far" not in view.text()


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_ascii_screens_are_ascii(size: tuple[int, int]) -> None:
    async with shown(both_sweeps(), size, ascii_only=True) as view:
        for key in ("1", "v", "v", "v", "tab", "enter", "escape", "3", "question_mark"):
            await view.press(key)
            await view.pilot.pause()
            assert view.text().isascii(), view.text()


async def test_trouble_is_said_on_screen() -> None:
    async with shown(FakeStore(error=StoreMissing("There is no store at runs.db: run mlrtui run."))) as view:
        await view.until(lambda: "There is no store at runs.db" in view.text())
        await view.press("3")
        await view.until(lambda: "There is no store at runs.db" in view.text())


async def test_an_empty_store_says_what_to_do() -> None:
    async with shown(FakeStore()) as view:
        assert "mlrtui run" in view.text()


async def test_text_from_a_store_cannot_command_the_terminal() -> None:
    store = scan_store()
    name = "[red]x[/red]\x1b[2J\x07\u202e$(rm)"
    snapshot = store.snapshots[1]
    event = replace(snapshot.events[0], text="\x1b]0;title\x07 [bold]")
    store.snapshots[1] = replace(snapshot, sweep=replace(snapshot.sweep, name=name), events=(event,))
    async with shown(store, (160, 48)) as view:
        assert "[red]x[/red]·[2J··$(rm)" in view.text()
        assert "·]0;title· [bold]" in view.text()


async def test_variants_have_a_line_to_choose_from() -> None:
    store = search_store()
    snapshot = store.snapshots[2]
    cells = tuple(
        make_cell(100 * k + i, depth, 64, variant=variant, nets_done=k)
        for k, variant in enumerate(("ce in=0.1", "mse in=1"), 1)
        for i, depth in enumerate((2, 4))
    )
    store.snapshots[2] = replace(snapshot, cells=cells, cell_id=100)
    store.trials.update({cell.cell_id: (make_trial(cell.cell_id, cell.cell_id, 0.1),) for cell in cells})
    async with shown(store) as view:
        assert "ce in=0.1" in view.text()
        assert "1/2" in view.text()
        await view.press("up", "right")
        await view.until(lambda: "mse in=1" in view.text() and "✓2/2" in view.text())
        await view.press("down", "down")
        await view.until(lambda: view.reading.cell is not None and view.reading.cell.cell_id == 201)


async def test_a_grid_wider_than_its_pane_scrolls_with_the_cursor() -> None:
    store = search_store()
    widths = (16, 32, 64, 128, 256, 512, 1024, 2048)
    cells = tuple(
        make_cell(i + 1, depth, width) for i, (depth, width) in enumerate((d, w) for d in range(2, 16) for w in widths)
    )
    store.snapshots[2] = replace(store.snapshots[2], cells=cells, cell_id=1, newest_trial_id=None)
    store.trials, store.nets = {}, {}
    async with shown(store) as view:
        assert "2048" not in view.text()
        for at in range(2, 9):
            await view.press("right")
            await view.until(lambda at=at: view.reading.snapshot is not None and view.reading.snapshot.cell_id == at)  # type: ignore[misc]
        assert "2048" in view.text()
        assert "[" in view.text()


async def test_quit_leaves_with_zero() -> None:
    store = scan_store()
    async with shown(store) as view:
        await view.press("q")
    assert view.app.return_code == 0
    assert store.all_closed.wait(30)


def test_every_key_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "guides" / "screens.md").read_text(encoding="utf-8")
    table = page.split("## Keys")[1].split("## Terminals")[0].lower()
    spelled = {"?": "?,", "↑": "arrows", "↓": "arrows", "←": "arrows", "→": "arrows"}
    for key in KEYS:
        for name in shown_keys(key).split():
            assert spelled.get(name, name).lower() in table, key.id
