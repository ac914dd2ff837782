"""Options and arguments that several commands have, each with one text, and what some of them come to together."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

import typer

from mlrtui.errors import BadInput
from mlrtui.text.escape import one_line

if TYPE_CHECKING:
    from mlrtui.driver.terms import Terms
    from mlrtui.remote.address import Address

__all__ = [
    "AllowCodeOption",
    "AsciiOption",
    "BackupEveryOption",
    "BackupToOption",
    "ChangeOption",
    "DepthOption",
    "DetachOption",
    "DevicesOption",
    "EngineOption",
    "FigureArgument",
    "FigureFileOption",
    "FigureSizeOption",
    "FigureXOption",
    "ForceOption",
    "ForegroundOption",
    "JsonOption",
    "LawsOption",
    "NoMouseOption",
    "NoTuiOption",
    "NotifyOption",
    "OnceOption",
    "RayAddressOption",
    "RefreshOption",
    "ScreenJsonOption",
    "ShownStoreArgument",
    "ShownStoreOption",
    "ShownStoresOption",
    "StoreOption",
    "StoresOption",
    "SweepsArgument",
    "UntilOption",
    "WatchScreen",
    "WidthOption",
    "WorkersOption",
    "engine_options",
    "given_terms",
    "shown_fields",
    "shown_store",
    "store_path",
]

_STORE = typer.Option("--store", help="The store (default: $MLRTUI_STORE, else mlrtui.db).", show_default=False)
StoreOption = Annotated[Path | None, _STORE]
StoresOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--store",
        help="A store (default: $MLRTUI_STORE, else mlrtui.db); repeat for several.",
        show_default=False,
    ),
]
ShownStoreOption = Annotated[str | None, _STORE]
ShownStoresOption = Annotated[
    list[str] | None,
    typer.Option(
        "--store",
        help="The store (default: $MLRTUI_STORE, else mlrtui.db); for compare one for each --sweep.",
        show_default=False,
    ),
]
ShownStoreArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="STORE",
        help="The store, also on another machine: user@host:path (default: --store).",
        show_default=False,
    ),
]
DepthOption = Annotated[int, typer.Option(help="Hidden layers of the net.")]
WidthOption = Annotated[int, typer.Option(help="Units of each hidden layer.")]
FigureArgument = Annotated[
    str,
    typer.Argument(
        metavar="KIND",
        help="eta-star, exponents, catapult, sharpness, phases, boundary, transfer, accuracy, onsets, forks or map.",
        show_default=False,
    ),
]
FigureFileOption = Annotated[
    Path | None, typer.Option("--out", "-o", help="The file: .pdf, .svg or .png.", show_default=False)
]
FigureSizeOption = Annotated[
    str, typer.Option(metavar="single|double", help="Columns of a page that it is as wide as.")
]
FigureXOption = Annotated[
    str,
    typer.Option(
        "--x",
        metavar="EXPR",
        help="Variable of eta-star (default: depth*width), of transfer and onsets (default: width).",
        show_default=False,
    ),
]
LawsOption = Annotated[
    list[str] | None,
    typer.Option("--group-by", metavar="AXIS", help="One law for every value; repeat (default: axes that vary)."),
]
AsciiOption = Annotated[bool, typer.Option("--ascii", help="Use plain ASCII characters only.")]
DetachOption = Annotated[bool, typer.Option("--detach", help="Start in the background and return at once.")]
ForegroundOption = Annotated[
    bool,
    typer.Option(
        "--foreground",
        help="Train as part of this command, which prints progress lines; it ends when a signal asks it.",
    ),
]
UntilOption = Annotated[
    str | None,
    typer.Option(
        "--until", metavar="TIME", help="Stop cleanly then: 23:30, 2026-12-01T07:00, or a duration as in +6h, 90m."
    ),
]
BackupToOption = Annotated[
    Path | None,
    typer.Option("--backup-to", metavar="PATH", help="Keep a copy of the store there, as on a shared disk."),
]
BackupEveryOption = Annotated[
    str | None,
    typer.Option(
        "--backup-every", metavar="TIME", help="How often the copy is renewed (default: 10m); always at the end, too."
    ),
]
NotifyOption = Annotated[
    str | None,
    typer.Option(
        "--notify",
        metavar="COMMAND",
        help="Run this when a sweep is done, something failed, or nothing was stored for 10 minutes; $MLRTUI_EVENT, "
        "$MLRTUI_SWEEP and $MLRTUI_TEXT say what.",
    ),
]
NoTuiOption = Annotated[bool, typer.Option("--no-tui", help="Show progress as text instead of the screen.")]
DevicesOption = Annotated[
    str,
    typer.Option(
        "--devices",
        help="auto, cpu, cpu:2 (two workers), cuda (every GPU), cuda:0,cuda:1, cuda:0,cuda:0 (two workers), or fake "
        "(invented numbers).",
    ),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        max=999,
        help="Worker processes on each device (default: as --devices says; 1 or 2 on a GPU).",
    ),
]
EngineOption = Annotated[
    str, typer.Option("--engine", help="Where trainings run: local, ray, fake, or an engine of another package.")
]
RayAddressOption = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="With --engine ray: the running cluster to use, or auto to find it (default: one of this machine alone).",
        show_default=False,
    ),
]
AllowCodeOption = Annotated[
    bool,
    typer.Option(
        "--allow-code",
        help="Allow code that a sweep file names as package.module:thing to run. Only for files that you trust.",
    ),
]
ChangeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Ask the one sweep that is named for more first, as in sweep.seeds=8; repeat for several keys.",
    ),
]
SweepsArgument = Annotated[list[str] | None, typer.Argument(help="Names of sweeps (default: all).", show_default=False)]
RefreshOption = Annotated[
    float | None,
    typer.Option(
        "--refresh", min=0.1, max=60, help="Seconds between reads of the store (default: your setting, else 2)."
    ),
]
NoMouseOption = Annotated[
    bool, typer.Option("--no-mouse", help="Leave the mouse, and text selection, to the terminal.")
]

ForceOption = Annotated[bool, typer.Option("--force", help="Replace existing files.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OnceOption = Annotated[bool, typer.Option("--once", help="Print the screen as text and exit.")]
SizeOption = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMNSxROWS",
        help="Size that --once prints, such as 120x36 (default: the terminal's; else COLUMNS and LINES, or 80x24).",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--show",
        metavar="NAME=VALUE",
        help="How the screen is set, as key C copies it: where='width > 64' of exponents, filter=WORDS of log.",
    ),
]
ScreenJsonOption = Annotated[bool, typer.Option("--json", help="Print the data of the screen as JSON and exit.")]

WatchScreen = StrEnum("WatchScreen", ["live", "trial", "boundary", "exponents", "phases", "compare", "log", "workers"])


def store_path(option: Path | None) -> Path:
    """The store that a command works on: `--store`, else `MLRTUI_STORE`, else `mlrtui.db`; it need not exist.

    Raises:
        BadInput: it is on another machine.
    """
    from mlrtui.remote.address import local_or_remote

    store = local_or_remote(_named_store(None if option is None else str(option)))
    if isinstance(store, Path):
        return store
    raise BadInput(
        f"--store {one_line(str(store))}: a store on another machine can be shown (watch, browse, status) or copied "
        f"(pull); for anything else log in there. A file here is named ./{one_line(str(store))}"
    )


def _named_store(option: str | None) -> str:
    return option or os.environ.get("MLRTUI_STORE") or "mlrtui.db"


def shown_store(argument: str | None, option: str | None) -> "Path | Address":
    """The store that a screen shows, here or on another machine."""
    from mlrtui.remote.address import local_or_remote

    if argument is not None and option is not None:
        raise BadInput(f"{one_line(argument)}: --store {one_line(option)} names another store; leave one of them out")
    return local_or_remote(argument or _named_store(option))


class Shown(TypedDict):
    """Fields that the options of all commands have which show a screen."""

    ascii_only: bool
    refresh: float | None
    mouse: bool


def engine_options(ray_address: str | None) -> dict[str, str]:
    """Options of single engines, those that were given."""
    return {} if ray_address is None else {"ray-address": ray_address}


def shown_fields(ascii_only: bool, refresh: float | None, no_mouse: bool) -> Shown:
    """Fields of the options of a screen."""
    return {"ascii_only": ascii_only, "refresh": refresh, "mouse": not no_mouse}


def given_terms(
    foreground: bool,
    detach: bool,
    until: str | None,
    backup_to: Path | None,
    backup_every: str | None,
    notify: str | None,
) -> "Terms":
    """When training ends and what is kept of it, from the options. Raises BadInput."""
    from mlrtui.driver.terms import Terms

    return Terms.parse(
        foreground=foreground,
        detach=detach,
        until=until,
        backup_to=backup_to,
        backup_every=backup_every,
        notify=notify,
    )
