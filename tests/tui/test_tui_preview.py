"""The preview of Browse: there at once, completed when read, never in the way of the cursor."""

import pytest
from test_tui_screens import shown
from tui_fakes import both_sweeps
from tui_laws import law_store

from mlrtui.tui.browse.preview import axes_of, grid_sentence, settings_of
from mlrtui.tui.once import read_once, render_once

SPEC = {
    "sweep": {"name": "x", "seeds": [0, 1, 2]},
    "model": {"depth": [2, 3], "width": [64], "layer_lr": {"input": [0.1, 1.0]}, "activation": ["relu"]},
    "training": {"loss": ["ce", "mse"], "epochs": [3], "note": None},
    "fit": [{"y": "eta_star"}],
}


def test_the_grid_is_what_has_several_values() -> None:
    assert [name for name, _ in axes_of(SPEC)] == ["model.depth", "model.layer_lr.input", "training.loss"]
    assert grid_sentence(SPEC) == "depth 2, 3 × input 0.1, 1 × loss ce, mse × 3 seeds"
    settings = dict(settings_of(SPEC))
    assert settings == {
        "model.width": "64",
        "model.activation": "relu",
        "training.epochs": "3",
        "sweep.seeds": "0, 1, 2",
    }
    assert grid_sentence({}) == ""


async def test_the_preview_follows_the_cursor_and_reads_only_what_it_rests_on() -> None:
    store = both_sweeps()
    async with shown(store, (160, 48), start="browse") as view:
        await view.until(lambda: view.reading.preview is not None)
        first = view.reading.preview
        assert first is not None
        await view.press("down")
        await view.until(lambda: view.reading.preview is not None and view.reading.preview.sweep_id != first.sweep_id)
        assert "here cpu" in view.text()
        asked = [what for what in store.log if what[0] == "machines"]
        assert len(asked) == 2
        await view.press("pagedown")
        assert "2 sweeps" in view.text()


@pytest.mark.parametrize(
    ("size", "there"), [((80, 24), True), ((160, 48), True), ((60, 24), False), ((100, 15), False)]
)
def test_a_printed_screen_has_the_preview_where_there_is_room(size: tuple[int, int], there: bool) -> None:
    reading = read_once([law_store().source()], "browse")
    text = render_once(reading, "browse", size)
    assert ("15 cells" in text) == there
    assert ("took 14 min" in text or "took 14m" in text) == there
    assert reading.preview is not None
    assert len(reading.preview.fits) == 3
