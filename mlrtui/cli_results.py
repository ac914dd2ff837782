"""The commands that turn stored results into fits, predictions, figures and reports; `cli` puts them into the app."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from mlrtui.analysis.quantities import QUANTITIES
from mlrtui.cli_options import (
    AllowCodeOption,
    AsciiOption,
    DepthOption,
    DetachOption,
    DevicesOption,
    EngineOption,
    FigureArgument,
    FigureFileOption,
    FigureSizeOption,
    FigureXOption,
    ForceOption,
    JsonOption,
    LawsOption,
    StoreOption,
    StoresOption,
    SweepsArgument,
    WidthOption,
    WorkersOption,
    store_path,
)

__all__ = ["COMMANDS"]


def fit(
    *,
    sweeps: SweepsArgument = None,
    store: StoresOption = None,
    y: Annotated[str, typer.Option(help=f"What is fitted: {', '.join(QUANTITIES)}.")] = "eta_star",
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
    save: Annotated[
        str | None, typer.Option(metavar="NAME", help="Keep the fit in the store under this name, on all screens.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fit stored results by other variables, conditions and groups."""
    from mlrtui.commands import analyse

    groups = () if pool else tuple(group_by) if group_by else None
    asked = analyse.Question(y, tuple(x or ("depth*width",)), where, groups, mixed_rules, censored)
    stores = tuple(store or ()) or (store_path(None),)
    raise typer.Exit(analyse.fit(stores, tuple(sweeps or ()), asked, as_json=as_json, save=save))


def rethreshold(
    threshold: Annotated[float, typer.Argument(help="Accuracy, above 0 and up to 1.")],
    sweeps: SweepsArgument = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge stored searches by another accuracy: η* where it is decided, bounds elsewhere. Trains nothing."""
    from mlrtui.commands import analyse

    raise typer.Exit(analyse.rethreshold(store_path(store), threshold, tuple(sweeps or ()), as_json=as_json))


def predict(
    *,
    sweeps: SweepsArgument = None,
    depth: DepthOption,
    width: WidthOption,
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
    as_json: JsonOption = False,
) -> None:
    """Predict η* at a depth and width that were not trained, with an interval, or say why not."""
    from mlrtui.commands import predict as command
    from mlrtui.commands.run import RunOptions

    options = RunOptions(store_path(store), devices, workers, engine, plain=True, allow_code=allow_code)
    asked = command.Asked(depth, width, where, level, confirm, as_json)
    raise typer.Exit(command.predict_eta_star(tuple(sweeps or ()), asked, options))


def suggest_warmup(
    sweeps: SweepsArgument = None,
    *,
    store: StoreOption = None,
    margin: Annotated[
        float, typer.Option(help="Steps beyond the first from which on the peak survives, as a share of it.")
    ] = 0.25,
    check: Annotated[
        bool, typer.Option("--check", help="Train nets of other seeds on the CPU, with and without the warm-up.")
    ] = False,
    nets: Annotated[int, typer.Option(help="How many of them.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """From forks of a warm-up: the steps from which its peak survives, and a shorter warm-up."""
    from mlrtui.commands import warmup as command

    asked = command.Asked(margin, check, nets, as_json)
    raise typer.Exit(command.suggest_warmup(store_path(store), tuple(sweeps or ()), asked))


def certify(
    *,
    sweeps: SweepsArgument = None,
    depth: DepthOption,
    width: WidthOption,
    store: StoreOption = None,
    where: Annotated[str, typer.Option(help="Cells to judge by: a condition, such as 'width >= 64'.")] = "",
    within: Annotated[float, typer.Option(help="Factor that the rate may move by, up or down.")] = 2.0,
    level: Annotated[float, typer.Option(help="Chance that the intervals hold.")] = 0.9,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Train that net, as a sweep of its own, and let it decide.")
    ] = False,
    devices: DevicesOption = "auto",
    workers: WorkersOption = None,
    engine: EngineOption = "local",
    allow_code: AllowCodeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say whether η* or the best rate of the smallest nets holds at a larger size: holds, fails or undecided."""
    from mlrtui.commands import certify as command
    from mlrtui.commands.run import RunOptions

    options = RunOptions(store_path(store), devices, workers, engine, plain=True, allow_code=allow_code)
    asked = command.Asked(depth, width, where, level, confirm, as_json, within)
    raise typer.Exit(command.certify(tuple(sweeps or ()), asked, options))


def boundary_map(
    sweeps: SweepsArgument = None,
    *,
    store: StoreOption = None,
    eta: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="LOW HIGH", help="Train this part of a map as finely as the whole, as a sweep of its own."
        ),
    ] = None,
    window: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="LOW HIGH", help="The same of the other axis; with --eta or alone."),
    ] = None,
    detach: DetachOption = False,
    devices: DevicesOption = "auto",
    workers: WorkersOption = None,
    engine: EngineOption = "local",
    allow_code: AllowCodeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say what maps of where training succeeds hold (trainings, shares, the box dimension of the boundary), or train a
    part of one more finely.
    """
    from mlrtui.commands import maps as command

    if eta is None and window is None:
        command.boundary_map(store_path(store), tuple(sweeps or ()), as_json=as_json)
        return
    from mlrtui.commands.run import RunOptions

    options = RunOptions(store_path(store), devices, workers, engine, detach, plain=True, allow_code=allow_code)
    raise typer.Exit(command.map_window(tuple(sweeps or ()), command.Window(eta, window), options))


def plot(
    kind: FigureArgument,
    sweeps: SweepsArgument = None,
    *,
    store: StoreOption = None,
    out: FigureFileOption = None,
    size: FigureSizeOption = "single",
    x: FigureXOption = "",
    where: Annotated[str, typer.Option(help="Cells to fit or to show: a condition, such as 'width >= 64'.")] = "",
    group_by: LawsOption = None,
    predicted: Annotated[
        bool, typer.Option("--predict", help="With eta-star: predictions and their intervals beyond the grid.")
    ] = False,
    as_text: Annotated[bool, typer.Option("--text", help="Print it in the terminal instead.")] = False,
    ascii_only: AsciiOption = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Draw a figure of stored results, for papers or in the terminal."""
    from mlrtui.commands import plot as command
    from mlrtui.figures.kinds import Asked

    asked = Asked(x, where, tuple(group_by) if group_by else None, predicted)
    how = command.How(out, size, as_text, ascii_only, force)
    command.plot(store_path(store), kind, tuple(sweeps or ()), asked, how)


def report(
    sweeps: SweepsArgument = None,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file: .html, or .md with a folder of figures.")],
    store: StoreOption = None,
    force: ForceOption = False,
) -> None:
    """Write sweeps as one self-contained page: answer, figures, tables, settings and how to repeat them."""
    from mlrtui.commands import report as command

    for path in command.report(store_path(store), tuple(sweeps or ()), out, force=force):
        typer.echo(str(path))


def compare_report(
    sweeps: Annotated[list[str], typer.Argument(help="Names of the two sweeps.", show_default=False)],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The file: .html, or .md with a folder of figures.")],
    store: StoresOption = None,
    force: ForceOption = False,
) -> None:
    """Write two sweeps side by side: settings that differ, η* cell by cell, exponents, figures, what one lacks."""
    from mlrtui.commands import report as command

    stores = tuple(store or ()) or (store_path(None),)
    for path in command.compare_report(stores, tuple(sweeps), out, force=force):
        typer.echo(str(path))


def note(
    store: Annotated[Path, typer.Argument(help="The store.", show_default=False)],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SWEEP] [TEXT]",
            help="The sweep (default: the store's only one), and a note to add; neither: list them.",
            show_default=False,
        ),
    ] = None,
    *,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Put this tag on the sweep; repeat.")] = None,
    untag: Annotated[list[str] | None, typer.Option("--untag", help="Take this tag away; repeat.")] = None,
    remove: Annotated[
        int | None, typer.Option("--remove", metavar="NUMBER", help="Take the note of this number away.")
    ] = None,
    replace: Annotated[
        int | None, typer.Option("--replace", metavar="NUMBER", help="Put the text in place of this note's.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Put notes and tags on sweeps, also while they run, or list them."""
    from mlrtui.commands import note as command

    asked = command.Asked(tuple(words or ()), tuple(tag or ()), tuple(untag or ()), remove, replace)
    raise typer.Exit(command.note(store, asked, as_json=as_json))


COMMANDS: dict[str, Callable[..., Any]] = {
    "fit": fit,
    "rethreshold": rethreshold,
    "predict": predict,
    "suggest-warmup": suggest_warmup,
    "certify": certify,
    "map": boundary_map,
    "plot": plot,
    "report": report,
    "compare-report": compare_report,
    "note": note,
}
"""In the order of the help."""
