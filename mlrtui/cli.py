"""The command line. Nothing heavy is imported before a command needs it."""

import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from mlrtui import cli_results
from mlrtui.cli_options import (
    AllowCodeOption,
    AsciiOption,
    BackupEveryOption,
    BackupToOption,
    BrowsedStoresOption,
    ChangeOption,
    DetachOption,
    DevicesOption,
    EngineOption,
    ForceOption,
    ForegroundOption,
    JsonOption,
    NoMouseOption,
    NotifyOption,
    NoTuiOption,
    OnceOption,
    RayAddressOption,
    RefreshOption,
    ScreenJsonOption,
    SetOption,
    ShownStoreArgument,
    ShownStoreOption,
    ShownStoresOption,
    SizeOption,
    StoreOption,
    SweepsArgument,
    UntilOption,
    WatchScreen,
    WorkersOption,
    engine_options,
    given_terms,
    shown_fields,
    shown_store,
    store_path,
)
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

_debug = False


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


@app.command()
def run(
    *,
    files: Annotated[list[Path] | None, typer.Argument(help="Sweep files (default: the quick start).")] = None,
    store: StoreOption = None,
    detach: DetachOption = False,
    foreground: ForegroundOption = False,
    until: UntilOption = None,
    backup_to: BackupToOption = None,
    backup_every: BackupEveryOption = None,
    notify: NotifyOption = None,
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
    ray_address: RayAddressOption = None,
    allow_code: AllowCodeOption = False,
    ascii_only: AsciiOption = False,
    refresh: RefreshOption = None,
    no_mouse: NoMouseOption = False,
) -> None:
    """Train the sweeps of these files and show them. The same command resumes."""
    from mlrtui.commands.run import RunOptions
    from mlrtui.commands.run import run as command

    shown = shown_fields(ascii_only, refresh, no_mouse)
    terms = given_terms(foreground, detach, until, backup_to, backup_every, notify)
    options = RunOptions(store_path(store), devices, workers, engine, detach, no_tui, allow_code, terms=terms, **shown)
    options = replace(options, engine_options=engine_options(ray_address))
    options = replace(options, overrides=tuple(overrides or ()), dry_run=dry_run, shard=shard)
    raise typer.Exit(command(tuple(files or ()), options))


@app.command()
def watch(
    *,
    place: ShownStoreArgument = None,
    store: ShownStoresOption = None,
    screen: Annotated[WatchScreen, typer.Option(help="The screen to open or print.")] = WatchScreen.live,
    sweep: Annotated[
        list[str] | None, typer.Option(help="Name of the sweep (default: the newest); repeat for compare.")
    ] = None,
    trial: Annotated[list[int] | None, typer.Option(help="Number of the trial; repeat for compare.")] = None,
    show: SetOption = None,
    once: OnceOption = False,
    size: SizeOption = None,
    as_json: ScreenJsonOption = False,
    ascii_only: AsciiOption = False,
    refresh: RefreshOption = None,
    no_mouse: NoMouseOption = False,
) -> None:
    """Show a running sweep, from any terminal, here or on another machine."""
    from mlrtui.commands import afar, look

    how = look.How(
        screen=screen.value,
        sweeps=tuple(sweep or ()),
        trials=tuple(trial or ()),
        shown=tuple(show or ()),
        once=once,
        size=size,
        as_json=as_json,
        **shown_fields(ascii_only, refresh, no_mouse),
    )
    shown = [shown_store(place, one) for one in store or ()] or [shown_store(place, None)]
    here = [path for path in shown if isinstance(path, Path)]
    raise typer.Exit(look.watch(here, how) if len(here) == len(shown) else afar.watch(shown, how))


@app.command()
def browse(
    stores: Annotated[
        list[str] | None,
        typer.Argument(
            help="Stores, or folders whose stores (*.db) are meant (default: the one given by --store), also on other "
            "machines: user@host:path."
        ),
    ] = None,
    *,
    store: BrowsedStoresOption = None,
    show: SetOption = None,
    once: OnceOption = False,
    size: SizeOption = None,
    as_json: ScreenJsonOption = False,
    ascii_only: AsciiOption = False,
    refresh: RefreshOption = None,
    no_mouse: NoMouseOption = False,
) -> None:
    """List the sweeps of one or more stores."""
    from mlrtui.commands import afar, look

    if stores and store:
        shown_store(stores[0], store[0])  # says that one of them is to be left out
    shown = [shown_store(text, None) for text in stores or store or ()] or [shown_store(None, None)]
    how = look.How(
        "browse",
        shown=tuple(show or ()),
        once=once,
        size=size,
        as_json=as_json,
        **shown_fields(ascii_only, refresh, no_mouse),
    )
    here = [path for path in shown if isinstance(path, Path)]
    if len(here) == len(shown):
        raise typer.Exit(look.browse(look.in_folders(here) if stores else here, how))
    raise typer.Exit(afar.browse(shown, how))


@app.command()
def status(
    *,
    place: ShownStoreArgument = None,
    store: ShownStoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what the store contains and whether a driver is running."""
    from mlrtui.commands import afar, look

    shown = shown_store(place, store)
    if isinstance(shown, Path):
        raise typer.Exit(look.status(shown, as_json=as_json))
    raise typer.Exit(afar.status(shown, as_json=as_json))


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
    foreground: ForegroundOption = False,
    until: UntilOption = None,
    backup_to: BackupToOption = None,
    backup_every: BackupEveryOption = None,
    notify: NotifyOption = None,
    no_tui: NoTuiOption = False,
    overrides: ChangeOption = None,
    devices: DevicesOption = "auto",
    workers: WorkersOption = None,
    engine: EngineOption = "local",
    ray_address: RayAddressOption = None,
    allow_code: AllowCodeOption = False,
    ascii_only: AsciiOption = False,
    refresh: RefreshOption = None,
    no_mouse: NoMouseOption = False,
) -> None:
    """Continue sweeps of the store without their files (default: all unfinished ones)."""
    from mlrtui.commands import resume as command
    from mlrtui.commands.run import RunOptions

    shown = shown_fields(ascii_only, refresh, no_mouse)
    terms = given_terms(foreground, detach, until, backup_to, backup_every, notify)
    options = RunOptions(store_path(store), devices, workers, engine, detach, no_tui, allow_code, terms=terms, **shown)
    options = replace(options, engine_options=engine_options(ray_address), overrides=tuple(overrides or ()))
    raise typer.Exit(command.resume(tuple(sweeps or ()), options))


@app.command()
def rerun(
    *,
    sweeps: SweepsArgument = None,
    store: StoreOption = None,
    failed: Annotated[bool, typer.Option("--failed", help="Queue failed trials and nets again.")] = False,
    detach: DetachOption = False,
    foreground: ForegroundOption = False,
    until: UntilOption = None,
    backup_to: BackupToOption = None,
    backup_every: BackupEveryOption = None,
    notify: NotifyOption = None,
    no_tui: NoTuiOption = False,
    devices: DevicesOption = "auto",
    workers: WorkersOption = None,
    engine: EngineOption = "local",
    ray_address: RayAddressOption = None,
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
    shown = shown_fields(ascii_only, refresh, no_mouse)
    terms = given_terms(foreground, detach, until, backup_to, backup_every, notify)
    options = RunOptions(store_path(store), devices, workers, engine, detach, no_tui, allow_code, terms=terms, **shown)
    options = replace(options, engine_options=engine_options(ray_address))
    raise typer.Exit(command.rerun_failed(tuple(sweeps or ()), options))


@app.command()
def backup(out: Annotated[Path, typer.Argument(help="The new file.")], store: StoreOption = None) -> None:
    """Copy the store, even while a sweep runs."""
    from mlrtui.commands import copies

    copies.backup(store_path(store), out)


@app.command()
def pull(
    source: Annotated[str, typer.Argument(help="The store: user@host:path, or a path.")],
    out: Annotated[
        Path | None, typer.Argument(help="The copy (default: the same name, in this folder).", show_default=False)
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Pull again and again until no driver is at work there.")
    ] = False,
    every: Annotated[
        float, typer.Option("--every", min=0.5, max=86400, help="Seconds between pulls with --follow.")
    ] = 5.0,
) -> None:
    """Copy a store from another machine, even while a sweep runs; later only what is new."""
    from mlrtui.commands import pull as command
    from mlrtui.remote.address import local_or_remote

    copy = None if out is None else local_or_remote(str(out))
    if copy is not None and not isinstance(copy, Path):
        raise BadInput(
            f"{one_line(str(copy))}: a copy is made on this machine; a file here is named ./{one_line(str(copy))}"
        )
    raise typer.Exit(command.pull(local_or_remote(source), copy, every=every if follow else None))


@app.command(name="export-delta", hidden=True)
def export_delta(store: StoreOption = None) -> None:
    """Send what is new in the store to a `mlrtui pull` on another machine."""
    from mlrtui.commands import pull as command

    command.export_delta(store_path(store))


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
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the files; - is standard output, for one view.")
    ] = Path("mlrtui-export"),
    view: Annotated[
        list[str] | None, typer.Option("--view", help="A view to export; repeat for several (default: all).")
    ] = None,
    sweep: Annotated[str | None, typer.Option("--sweep", help="Export this sweep only.")] = None,
    columns: Annotated[
        list[str] | None, typer.Option("--columns", help="Columns, as depth,width,eta_star (default: all).")
    ] = None,
    where: Annotated[
        str, typer.Option("--where", metavar="SQL", help='Rows to export, such as "step % 10 = 0 AND width >= 64".')
    ] = "",
    file_format: Annotated[
        str,
        typer.Option(
            "--format", help="csv, tsv, json, jsonl (ndjson), parquet, sqlite, or datasette (metadata of columns)."
        ),
    ] = "csv",
    force: ForceOption = False,
) -> None:
    """Write the views of the store as files."""
    from mlrtui.commands import export as exporting
    from mlrtui.text.numbers import counted

    names = tuple(name.strip() for text in columns or () for name in text.split(",") if name.strip())
    asked = exporting.Asked(tuple(view or ()), sweep, names, where)
    for path, rows in exporting.export(store_path(store), out, asked, file_format=file_format, force=force):
        if path != exporting.STDOUT:
            typer.echo(f"{path}: {counted(rows, 'row')}")


for _name, _command_of_results in cli_results.COMMANDS.items():
    app.command(_name)(_command_of_results)


@app.command()
def examples(
    copy: Annotated[Path | None, typer.Option("--copy", metavar="FOLDER", help="Copy them into this folder.")] = None,
) -> None:
    """List the example sweep files and scripts."""
    from mlrtui.commands import show

    show.examples(copy)


@app.command()
def doctor(
    store: Annotated[Path | None, typer.Argument(help="A store to check too.", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """Check this machine, and a store, and print what to do about problems."""
    from mlrtui.commands import show

    raise typer.Exit(show.doctor(store, as_json=as_json))


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
