"""Screens that are composed before a key asks for them: nothing of them is seen, and they open as the others do."""

import pytest
from test_tui_screens import shown
from tui_laws import law_store

from mlrtui.tui.modes import COMPOSED_AHEAD


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
async def test_screens_composed_ahead_open_as_they_would_without(size: tuple[int, int]) -> None:
    async with shown(law_store(), size) as view:
        first = view.text()
        pages = {}
        for key, words in (("2", "fitted"), ("6", "ranges of ηλ₀")):
            await view.press(key)
            await view.until(lambda words=words: words in view.text())  # type: ignore[misc]
            await view.pilot.pause()
            pages[key] = view.text()
    async with shown(law_store(), size, ahead=lambda unless: None) as view:
        await view.until(lambda: set(COMPOSED_AHEAD) <= set(view.app._screen_stacks))
        assert view.text() == first
        assert view.app.screen is not view.app._screen_stacks["exponents"][0]
        for key, words in (("2", "fitted"), ("6", "ranges of ηλ₀")):
            await view.press(key)
            await view.until(lambda words=words: words in view.text())  # type: ignore[misc]
            await view.pilot.pause()
            assert view.text() == pages[key]
