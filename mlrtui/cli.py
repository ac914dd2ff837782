"""The command line. Nothing heavy is imported before a command needs it."""

import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn, TypedDict

import typer

from mlrtui.errors import BadInput, MlrtuiError
from mlrtui.text.escape import one_line
from mlrtui.version import __version__

__all__ = ["app", "main"]

app = typer.Typer(
    name="mlrtui",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Measure maximal learning rates, sharpness and scaling exponents of neural networks, live in a terminal.",
)

StoreOption = Annotated[
    Path | None, typer.Option("--store", help="The store (default: $MLRTUI_STORE, else mlrtui.db).", show_default=False)
]
AsciiOption = Annotated[bool, typer.Option("--ascii", help="Use plain ASCII characters only.")]
DetachOption = Annotated[bool, typer.Option("--detach", help="Start in the background and return at once.")]
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
    str, typer.Option("--engine", help="Where trainings run: local, fake, or an engine of another package.")
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

_debug = False


def store_path(option: Path | None) -> Path:
    """The store that a command works on: `--store`, else `MLRTUI_STORE`, else `mlrtui.db`; it need not exist."""
    return option or Path(os.environ.get("MLRTUI_STORE") or "mlrtui.db")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mlrtui {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Print a traceback on errors.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    global _debug
    _debug = debug


class _Shown(TypedDict):
    """Fields that the options of all commands have which show a screen."""

    ascii_only: bool
    refresh: float | None
    mouse: bool


def _shown(ascii_only: bool, refresh: float | None, no_mouse: bool) -> _Shown:
    return {"ascii_only": ascii_only, "refresh": refresh, "mouse": not no_mouse}


@app.command()
def run(
    *,
    files: Annotated[list[Path] | None, typer.Argument(help="Sweep files (default: the quick start).")] = None,
    store: StoreOption = None,
    detach: DetachOption = False,
    no_tui: NoTuiOption = False,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the files, as in training.epochs=3."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the grid and its estimated cost; train nothing.")
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Train part I of N (from 0) of every sweep; `mlrtui merge` joins the stores."),
    ] = None,
    devices: DevicesOption = "auto",
    workers: WorkersOption = None,
    engine: EngineOption = "local",
    allow_code: AllowCodeOption = False,
    ascii_only: AsciiOption = False,
    refresh: RefreshOption = None,
    no_mouse: NoMouseOption = False,
) -> None:
    """Train the sweeps of these files and show them. The same command resumes."""
    from mlrtui.commands.run import RunOptions
    from mlrtui.commands.run import run as command

    shown = _shown(ascii_only, refresh, no_mouse)
    options = RunOptions(store_path(store), devices, workers, engine, detach, no_tui, allow_code, **shown)
    options = replace(options, overrides=tuple(overrides or ()), dry_run=dry_run, shard=shard)
    raise typer.Exit(command(tuple(files or ()), options))


@app.command()
def watch(
    *,
    store: StoreOption = None,
    screen: Annotated[WatchScreen, typer.Option(help="The screen to open or print.")] = WatchScreen.live,
    sweep: Annotated[str | None, typer.Option(help="Name of the sweep (default: the newest).")] = None,
    trial: Annotated[list[int] | None, typer.Option(help="Number of the trial; repeat for compare.")] = None,
    once: OnceOption = False,
    as_json: ScreenJsonOption = False,
    ascii_only: AsciiOption = False,
    refresh: RefreshOption = None,
    no_mouse: NoMouseOption = False,
) -> None:
    """Show a running sweep, from any terminal."""
    from mlrtui.commands import look

    how = look.How(
        screen=screen.value,
        sweep=sweep,
        trials=tuple(trial or ()),
        once=once,
        as_json=as_json,
        **_shown(ascii_only, refresh, no_mouse),
    )
    raise typer.Exit(look.watch(store_path(store), how))


@app.command()
def browse(
    stores: Annotated[
        list[Path] | None,
        typer.Argument(help="Stores, or folders whose stores (*.db) are meant (default: the one given by --store)."),
    ] = None,
    store: StoreOption = None,
    once: OnceOption = False,
    as_json: ScreenJsonOption = False,
    ascii_only: AsciiOption = False,
    refresh: RefreshOption = None,
    no_mouse: NoMouseOption = False,
) -> None:
    """List the sweeps of one or more stores."""
    from mlrtui.commands import look

    paths = look.in_folders(stores) if stores else (store_path(store),)
    how = look.How("browse", once=once, as_json=as_json, **_shown(ascii_only, refresh, no_mouse))
    raise typer.Exit(look.browse(paths, how))


@app.command()
def status(
    store: StoreOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what the store contains and whether a driver is running."""
    from mlrtui.commands import look

    raise typer.Exit(look.status(store_path(store), as_json=as_json))


@app.command()
def stop(
    store: StoreOption = None,
    now: Annotated[
        bool, typer.Option("--now", help="Kill the driver and its workers at once; committed results are kept.")
    ] = False,
) -> None:
    """Stop the driver after its current commit. `mlrtui resume` continues from there."""
    from mlrtui.driver import stopping

    typer.echo(stopping.stop(store_path(store), now=now))


@app.command()
def resume(
    *,
    sweeps: SweepsArgument = None,
    store: StoreOption = None,
    detach: DetachOption = False,
    no_tui: NoTuiOption = False,
    devices: DevicesOption = "auto",
    workers: WorkersOption = None,
    engine: EngineOption = "local",
    allow_code: AllowCodeOption = False,
    ascii_only: AsciiOption = False,
    refresh: RefreshOption = None,
    no_mouse: NoMouseOption = False,
) -> None:
    """Continue sweeps of the store without their files (default: all unfinished ones)."""
    from mlrtui.commands import resume as command
    from mlrtui.commands.run import RunOptions

    shown = _shown(ascii_only, refresh, no_mouse)
    options = RunOptions(store_path(store), devices, workers, engine, detach, no_tui, allow_code, **shown)
    raise typer.Exit(command.resume(tuple(sweeps or ()), options))


@app.command()
def rerun(
    *,
    sweeps: SweepsArgument = None,
    store: StoreOption = None,
    failed: Annotated[bool, typer.Option("--failed", help="Queue failed trials and nets again.")] = False,
    detach: DetachOption = False,
    no_tui: NoTuiOption = False,
    devices: DevicesOption = "auto",
    workers: WorkersOption = None,
    engine: EngineOption = "local",
    allow_code: AllowCodeOption = False,
    ascii_only: AsciiOption = False,
    refresh: RefreshOption = None,
    no_mouse: NoMouseOption = False,
) -> None:
    """Retry trials that failed because of the machine."""
    from mlrtui.commands import resume as command
    from mlrtui.commands.run import RunOptions

    if not failed:
        raise BadInput("rerun needs --failed (nothing else can be rerun)")
    shown = _shown(ascii_only, refresh, no_mouse)
    options = RunOptions(store_path(store), devices, workers, engine, detach, no_tui, allow_code, **shown)
    raise typer.Exit(command.rerun_failed(tuple(sweeps or ()), options))


@app.command()
def backup(out: Annotated[Path, typer.Argument(help="The new file.")], store: StoreOption = None) -> None:
    """Copy the store, even while a sweep runs."""
    from mlrtui.commands import copies

    copies.backup(store_path(store), out)


@app.command()
def archive(
    store: Annotated[Path, typer.Argument(help="The store.")],
    out: Annotated[Path, typer.Argument(help="The new file.")],
) -> None:
    """Pack a store into one file that can be read from read-only media."""
    from mlrtui.commands import copies

    copies.archive(store, out)


@app.command()
def merge(
    out: Annotated[Path, typer.Argument(help="The new store.")],
    stores: Annotated[list[Path], typer.Argument(help="The stores to combine; they are not changed.")],
) -> None:
    """Combine several stores into a new one. Stores that contradict each other are refused."""
    from mlrtui.commands import copies

    copies.merge(out, stores)


@app.command()
def prune(
    sweeps: Annotated[list[str], typer.Argument(help="Names of the sweeps.", show_default=False)],
    store: StoreOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete the steps of sweeps; their results and fits are kept. Asks first."""
    from mlrtui.commands import copies

    raise typer.Exit(copies.prune(store_path(store), sweeps, sure=yes))


@app.command()
def export(
    store: StoreOption = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files.")] = Path("mlrtui-export"),
    view: Annotated[
        list[str] | None, typer.Option("--view", help="A view to export; repeat for several (default: all).")
    ] = None,
    sweep: Annotated[str | None, typer.Option("--sweep", help="Export this sweep only.")] = None,
    file_format: Annotated[str, typer.Option("--format", help="csv, jsonl or sqlite.")] = "csv",
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
) -> None:
    """Write the views of the store as files."""
    from mlrtui.commands import export as exporting

    done = exporting.export(
        store_path(store), out, views=tuple(view or ()), sweep=sweep, file_format=file_format, force=force
    )
    for path, rows in done:
        typer.echo(f"{path}: {rows} rows")


@app.command()
def fit(
    *,
    sweeps: SweepsArgument = None,
    store: Annotated[
        list[Path] | None,
        typer.Option(
            "--store",
            help="A store (default: $MLRTUI_STORE, else mlrtui.db); repeat for several.",
            show_default=False,
        ),
    ] = None,
    y: Annotated[
        str, typer.Option(help="What is fitted: eta_star, eta_last, lambda0 or lambda0_preconditioned.")
    ] = "eta_star",
    x: Annotated[
        list[str] | None, typer.Option(help="A variable; repeat for one exponent each (default: depth*width).")
    ] = None,
    where: Annotated[str, typer.Option(help="Which cells: a condition, such as 'width >= 64'.")] = "",
    group_by: Annotated[
        list[str] | None,
        typer.Option(
            "--group-by", metavar="AXIS", help="One fit for every value of this axis; repeat (default: axes that vary)."
        ),
    ] = None,
    pool: Annotated[bool, typer.Option("--pool", help="One fit over all cells, whatever varies.")] = False,
    mixed_rules: Annotated[
        bool, typer.Option("--mixed-rules", help="Fit η* of older and newer rules together.")
    ] = False,
    censored: Annotated[
        str,
        typer.Option(
            metavar="drop|bound", help="Cells that succeed at every rate: left out, or fitted as lower bounds."
        ),
    ] = "drop",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Fit stored results by other variables, conditions and groups."""
    from mlrtui.commands import analyse

    groups = () if pool else tuple(group_by) if group_by else None
    asked = analyse.Question(y, tuple(x or ("depth*width",)), where, groups, mixed_rules, censored)
    stores = tuple(store or ()) or (store_path(None),)
    raise typer.Exit(analyse.fit(stores, tuple(sweeps or ()), asked, as_json=as_json))


@app.command()
def rethreshold(
    threshold: Annotated[float, typer.Argument(help="Accuracy, above 0 and up to 1.")],
    sweeps: SweepsArgument = None,
    store: StoreOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Judge stored searches by another accuracy: η* where it is decided, bounds elsewhere. Trains nothing."""
    from mlrtui.commands import analyse

    raise typer.Exit(analyse.rethreshold(store_path(store), threshold, tuple(sweeps or ()), as_json=as_json))


@app.command()
def predict(
    *,
    sweeps: SweepsArgument = None,
    depth: Annotated[int, typer.Option(help="Hidden layers of the net.")],
    width: Annotated[int, typer.Option(help="Units of each hidden layer.")],
    store: StoreOption = None,
    where: Annotated[str, typer.Option(help="Cells to predict from: a condition, such as 'width >= 64'.")] = "",
    level: Annotated[float, typer.Option(help="Chance that the interval holds.")] = 0.9,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Train that net, as a sweep of its own, and say whether it fell inside.")
    ] = False,
    devices: DevicesOption = "auto",
    workers: WorkersOption = None,
    engine: EngineOption = "local",
    allow_code: AllowCodeOption = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Predict η* at a depth and width that were not trained, with an interval, or say why not."""
    from mlrtui.commands import predict as command
    from mlrtui.commands.run import RunOptions

    options = RunOptions(store_path(store), devices, workers, engine, plain=True, allow_code=allow_code)
    asked = command.Asked(depth, width, where, level, confirm, as_json)
    raise typer.Exit(command.predict_eta_star(tuple(sweeps or ()), asked, options))


@app.command()
def plot(
    kind: Annotated[
        str, typer.Argument(help="eta-star, exponents, catapult, sharpness, phases or boundary.", show_default=False)
    ],
    sweeps: SweepsArgument = None,
    *,
    store: StoreOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The file: .pdf, .svg or .png.", show_default=False)
    ] = None,
    size: Annotated[
        str, typer.Option(metavar="single|double", help="Columns of a page that it is as wide as.")
    ] = "single",
    x: Annotated[str, typer.Option(help="Variable of eta-star.")] = "depth*width",
    where: Annotated[str, typer.Option(help="Cells to fit or to show: a condition, such as 'width >= 64'.")] = "",
    group_by: Annotated[
        list[str] | None,
        typer.Option("--group-by", metavar="AXIS", help="One law for every value; repeat (default: axes that vary)."),
    ] = None,
    as_text: Annotated[bool, typer.Option("--text", help="Print it in the terminal instead.")] = False,
    ascii_only: AsciiOption = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Draw a figure of stored results, for papers or in the terminal."""
    from mlrtui.commands import plot as command
    from mlrtui.figures.kinds import Asked

    asked = Asked(x, where, tuple(group_by) if group_by else None)
    how = command.How(out, size, as_text, ascii_only, force)
    command.plot(store_path(store), kind, tuple(sweeps or ()), asked, how)


@app.command()
def report(
    sweeps: SweepsArgument = None,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file: .html, or .md with a folder of figures.")],
    store: StoreOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
) -> None:
    """Write sweeps as one self-contained page: answer, figures, tables, settings and how to repeat them."""
    from mlrtui.commands import report as command

    for path in command.report(store_path(store), tuple(sweeps or ()), out, force=force):
        typer.echo(str(path))


@app.command()
def examples(
    copy: Annotated[Path | None, typer.Option("--copy", metavar="FOLDER", help="Copy them into this folder.")] = None,
) -> None:
    """List the example sweep files."""
    from mlrtui.commands import show

    show.examples(copy)


@app.command()
def doctor(
    store: Annotated[Path | None, typer.Argument(help="A store to check too.", show_default=False)] = None,
) -> None:
    """Check this machine, and a store, and print what to do about problems."""
    from mlrtui.commands import show

    raise typer.Exit(show.doctor(store))


@app.command(name="check-claims")
def check_claims(store: StoreOption = None) -> None:
    """Compare the results of the examples with what the papers claim."""
    from mlrtui.commands import claims

    raise typer.Exit(claims.check_claims(store_path(store)))


def _fail(error: Exception, code: int) -> NoReturn:
    for line in str(error).splitlines():
        typer.echo(f"mlrtui: {one_line(line)}", err=True)
    sys.exit(code)


def main() -> None:
    """Entry point of the ``mlrtui`` command: errors become one line each and an exit code.

    If the reader of the output closes it (``mlrtui status | head -2``), the command exits silently, with the exit code
    of a program that SIGPIPE ends.
    """
    stdout = sys.stdout
    try:
        try:
            _command()
        finally:
            reader_left = sys.stdout is not stdout  # typer meets a broken pipe first, and replaces the stream
            if not reader_left:
                stdout.flush()  # what is still buffered would fail when the interpreter ends, with a message
    except BrokenPipeError:
        reader_left = True
    except SystemExit:
        if not reader_left:
            raise
    if reader_left:
        for stream in (stdout, sys.__stderr__):
            with suppress(OSError, ValueError, AttributeError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # type: ignore[union-attr]
        sys.exit(128 + signal.SIGPIPE)


def _command() -> None:
    from mlrtui_db.errors import StoreError

    try:
        app()
    except MlrtuiError as error:
        if _debug:
            raise
        _fail(error, error.exit_code)
    except StoreError as error:
        if _debug:
            raise
        _fail(error, 3)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        raise
    except Exception as error:
        if _debug:
            raise
        _fail(
            MlrtuiError(f"this is a bug: {type(error).__name__}: {error}; run `mlrtui --debug ...` for a traceback"),
            1,
        )


if __name__ == "__main__":
    main()
