"""What is imported before the first picture and what after it, and style sheets that are parsed once."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from test_tui_screens import shown
from textual.css.stylesheet import Stylesheet
from tui_fakes import scan_store

from mlrtui.tui.modes import MODES, OVER, screen_class, screen_module
from mlrtui.tui.rendering import KeptStylesheet

ROOT = Path(__file__).resolve().parents[2]
LATER = [screen_module(name) for name in (*MODES, *OVER) if name != "live"]
NOT_AT_ONCE = [*LATER, "scipy", "numpy.ma", "pydantic", "mlrtui_db.records", "mlrtui.analysis.fits"]


def said_by(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_first_picture_needs_no_other_screen() -> None:
    code = f"""
import sys
sys.path.insert(0, "tests/tui")
from tui_fakes import scan_store
from mlrtui.tui.once import read_once, render_once
text = render_once(read_once([scan_store().source()]), "live", (160, 48))
assert "peak" in text, text
print([name for name in {NOT_AT_ONCE} if name in sys.modules])
"""
    assert said_by(code) == "[]"


@pytest.mark.parametrize("ended", [False, True])
def test_what_is_loaded_ahead_is_all_that_keys_lead_to(ended: bool) -> None:
    code = f"""
import gc, sys
gc.disable()
from mlrtui.tui.starting import load_ahead
load_ahead(lambda: {ended})
assert gc.isenabled()
print(all(name in sys.modules for name in {[*LATER, "scipy.special"]}))
"""
    assert said_by(code) == str(not ended)


async def test_loading_ahead_begins_once_and_with_the_first_reading_shown() -> None:
    calls: list[tuple[int, bool]] = []
    begun = threading.Event()

    def ahead(ended: Callable[[], bool]) -> None:
        calls.append((threading.get_ident(), ended()))
        begun.set()

    store = scan_store()
    async with shown(store, ahead=ahead) as view:
        assert await asyncio.to_thread(begun.wait, 30)
        assert "peak" in view.text()
        store.commit()
        await view.press("r")
        await view.press("r")
    assert [ended for _, ended in calls] == [False]
    assert calls[0][0] != threading.get_ident()


def test_screens_are_found_by_their_names() -> None:
    for name in (*MODES, *OVER):
        assert screen_class(name).__name__.lower() == f"{name}screen"


def _rules(sheet: Stylesheet) -> list[str]:
    return [rule.css for rule in sheet.rules]


def test_a_kept_style_sheet_has_the_rules_of_a_fresh_one() -> None:
    kept = KeptStylesheet(variables={"colour": "red"})
    kept.add_source("Widget { color: $colour; }", read_from=("one", ""))
    kept.reparse()
    before = kept.rules[0]
    kept.set_variables({"colour": "red"})
    kept.add_source("Screen { background: $colour; }", read_from=("two", ""))
    kept.reparse()
    assert kept.rules[0] is before  # only what is new was parsed
    assert len(kept.rules) == 2
    kept.set_variables({"colour": "blue"})
    kept.reparse()
    fresh = Stylesheet(variables={"colour": "blue"})
    for place, source in kept.source.items():
        fresh.add_source(source.content, read_from=place)
    assert _rules(kept) == _rules(fresh)
    assert kept.rules[0].css != before.css
