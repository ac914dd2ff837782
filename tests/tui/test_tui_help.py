"""Help: what is typed leaves the rows that hold it."""

from test_tui_screens import shown
from tui_fakes import scan_store

from mlrtui.tui.help.screen import HelpScreen
from mlrtui.tui.live.screen import LiveScreen


async def test_words_leave_the_keys_and_meanings_that_hold_them() -> None:
    async with shown(scan_store(), (100, 30)) as view:
        await view.press("question_mark", "slash", *"log y")
        text = view.text()
        assert "log or linear values" in text
        assert "live, trial, compare" in text
        assert "catapult" not in text
        await view.press("ctrl+u", *"q", "enter")  # a command elsewhere
        assert isinstance(view.app.screen, HelpScreen)
        assert "leave; training runs on" in view.text()
        await view.press("slash", "ctrl+u", *"zzz", "enter")
        assert "nothing here is called so" in view.text()
        await view.press("slash", "ctrl+u", *"edge", "enter")
        assert "sharpness over its edge" in view.text()
        await view.press("slash", "x", "escape")  # given up: what held before holds
        assert "sharpness over its edge" in view.text()
        await view.press("escape")
        assert isinstance(view.app.screen, LiveScreen)
