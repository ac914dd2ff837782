"""Browse: every sweep of every store that was opened."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from textual import on
from textual.app import ComposeResult
from textual.containers import Container

from mlrtui.text.lines import Line, clean, line
from mlrtui.tui.browse.filtering import SORTS, complete
from mlrtui.tui.browse.preview import PreviewPane
from mlrtui.tui.browse.sweep_list import SweepList
from mlrtui.tui.control.offers import Target, target_of
from mlrtui.tui.keymap import Key, bindings
from mlrtui.tui.screen import ReadingScreen
from mlrtui.tui.state import Look, Reading, StoreState
from mlrtui.tui.tables import Table, sweep_table
from mlrtui.tui.widgets.lists import Footer
from mlrtui.tui.widgets.pane import LinesWidget
from mlrtui.tui.widgets.typed import Entry

__all__ = ["BrowseScreen"]

_ABOUT_SWEEPS = ("up", "down", "open", "mark", "bookmark")
_HINT = "words of the name, or: trials_failed > 0 and status == 'done'   tab completes"


class StoreLine(LinesWidget):
    """Which stores are open, and what is wrong with them."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="status")

    def lines(self, width: int, height: int) -> list[Line]:
        """The row."""
        stores: Sequence[StoreState] = () if self.reading is None else self.reading.stores
        trouble = next((store.trouble for store in stores if store.trouble), "")
        if trouble and len(stores) == 1:  # of several each is a row of the list
            return [((" ! ", "failed"), (clean(trouble), "failed"))]
        if self.look.note:
            return [line(f" {clean(self.look.note)}", "value")]
        end = next((store.driver_end for store in stores if store.driver_end), "")
        if end:
            return [((" ! ", "failed"), (clean(end), "failed"))]
        names = ", ".join(clean(store.label) for store in stores)
        return [line(f" {names} · read-only" if names else " opening the store", "dim")]


class BrowseHeader(LinesWidget):
    """One row: the place."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="header")

    def lines(self, width: int, height: int) -> list[Line]:
        """The row."""
        return [((" mlrtui ", "strong"), (" 3 Browse", "dim"))]


class BrowseScreen(ReadingScreen, inherit_bindings=False):
    """A list beside a preview of the sweep under its cursor; enter opens the sweep in Live."""

    CSS_PATH = "screen.tcss"
    BINDINGS = [*bindings("browse")]  # noqa: RUF012

    def compose(self) -> ComposeResult:
        """Header, filter, list, status, footer."""
        yield BrowseHeader(self.look)
        yield Entry(self.look, id="filter", hint=_HINT)
        with Container(id="body"):
            yield SweepList(self.look)
            yield PreviewPane(self.look)
        yield StoreLine(self.look)
        yield Footer(self.look, "browse")

    def on_mount(self) -> None:
        """The list is where a person starts."""
        self.list.bookmarks = self.owner.bookmarks.keys
        self.set_focus(self.list)

    def show(self, reading: Reading | None) -> None:
        """New sweeps may fit the filter, or lift what was wrong with it."""
        super().show(reading)
        self._follow()
        self._say()

    def _follow(self) -> None:
        """Preview the sweep under the cursor: what is known at once, the rest when it has been read."""
        entry, pane = self.list.entry(), self.query_one(PreviewPane)
        pane.entry = entry
        pane.update_rows()
        wanted = self.owner.wanted
        if entry is None or not wanted.browsing or not pane.display:
            return
        place = entry.store, entry.sweep.sweep_id
        if wanted.preview != place:
            self.owner.want(replace(wanted, preview=place))

    @property
    def list(self) -> SweepList:
        """The sweeps."""
        return self.query_one(SweepList)

    @property
    def prompt(self) -> Entry:
        """The filter."""
        return self.query_one(Entry)

    def tables(self) -> Sequence[Table]:
        """The sweeps that pass the filter, in their order."""
        return (sweep_table(self.list.found().entries),)

    @classmethod
    def choice_values(cls) -> dict[str, tuple[str, ...]]:
        """The orders."""
        return super().choice_values() | {"sort": tuple(name for name, _, _ in SORTS), "order": ("reversed",)}

    def target(self) -> Target | None:
        """The sweep under the cursor."""
        entry = self.list.entry()
        return super().target() if entry is None else target_of(self.owner.reading, entry.store, entry.sweep)

    def choices(self) -> dict[str, str]:
        """Filter and order."""
        found = {"filter": self.list.filter} if self.list.filter.strip() else {}
        found |= {"sort": SORTS[self.list.sort][0]} if self.list.sort else {}
        return found | ({"order": "reversed"} if self.list.reverse else {})

    def choose(self, choices: Mapping[str, str]) -> None:
        """Another filter and order."""
        names = [name for name, _, _ in SORTS]
        self.list.reverse = choices.get("order") == "reversed"
        self.list.sort = names.index(choices["sort"]) if choices.get("sort") in names else 0
        self.prompt.put(choices.get("filter", ""))
        self.set_class(bool(self.prompt.typed), "-filtered")

    def waits(self, key: Key) -> bool:
        """The list waits for the sweeps."""
        reading = self.owner.reading
        return (
            key.id in _ABOUT_SWEEPS
            and not self.list.entry()
            and (reading is None or reading.wanted != self.owner.wanted)
        )

    def typed(self, text: str) -> None:
        """The list follows every letter."""
        self.list.filter = text
        self.list.update_rows()
        self._follow()
        self._say()

    async def entered(self, text: str) -> None:
        """Keep the filter."""
        self._leave_filter()

    def passed(self, key: str) -> None:
        """Escape clears the filter, tab completes, arrows go through the list."""
        if key == "tab":
            options = complete(self.prompt.typed)
            self.prompt.put(options[0] if options else self.prompt.typed)
        elif key in ("up", "down"):
            self.list.move(0, -1 if key == "up" else 1)
            self._follow()
        else:
            self.prompt.put("")
            self._leave_filter()

    def _leave_filter(self) -> None:
        self.set_focus(self.list)
        self.set_class(bool(self.prompt.typed), "-filtered")

    def action_filter(self) -> None:
        """Type a filter."""
        self.add_class("-filtered")
        self.set_focus(self.prompt)

    def action_sort(self) -> None:
        """By the next column."""
        self.list.sort = (self.list.sort + 1) % len(SORTS)
        self.list.update_rows()
        self._follow()

    def action_reverse(self) -> None:
        """The other way round."""
        self.list.reverse = not self.list.reverse
        self.list.update_rows()
        self._follow()

    def action_bookmark(self) -> None:
        """Remember the sweep in the user's state folder, or forget it."""
        entry = self.list.entry()
        if entry is not None:
            self.owner.bookmarks.toggle(entry.key)
            self.list.bookmarks = self.owner.bookmarks.keys
            self.list.update_rows()
            if self.owner.bookmarks.trouble:
                self.owner.say(self.owner.bookmarks.trouble)

    def action_move(self, dx: int, dy: int) -> None:
        """An arrow key."""
        self.list.move(dx, dy)
        self._follow()

    def action_preview(self, rows: int) -> None:
        """Scroll the preview."""
        self.query_one(PreviewPane).move(0, rows)

    @on(SweepList.Chosen)
    def preview_chosen(self) -> None:
        """The sweep that was clicked."""
        self._follow()

    def action_open(self) -> None:
        """Live on the sweep under the cursor."""
        wanted = self.list.chosen()
        if wanted is not None:
            self.owner.open_sweep(wanted)

    def action_mark(self) -> None:
        """Mark the sweep for comparing, or take its mark away."""
        entry = self.list.entry()
        if entry is not None and entry.is_afar:
            self.owner.say(f"sweeps of another machine are compared once `mlrtui pull {entry.label}` has copied them")
        elif entry is not None:
            self.owner.toggle(entry.mark)

    def action_overlay(self) -> None:
        """What is marked, on the same axes."""
        self.owner.action_page("compare")

    def action_unmark(self) -> None:
        """Take all marks away."""
        self.owner.change(marked=())

    def action_back(self) -> None:
        """The filter away, else to Live as it was left."""
        if self.prompt.typed:
            self.prompt.put("")
            self.remove_class("-filtered")
        else:
            self.owner.action_page("live")

    def _say(self) -> None:
        """Beside the filter: what cannot be read of it, or what tab would complete."""
        trouble = self.list.found().trouble
        options = complete(self.prompt.typed) if self.prompt.has_focus else ()
        names = " ".join(option.split()[-1] for option in options[:6])
        self.prompt.note = line(trouble, "failed") if trouble and not options else line(names, "dim")
        self.prompt.update_rows()
