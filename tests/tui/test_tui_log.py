"""Log: all events, by level and by words; enter goes to the trial."""

from dataclasses import replace
from pathlib import Path

from test_tui_screens import shown
from test_tui_store import begin
from tui_laws import talking_store
from tui_rows import NOW

from mlrtui.text.lines import holds
from mlrtui.tui.live.screen import LiveScreen
from mlrtui.tui.log.screen import LogPane, LogScreen
from mlrtui.tui.widgets.typed import Prompt
from mlrtui_db.models import EventRow
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store


def test_words_match_in_any_order_and_case() -> None:
    assert holds("8x256 seed 0: NaN at step 37", "nan 8X256")
    assert holds("anything", "  ")
    assert not holds("8x256 seed 0", "8x256 nan")


async def test_levels_and_words_narrow_the_list() -> None:
    async with shown(talking_store()) as view:
        await view.press("5")
        await view.until(lambda: "50 of 50 events" in view.text())
        await view.press("v")
        assert "20 of 50 events" in view.text()
        await view.press("v")
        assert "10 of 50 events" in view.text()
        await view.press("v", "slash", *"event 12")
        assert "1 of 50 events" in view.text()
        assert isinstance(view.app.focused, Prompt)
        await view.press("enter")
        await view.until(lambda: not isinstance(view.app.focused, Prompt))
        assert "filter: event 12" in view.text()
        await view.press("slash", *"zz")
        assert "no event passes the filters" in view.text()
        await view.press("escape")
        await view.until(lambda: "1 of 50 events" in view.text())


async def test_every_letter_can_be_typed() -> None:
    async with shown(talking_store()) as view:
        await view.press("5")
        await view.until(lambda: "50 of 50" in view.text())
        await view.press("slash", *"q1 2?rhjk")
        assert isinstance(view.app.screen, LogScreen)
        assert "filter: q1 2?rhjk" in view.text()
        await view.press("home", "delete", "end", "backspace", "left", "X")
        assert "filter: 1 2?rhXj" in view.text()


async def test_enter_goes_to_the_trial_of_an_event() -> None:
    async with shown(talking_store()) as view:
        await view.press("5")
        await view.until(lambda: "event 49" in view.text())
        await view.press("down", "enter")
        await view.until(lambda: isinstance(view.app.screen, LiveScreen))
        await view.until(lambda: view.reading.trial_id == 9)
        assert view.app.wanted.cell_id == 1


async def test_the_cursor_stays_on_its_event_and_at_the_top_with_the_newest() -> None:
    store = talking_store()
    async with shown(store) as view:

        def chosen() -> str:
            row = view.app.screen.query_one(LogPane).chosen()
            return "" if row is None else row.text.split(":")[0]

        async def more(number: int) -> None:
            snapshot = store.snapshots[1]
            event = EventRow(number, NOW, "info", f"event {number}: new", None)
            store.snapshots[1] = replace(snapshot, events=(event, *snapshot.events))
            store.commit()
            await view.press("r")
            await view.until(lambda: f"{number} of {number} events" in view.text())

        await view.press("5")
        await view.until(lambda: "50 of 50" in view.text())
        await more(51)
        assert chosen() == "event 51"
        await view.press("down", "down")
        assert chosen() == "event 48"
        await more(52)
        assert chosen() == "event 48"
        await view.press("end")
        assert chosen() == "event 0"
        await view.press("pageup", "g")
        assert chosen() == "event 52"


async def test_text_of_an_event_cannot_command_the_terminal() -> None:
    store = talking_store(1)
    event = EventRow(1, NOW, "error", "\x1b]0;title\x07 [bold] two\nlines", None)
    store.snapshots[1] = replace(store.snapshots[1], events=(event,))
    async with shown(store) as view:
        await view.press("5")
        await view.until(lambda: "·]0;title· [bold] two·lines" in view.text())


def test_the_store_gives_events_with_the_cells_of_their_trials(tmp_path: Path) -> None:
    path = tmp_path / "real.db"
    with Store.open(path) as store:
        trial_id = begin(store)
        with store.transaction():
            store.add_event("warning", "diverged", 1, trial_id)
            store.add_event("info", "about nothing")
    with Reader.open(path) as reader:
        rows = reader.log()
        assert [row.text for row in rows][-3:] == ["started", "diverged", "about nothing"]
        assert [(row.sweep_id, row.trial_id, row.cell_id) for row in rows][-3:] == [
            (1, None, None),
            (1, trial_id, 1),
            (None, None, None),
        ]
        assert reader.log(after_event_id=rows[-2].event_id) == rows[-1:]
        assert reader.log(limit=2) == rows[-2:]
        assert reader.sizes(1) == {"1x512": 33_280}
        assert reader.sizes(9) == {}
