"""Notes and tags in Browse: beside the name, in the lower edge, and in the filter."""

from dataclasses import replace

import pytest
from test_tui_screens import shown
from tui_fakes import FakeStore, both_sweeps
from tui_rows import NOW

from mlrtui.tui.browse.filtering import Entry, complete, find
from mlrtui_db.models import NoteRow


def noted() -> FakeStore:
    store = both_sweeps()
    snapshot = store.snapshots[1]
    notes = (NoteRow(1, NOW - 9, "compare with Fig. 2"), NoteRow(3, NOW - 5, "seed 4 is odd"))
    sweep = replace(snapshot.sweep, tags=("draft", "paper"), notes=notes)
    store.snapshots[1] = replace(snapshot, sweep=sweep)
    return store


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("#paper", [1]),
        ("#pap catapult", [1]),
        ("fig. odd", [1]),
        ("tag == 'draft'", [1]),
        ("tag == 'paper' and notes > 1", [1]),
        ("tag != 'paper'", [2]),
        ("not (tag == 'draft') and 'x' == 'x'", [2]),
        ("'paper' == tag", [1]),
        ("tag == 'draft paper'", []),
        ("notes == 0", [2]),
    ],
)
def test_a_filter_finds_tags_and_notes(text: str, kept: list[int]) -> None:
    rows = [snapshot.sweep for snapshot in noted().snapshots.values()]
    found = find([Entry(0, "fake.db", "", row, None) for row in rows], text)
    assert not found.trouble
    assert sorted(entry.sweep.sweep_id for entry in found.entries) == kept
    assert "tag" in complete("ta")


async def test_browse_shows_them() -> None:
    async with shown(noted(), (120, 24)) as view:
        await view.press("3")
        await view.until(lambda: "catapult scan #draft #paper" in view.text())
        await view.press("slash", *"#paper", "enter")
        await view.until(lambda: "1 of 2 sweeps" in view.text())
        assert "seed 4 is odd (1 of 2 notes)" in view.text()
