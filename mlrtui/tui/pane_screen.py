"""A screen of several panes: one of them is current; on a small terminal, and zoomed, it is alone."""

from collections.abc import Mapping
from typing import ClassVar

from textual import on
from textual.events import DescendantFocus

from mlrtui.tui.screen import ReadingScreen
from mlrtui.tui.widgets.pane import Pane

__all__ = ["PanesScreen"]


class PanesScreen(ReadingScreen, inherit_bindings=False):
    """Panes with ids. Their style sheet hides `.pane` without `.-current` where the screen is `single`."""

    AUTO_FOCUS = ""
    PANES: ClassVar[tuple[str, ...]]  # ids, in the order in which tab visits them

    def __init__(self) -> None:
        super().__init__()
        self._current = self.PANES[0]

    def on_mount(self) -> None:
        """The first pane is where a person starts."""
        self.focus_pane(self._current)

    def panes(self) -> tuple[str, ...]:
        """The panes that there are now."""
        return self.PANES

    @on(DescendantFocus)
    def follow_focus(self) -> None:
        """Where all panes are visible the focused one is the current one.

        Where only one is, a focus elsewhere was moved by the library when that pane was hidden, and is moved back.
        """
        focused = self.focused
        if isinstance(focused, Pane) and focused is not self.current:
            hidden = self.single or focused.id not in self.panes()
            self.focus_pane(str(self.current.id if hidden else focused.id))

    @property
    def current(self) -> Pane:
        """The pane that keys act on, and the one that stays where there is room for one only."""
        return self.query_one(f"#{self._current}", Pane)

    @property
    def single(self) -> bool:
        """Whether one pane has the whole screen."""
        return self.look.zoomed or self.has_class("-narrow") or self.has_class("-low")

    def focus_pane(self, name: str) -> None:
        """Make a pane the current one; it takes the focus once it is shown, since what is hidden takes none."""
        self._current = name
        pane = self.current
        around = pane.ancestors_with_self
        for node in self.query("Container, .pane"):
            node.set_class(node in around, "-current")
        self.call_after_refresh(self._focus_current)

    def _focus_current(self) -> None:
        """Of several that were current one after another, the last gets the focus."""
        self.current.focus()

    @classmethod
    def choice_values(cls) -> dict[str, tuple[str, ...]]:
        """Its panes."""
        return {"pane": cls.PANES}

    def choices(self) -> dict[str, str]:
        """The pane that keys act on."""
        return {} if self._current == self.panes()[0] else {"pane": self._current}

    def choose(self, choices: Mapping[str, str]) -> None:
        """Another pane."""
        if choices.get("pane") in self.panes():
            self.focus_pane(choices["pane"])

    def action_move(self, dx: int, dy: int) -> None:
        """An arrow key, for the current pane or else for the cursor that all panes share."""
        if not self.current.move(dx, dy):
            self.move_cursor(dx, dy)

    def move_cursor(self, dx: int, dy: int) -> None:
        """Move the cursor of the screen."""

    def action_pane(self, step: int) -> None:
        """The next pane that this layout has; with one pane at a time, all of them."""
        reachable = [name for name in self.panes() if self.single or self.query_one(f"#{name}").display]
        at = reachable.index(self._current) if self._current in reachable else -step
        self.focus_pane(reachable[(at + step) % len(reachable)])

    def action_zoom(self) -> None:
        """The focused pane alone, and back."""
        self.owner.change(zoomed=not self.look.zoomed)
        self.set_class(self.look.zoomed, "-zoomed")

    def action_back(self) -> None:
        """Out of the zoom, else out of the screen."""
        if self.look.zoomed:
            self.action_zoom()
        else:
            self.leave()

    def leave(self) -> None:
        """Where esc leads."""
        self.owner.action_page("live")

    def on_screen_resume(self) -> None:
        """Another screen may have zoomed meanwhile."""
        super().on_screen_resume()
        self.set_class(self.look.zoomed, "-zoomed")
