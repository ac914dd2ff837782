"""The one table of keys: bindings, footer and help are made from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from textual.binding import Binding

__all__ = ["KEYS", "SPELLED", "Key", "Keys", "bindings", "command_of", "commands", "footer_keys", "shown_keys"]


Keys = Mapping[str, tuple[str, ...]]
"""The user's own keys by the id of the command."""

_AS_BUILT: Keys = MappingProxyType({})


@dataclass(frozen=True)
class Key:
    """One command: its keys, what it is called in the footer, and how the help explains it."""

    id: str
    keys: tuple[str, ...]  # as the terminal library names them
    action: str  # the method is action_<action>, on the app or on the screen
    label: str  # footer
    help: str
    group: str
    screens: tuple[str, ...]  # empty: on every screen, handled by the app
    footer: int = 0  # order in the footer; 0: not shown there


_LISTS = ("live", "trial", "browse", "compare", "help", "palette", "control")
_CHARTS = ("live", "trial", "compare")
_ONE = ("live", "trial")
_MARKING = ("live", "browse", "boundary")

_PAGES = ("boundary", "exponents", "phases", "log")
_LONG = ("log", "workers")
_CURSOR_PAGES = ("boundary", "exponents", "phases")
_EXPONENTS = ("exponents",)
_GROUPED = ("exponents", "compare")
_PANED = ("live", "trial", "compare", *_CURSOR_PAGES)

KEYS: tuple[Key, ...] = (
    Key("quit", ("q", "ctrl+c"), "leave", "quit", "leave; training runs on", "Everywhere", (), 90),
    Key("help", ("question_mark", "f1"), "help", "help", "this page", "Everywhere", (), 80),
    Key("live", ("1",), "page('live')", "live", "watch one sweep", "Everywhere", (), 60),
    Key("browse", ("3",), "page('browse')", "browse", "all sweeps of the store", "Everywhere", (), 61),
    Key("exponents", ("2",), "page('exponents')", "exponents", "scaling fits", "Everywhere", (), 62),
    Key("phases", ("6",), "page('phases')", "phases", "trials by phase", "Everywhere", (), 64),
    Key("log", ("5",), "page('log')", "log", "all events of the store", "Everywhere", (), 63),
    Key("compare", ("4",), "page('compare')", "compare", "what is marked, together", "Everywhere", (), 62),
    Key("workers", ("7",), "page('workers')", "workers", "what each worker does", "Everywhere", (), 65),
    Key("palette", ("ctrl+p", "colon"), "palette", "commands", "find a command", "Everywhere", (), 70),
    Key("copy", ("C",), "copy", "copy", "copy the command for it", "Everywhere", ()),
    Key("write", ("w",), "write", "write", "write csv, svg and text", "Everywhere", ()),
    Key("refresh", ("r",), "reread", "reread", "read the store again now", "Everywhere", ()),
    Key(
        "open",
        ("enter",),
        "open",
        "open",
        "open under the cursor",
        "Everywhere",
        ("live", "trial", "browse", "palette"),
        10,
    ),
    Key("back", ("escape",), "back", "back", "close, or go back", "Everywhere", _LISTS, 50),
    Key("pane_next", ("tab",), "pane(1)", "pane", "next pane", "Everywhere", _PANED, 14),
    Key("pane_previous", ("shift+tab",), "pane(-1)", "pane", "previous pane", "Everywhere", _PANED),
    Key("stop", ("X",), "control('stop')", "stop", "stop training; asks first", "Control", ()),
    Key("resume", ("R",), "control('resume')", "resume", "resume; asks first", "Control", ()),
    Key("run", ("N",), "control('run')", "run", "run a sweep file; asks", "Control", ()),
    Key("extend", ("E",), "control('extend')", "extend", "extend seeds; asks first", "Control", ()),
    Key("window", ("Z",), "window", "window", "map a window; asks first", "Control", ("phases",)),
    Key("start", ("enter",), "start", "start", "start what is asked", "Control", ("control",), 10),
    Key("up", ("up", "k"), "move(0, -1)", "up", "up", "Grid and lists", _LISTS),
    Key("down", ("down", "j"), "move(0, 1)", "down", "down", "Grid and lists", _LISTS),
    Key("left", ("left", "h"), "move(-1, 0)", "left", "left", "Grid and lists", _CHARTS),
    Key("right", ("right", "l"), "move(1, 0)", "right", "right", "Grid and lists", _CHARTS),
    Key("mark", ("space",), "mark", "mark", "mark for comparing", "Grid and lists", _MARKING, 16),
    Key("overlay", ("equals_sign",), "overlay", "compare", "compare what is marked", "Grid and lists", _MARKING, 17),
    Key("unmark", ("backspace",), "unmark", "unmark", "take all marks away", "Grid and lists", (*_MARKING, "compare")),
    Key("mark_net", ("n",), "mark_net", "mark net", "mark its net to compare", "Grid and lists", ("live",), 18),
    Key("filter", ("slash",), "filter", "filter", "filter the sweeps", "Browse", ("browse",), 12),
    Key("help_filter", ("slash",), "type", "find", "find a key or a word", "Everywhere", ("help",), 12),
    Key("sort", ("s",), "sort", "sort", "sort by the next column", "Browse", ("browse",), 30),
    Key("sort_reverse", ("S",), "reverse", "reverse", "the other way round", "Browse", ("browse",)),
    Key("bookmark", ("b",), "bookmark", "bookmark", "bookmark, kept on disk", "Browse", ("browse",), 31),
    Key("preview_more", ("pagedown",), "preview(6)", "more", "preview: further down", "Browse", ("browse",)),
    Key("preview_less", ("pageup",), "preview(-6)", "less", "preview: further up", "Browse", ("browse",)),
    Key("trial_previous", ("left_square_bracket",), "trial(-1)", "trial", "previous trial", "Live", _ONE),
    Key("trial_next", ("right_square_bracket",), "trial(1)", "trial", "next trial", "Live", _ONE),
    Key("find_trial", ("slash",), "find", "find", "find a trial of the cell", "Live", ("live",), 23),
    Key("follow", ("f",), "follow", "follow", "follow the newest trial", "Live", ("live",), 20),
    Key("pause", ("p",), "pause", "pause", "stop drawing, keep data", "Live", ("live",), 22),
    Key("value", ("v",), "value", "value", "next value in the grid", "Live", ("live",), 24),
    Key("grid_columns", ("a",), "axis(1)", "axis", "next axis to the right", "Live", ("live",)),
    Key("grid_rows", ("A",), "axis(0)", "axis", "next axis downwards", "Live", ("live",)),
    Key("log_x", ("x",), "log_x", "log x", "log or linear steps", "Charts", _CHARTS, 30),
    Key("log_y", ("y",), "log_y", "log y", "log or linear values", "Charts", _CHARTS, 31),
    Key("zoom", ("z",), "zoom", "zoom", "one pane alone, and back", "Charts", _PANED, 28),
    Key("edge", ("e",), "edge", "λ", "λη/2 or λ itself", "Charts", ("live",)),
    Key("measure", ("m",), "measure", "measure", "next stored measure", "Trial", ("live", "trial")),
    Key("beside", ("M",), "beside", "beside", "second on the same axis", "Trial", ("trial",)),
    Key("theory", ("T",), "theory", "theory", "closed forms, or none", "Charts", ("trial", "exponents", "phases")),
    Key("time", ("u",), "time", "η·t", "steps in η·t", "Charts", ("trial", "compare"), 34),
    Key("peak", ("t",), "peak", "peak", "cursor to the peak", "Trial", ("trial",), 12),
    Key("further_back", ("shift+left", "ctrl+left"), "move(-10, 0)", "back", "ten columns back", "Trial", ("trial",)),
    Key("further", ("shift+right", "ctrl+right"), "move(10, 0)", "on", "ten columns on", "Trial", ("trial",)),
    Key("step_back", ("comma",), "step(-1)", "step", "one stored step back", "Trial", ("trial",)),
    Key("step_on", ("full_stop",), "step(1)", "step", "one stored step on", "Trial", ("trial",)),
    Key("first", ("home",), "end(False)", "first", "first step", "Trial", ("trial",)),
    Key("last", ("end",), "end(True)", "last", "last step", "Trial", ("trial",)),
    Key("closer", ("plus",), "zoom_x(0.5)", "zoom", "fewer steps at the cursor", "Trial", ("trial",), 32),
    Key("wider", ("minus",), "zoom_x(2.0)", "wider", "more steps", "Trial", ("trial",)),
    Key("whole", ("0",), "zoom_x(0.0)", "all", "all steps", "Trial", ("trial",), 33),
    Key("kind", ("v",), "kind", "kind", "trials, nets or sweeps", "Compare", ("compare",), 13),
    Key("all_settings", ("d",), "all_settings", "all", "all or differing settings", "Compare", ("compare",), 12),
    # Boundary, Exponents, Phases and Log.
    Key("boundary", ("b",), "boundary", "boundary", "the search of this net", "Fits and log", ("live",), 16),
    Key("page_open", ("enter",), "open", "open", "open what is under it", "Fits and log", _PAGES, 10),
    Key("page_back", ("escape",), "back", "back", "go back", "Fits and log", (*_PAGES, "workers"), 50),
    Key("page_up", ("up", "k"), "move(0, -1)", "up", "up", "Fits and log", (*_PAGES, "workers")),
    Key("page_down", ("down", "j"), "move(0, 1)", "down", "down", "Fits and log", (*_PAGES, "workers")),
    Key("page_left", ("left", "h"), "move(-1, 0)", "left", "left", "Fits and log", _CURSOR_PAGES),
    Key("page_right", ("right", "l"), "move(1, 0)", "right", "right", "Fits and log", _CURSOR_PAGES),
    Key("page_first", ("home", "g"), "move(0, -1000000)", "first", "first row", "Fits and log", _LONG),
    Key("page_last", ("end", "G"), "move(0, 1000000)", "last", "last row", "Fits and log", _LONG),
    Key("page_more", ("pagedown", "space"), "move(0, 20)", "more", "20 rows down", "Fits and log", _LONG),
    Key("page_less", ("pageup",), "move(0, -20)", "less", "20 rows up", "Fits and log", _LONG),
    Key("seed_previous", ("left_square_bracket",), "seed(-1)", "seed", "previous seed", "Fits and log", ("boundary",)),
    Key("seed_next", ("right_square_bracket",), "seed(1)", "seed", "next seed", "Fits and log", ("boundary",), 20),
    Key("fit_previous", ("left_square_bracket",), "fit(-1)", "fit", "previous stored fit", "Fits and log", _GROUPED),
    Key("fit_next", ("right_square_bracket",), "fit(1)", "fit", "next stored fit", "Fits and log", _GROUPED, 20),
    Key("fit_x", ("x",), "quantity_x", "against", "against what", "Fits and log", ("exponents", "phases"), 22),
    Key("fit_y", ("y",), "quantity_y", "quantity", "what is fitted", "Fits and log", _EXPONENTS, 24),
    Key("group", ("g",), "group", "group", "group by the next axis", "Fits and log", _GROUPED, 23),
    Key("where", ("slash",), "type", "where", "type a condition", "Fits and log", _EXPONENTS, 21),
    Key("predict", ("p",), "predict", "predict", "predict beyond the grid", "Fits and log", _EXPONENTS, 25),
    Key("log_filter", ("slash",), "type", "filter", "type words to look for", "Fits and log", ("log",), 26),
    Key("phase_value", ("v",), "value", "value", "ηλ₀, accuracy, ηλ at end", "Fits and log", ("phases",), 24),
    Key("level", ("v",), "level", "level", "events of which level", "Fits and log", ("log",), 22),
)

SPELLED = {
    "question_mark": "?",
    "slash": "/",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "esc",
    "shift+tab": "S-tab",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "comma": ",",
    "full_stop": ".",
    "plus": "+",
    "colon": ":",
    "minus": "-",
    "equals_sign": "=",
    "shift+left": "S-←",
    "shift+right": "S-→",
    "ctrl+left": "ctrl+←",
    "ctrl+right": "ctrl+→",
}
SPELLED_ASCII = {**SPELLED, "up": "up", "down": "down", "left": "left", "right": "right"}
SPELLED_ASCII |= {
    "shift+left": "S-left",
    "shift+right": "S-right",
    "ctrl+left": "ctrl+left",
    "ctrl+right": "ctrl+right",
}


def bindings(screen: str | None) -> list[Binding]:
    """The bindings of a screen, or of the app for None.

    All have priority: the app does a command when its key comes, so that keys are done in their order.
    """
    chosen = [key for key in KEYS if (screen in key.screens if screen else not key.screens)]
    return [
        Binding(
            ",".join(key.keys),
            key.action,
            key.label,
            show=False,
            priority=True,
            id=key.id,
        )
        for key in chosen
    ]


def command_of(name: str, screen: str, keys: Keys = _AS_BUILT) -> Key | None:
    """The command that a key is on a screen; `keys` are the user's own."""
    mine = (key for key in KEYS if not key.screens or screen in key.screens)
    return next((key for key in mine if name in keys.get(key.id, key.keys)), None)


def footer_keys(screen: str) -> list[Key]:
    """The commands that the footer of a screen names, most useful first."""
    typing = screen in ("palette", "control")  # what is typed there is text
    usable = [key for key in KEYS if key.footer and (screen in key.screens or not (key.screens or typing))]
    return sorted(usable, key=lambda key: key.footer)


def commands(screen: str) -> list[Key]:
    """Everything that can be done on a screen: its own commands first, moving about left out."""
    usable = [key for key in KEYS if not key.screens or screen in key.screens]
    return sorted((key for key in usable if not key.action.startswith("move(")), key=lambda key: not key.screens)


def shown_keys(key: Key, ascii_only: bool = False, keys: Keys = _AS_BUILT) -> str:
    """The keys of a command as people read them: "q ctrl+c", "↑ k"; `keys` are the user's own."""
    names = SPELLED_ASCII if ascii_only else SPELLED
    return " ".join(names.get(name, name) for name in keys.get(key.id, key.keys))
