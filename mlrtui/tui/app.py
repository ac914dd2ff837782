"""The app: it owns the feed, what is looked at and how it is drawn; screens show it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from textual import events
from textual.filter import LineFilter
from textual.theme import Theme
from textual.worker import get_current_worker

from mlrtui.text.marks import ASCII, UNICODE
from mlrtui.tui.browse.bookmarks import Bookmarks
from mlrtui.tui.browse.entering import entered
from mlrtui.tui.choices import looked, set_look, set_wanted
from mlrtui.tui.control.errands import Errand, Errands
from mlrtui.tui.control.offers import offer
from mlrtui.tui.feed import Feed
from mlrtui.tui.keeping import command_for, keep
from mlrtui.tui.keyline import KeyedApp
from mlrtui.tui.keymap import Key, Keys, bindings, command_of
from mlrtui.tui.machine import Load
from mlrtui.tui.messages import StoreRead
from mlrtui.tui.modes import COMPOSED_AHEAD, MODES, screen_class, wanted_for
from mlrtui.tui.ports import StoreSource
from mlrtui.tui.rendering import KeptStylesheet, NoColour
from mlrtui.tui.screen import ReadingScreen
from mlrtui.tui.state import MOST_MARKS, Look, Mark, Reading, Starting, Wanted
from mlrtui.tui.widgets.lists import Footer
from mlrtui_db.models import TrialRow

__all__ = ["MlrtuiApp"]

_OF_WHAT_IS_SHOWN = ("copy", "write")  # commands about all that is on the screen
_THEMES: dict[str, Theme] = {}  # by name; none is registered here
_SETTLED = 0.3  # seconds after which the first picture has been sent, and other work does not hold it up


class MlrtuiApp(KeyedApp, inherit_bindings=False):
    """Screens over the stores that were named. It never writes to a store and never signals a process: for that it
    starts commands of the command line, after asking.
    """

    ENABLE_COMMAND_PALETTE = False
    MODES = MODES
    BINDINGS = [*bindings(None)]  # noqa: RUF012
    TITLE = "mlrtui"

    def __init__(
        self,
        sources: Sequence[StoreSource],
        *,
        start: str = "live",
        wanted: Wanted | None = None,
        marked: tuple[Mark, ...] = (),
        refresh: float = 2.0,
        ascii_only: bool = False,
        light: bool = False,
        keys: Keys | None = None,
        color: bool | None = None,
        clock: Callable[[], float] = time.time,
        still: Reading | None = None,
        bookmarks: Bookmarks | None = None,
        machine: Callable[[], Load] | None = None,
        ahead: Callable[[Callable[[], bool]], None] | None = None,
        starting: Starting | None = None,
        choices: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`start` is a screen, `wanted` what it shows, `still` a reading instead of any feed.

        With `color` None NO_COLOR decides. `ahead` is called in a thread of its own once the first reading is on the
        screen, with a function that says whether the app ends. `starting` is what the command before it has started,
        `choices` how the first screen is set.
        """
        super().__init__(ansi_color=True)
        self.stylesheet = KeptStylesheet(variables=self.get_css_variables())
        self.theme = "ansi-light" if light else "ansi-dark"
        self.animation_level = "none"
        self.no_color = self.no_color if color is None else not color
        self._strict = [NoColour()] if self.no_color else []
        self.look = Look(
            ASCII if ascii_only else UNICODE, light=light, keys=keys or {}, marked=marked, starting=starting
        )
        self.look = set_look(self.look, choices)
        wanted = set_wanted(wanted or Wanted(), choices)
        self.wanted = wanted_for(start, wanted, marked) if still is None else still.wanted
        self.bookmarks = bookmarks or Bookmarks()
        self.reading: Reading | None = still
        self._latest: Reading | None = still
        self._enters = [source.enter for source in sources]
        self._start = start
        self._choices = choices
        self._ahead = ahead
        self.errands = Errands(self.set_timer, self._errand_ended)
        self._before_compare = "browse" if start == "browse" else "live"
        self._feed = (
            None if still else Feed(sources, self._post, self.wanted, refresh=refresh, clock=clock, machine=machine)
        )

    def get_theme(self, theme_name: str) -> Theme | None:
        """One of the built-in themes: asked for at every row that is drawn, where the library copies all of them."""
        found = _THEMES.get(theme_name) or super().get_theme(theme_name)
        if found is not None:
            _THEMES[theme_name] = found
        return found

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Without colour: no colour code at all, where the library would send greys or resets."""
        return self._strict or super().get_line_filters()

    def on_mount(self) -> None:
        """Show the first screen and start reading."""
        self.set_keymap({name: ",".join(chosen) for name, chosen in self.look.keys.items()})
        self.switch_mode("live" if self._start == "trial" else self._start)
        if self._start == "trial":
            self.push_screen(screen_class("trial")())
        if self._feed is not None:
            self.run_worker(self._feed.run, thread=True, exit_on_error=False)

    def on_unmount(self) -> None:
        """End the reading thread."""
        if self._feed is not None:
            self._feed.stop()

    async def on_store_read(self, message: StoreRead) -> None:
        """Show what was read, unless drawing is paused; keys may have waited for it."""
        first, self._latest = self._latest is None, message.reading
        if not self.look.paused:
            self._draw()
        if first:
            self.set_timer(_SETTLED, self._start_ahead)
        await self.line.go_on()

    def take_choices(self, screen: object) -> Mapping[str, str]:
        """How the command line sets this screen: for the one that it starts, and only once."""
        if not isinstance(screen, screen_class(self._start)):
            return {}
        choices, self._choices = self._choices, MappingProxyType({})
        return choices

    def want(self, wanted: Wanted) -> None:
        """Look at something else; the picture follows when it has been read."""
        self.wanted = wanted
        if self._feed is not None:
            self._feed.want(wanted)

    def follow(self) -> None:
        """Look at the trial whose steps moved last, from now on."""
        self.wanted = replace(self.wanted, cell_id=None, trial_id=None)
        if self._feed is not None:
            self._feed.follow(self.wanted)

    def change(self, **how: Any) -> None:
        """Draw the same data in another way."""
        self.look = replace(self.look, **({"note": ""} | how))
        self._draw()

    def say(self, words: str) -> None:
        """A sentence in the status line until the next one."""
        self.change(note=words)

    def open_sweep(self, wanted: Wanted) -> None:
        """Show a sweep in Live; one of another machine by the screen there, on this terminal."""
        enter = self._enters[wanted.store] if wanted.store < len(self._enters) else None
        if enter is not None and wanted.sweep_id is not None:
            self.say(entered(self, enter, wanted.sweep_id))
            return
        self.want(wanted)
        self._before_compare = "live"
        self._to("live")

    def open_trial(self, trial: TrialRow) -> None:
        """Show a trial in full; from now on it stays chosen."""
        self.want(replace(self.wanted, cell_id=trial.cell_id, trial_id=trial.trial_id, detailed=True))
        self.push_screen(screen_class("trial")())

    def close_trial(self) -> None:
        """Back to Live."""
        self.want(replace(self.wanted, detailed=False))
        self.pop_screen()

    def action_page(self, mode: str) -> None:
        """Another screen on the same sweep, with the rows that it needs."""
        if mode in ("live", "browse"):
            self._before_compare = mode
        self.want(wanted_for(mode, self.wanted, self.look.marked))
        self._to(mode)

    def leave_compare(self) -> None:
        """Back to Live or Browse."""
        self.action_page(self._before_compare)

    def toggle(self, mark: Mark) -> None:
        """Mark, or take the mark away; a seventh mark takes the place of the first of its kind."""
        marked = self.look.marked
        kept = tuple(other for other in marked if other != mark)
        if mark not in marked:
            same = [other for other in kept if other.kind == mark.kind]
            dropped = same[: max(len(same) + 1 - MOST_MARKS, 0)]
            kept = (*(other for other in kept if other not in dropped), mark)
        self.change(marked=kept)

    def action_help(self) -> None:
        """The help over this screen, or away again."""
        self._over("help", self._screen_name)

    def action_palette(self) -> None:
        """All commands of this screen over it, or away again."""
        self._over("palette", self._screen_name)

    def action_control(self, kind: str) -> None:
        """Ask whether a command is to be started on what the screen shows; one of `offers.KINDS`."""
        if isinstance(self.screen, ReadingScreen):
            self._over("control", offer(kind, self.screen.target()))

    def _errand_ended(self, errand: Errand) -> None:
        screen = self.screen
        if not (isinstance(screen, ReadingScreen) and screen.ended(errand)):
            self.say(errand.sentence())

    async def do_below(self, key: Key) -> None:
        """Close the palette and do a command on the screen below it."""
        self.pop_screen()
        await self.run_action(key.action, self.screen if key.screens else self)

    def action_copy(self) -> None:
        """What is selected and the command that shows it again, to the terminal's clipboard (OSC 52)."""
        if not isinstance(self.screen, ReadingScreen):
            return
        name = self._screen_name
        choices = looked(name, self.look, self.wanted) | self.screen.choices()
        if self.reading is not None:  # what was chosen for another sweep is not on the screen
            wrong = self.screen.misfits(choices, self.reading)
            choices = {name: value for name, value in choices.items() if name not in wrong}
        text = command_for(name, self.reading, self.wanted, self.screen.trials(), self.screen.sweeps(), choices)
        if text:
            self.copy_to_clipboard(text)
            self.say(f"copied: {text}")

    def action_write(self) -> None:
        """What is on screen, as files in the working folder."""
        if not isinstance(self.screen, ReadingScreen):
            return
        picture = self.export_screenshot(title="mlrtui", simplify=True)
        stem = f"mlrtui-{self._screen_name}"
        self.say(keep(Path.cwd(), stem, self.screen.text(), picture, self.screen.tables()))

    def action_leave(self) -> None:
        """End the screen; whatever trains goes on."""
        self.exit()

    def action_reread(self) -> None:
        """Read everything again."""
        if self._feed is not None:
            self._feed.reread()

    @property
    def _screen_name(self) -> str:
        """The screen that is up, as its footer is called."""
        return self.screen.query(Footer).first().screen_name

    def must_wait(self, event: events.Key) -> bool:
        """Whether a key is about something that was chosen and is still being read; nothing is while the store is in
        trouble or drawing is paused.
        """
        screen, reading = self.screen, self.reading
        if not isinstance(screen, ReadingScreen) or self._feed is None or self.look.paused:
            return False
        if reading is not None and reading.trouble:
            return False
        key = command_of(event.key, self._screen_name, self.look.keys)
        if key is None:
            return False
        if key.id in _OF_WHAT_IS_SHOWN:
            return reading is None or reading.wanted != self.wanted
        return screen.waits(key)

    def _over(self, name: str, *about: object) -> None:
        """Put a screen over this one, or take it away again."""
        kind = screen_class(name)
        if isinstance(self.screen, kind):
            self.pop_screen()
        elif not (isinstance(self.screen, ReadingScreen) and self.screen.PASSING):
            make: Callable[..., ReadingScreen] = kind
            self.push_screen(make(*about))

    def _to(self, mode: str) -> None:
        while len(self.screen_stack) > 1:
            self.pop_screen()
        self.switch_mode(mode)

    def _start_ahead(self) -> None:
        ahead = self._ahead
        if ahead is None:
            return

        def work() -> None:
            worker = get_current_worker()
            ahead(lambda: worker.is_cancelled)
            if not worker.is_cancelled:
                self.call_from_thread(self.call_later, self._compose_ahead)

        self.run_worker(work, thread=True, exit_on_error=False)

    async def _compose_ahead(self) -> None:
        """Make the next of the screens whose first visit would wait for its widgets and styles; one at a time, so that
        no key waits for more than one.
        """
        mode = next((name for name in COMPOSED_AHEAD if name not in self._screen_stacks), None)
        if mode is not None:
            await self._init_mode(mode)  # the library's own first half of `switch_mode`
            screen = self._screen_stacks[mode][0]
            self.stylesheet.update(screen)
            screen._css_update_count = self._css_update_count  # else all styles are applied again at the first visit
            screen.post_message(events.ScreenSuspend())
            self.set_timer(_SETTLED, self._compose_ahead)

    def _draw(self) -> None:
        if not self.look.paused:
            self.reading = self._latest
        if isinstance(self.screen, ReadingScreen):
            self.screen.show(self.reading)

    def _post(self, reading: Reading) -> None:
        """Called in the feed's thread."""
        self.post_message(StoreRead(reading))
