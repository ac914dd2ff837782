"""Options and arguments that several commands have, each with one text."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AllowCodeOption",
    "AsciiOption",
    "BackupEveryOption",
    "BackupToOption",
    "DetachOption",
    "DevicesOption",
    "EngineOption",
    "ForegroundOption",
    "NoMouseOption",
    "NoTuiOption",
    "OnceOption",
    "RayAddressOption",
    "RefreshOption",
    "ScreenJsonOption",
    "ShownStoreArgument",
    "ShownStoreOption",
    "StoreOption",
    "SweepsArgument",
    "UntilOption",
    "WatchScreen",
    "WorkersOption",
]

StoreOption = Annotated[
    Path | None, typer.Option("--store", help="The store (default: $MLRTUI_STORE, else mlrtui.db).", show_default=False)
]
ShownStoreOption = Annotated[
    str | None, typer.Option("--store", help="The store (default: $MLRTUI_STORE, else mlrtui.db).", show_default=False)
]
ShownStoreArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="STORE",
        help="The store, also on another machine: user@host:path (default: --store).",
        show_default=False,
    ),
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
NoTuiOption = Annotated[bool, typer.Option("--no-tui", help="Print progress lines instead of the screen.")]
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
    typer.Option("--workers", min=1, max=999, help="Worker processes on each device (default: as --devices says)."),
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

OnceOption = Annotated[bool, typer.Option("--once", help="Print the screen as text and exit.")]
ScreenJsonOption = Annotated[bool, typer.Option("--json", help="Print the data of the screen as JSON and exit.")]

WatchScreen = StrEnum("WatchScreen", ["live", "trial", "boundary", "exponents", "phases", "compare", "log"])
