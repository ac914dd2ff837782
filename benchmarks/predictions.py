"""How often η* falls into its prediction interval: cells left out one by one, and widths beyond those that were fitted.

Every group of cells of every search in the stores is taken as `mlrtui predict` takes it. A cell that is left out, or
lies 1 or 2 octaves beyond the widths that are kept, was trained all the same, so that the answer is known.

Fixed before the run: of all 90 % intervals of a kind (left out, width x2, width x4) of a half of the examples, 85 to
97 % contain the trained mean of seeds. Seeds 401 and 402 (the larger grids: 401), which no rule was made with. The rule
may be mended on half "a", the examples like those that it was made with; half "b" judges it and is looked at after that
alone.

    python -m benchmarks.predictions                      # trains the searches of the examples first: some 20 minutes
    python -m benchmarks.predictions --half b --folder trained
    python -m benchmarks.predictions --stores a.db b.db
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import log
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import describe, save, table
from mlrtui.analysis.fits import CellPoint, grouped
from mlrtui.analysis.points import points
from mlrtui.analysis.prediction import LEVEL, Prediction, predict
from mlrtui_db.reader import Reader

__all__ = ["Check", "checks", "main"]

EXAMPLES = Path(__file__).parents[1] / "examples"
SEEDS = "sweep.seeds=[401,402]"
ONE = "sweep.seeds=[401]"
GRID = f"{ONE} model.depth=[2,3,4] model.width=[16,32,64,128,256]"  # as they ship: 4 cells a group, too few


class Example(NamedTuple):
    """A search that ships, and what is set otherwise here."""

    file: str  # below examples/
    half: str  # "a": the rule may be mended on it; "b": it judges the rule
    settings: str = ""


SEARCHES = (
    Example("quickstart-eta-star.toml", "a"),
    Example("maximal-initial-lr/mse-cpu.toml", "a"),
    Example("maximal-initial-lr/threshold-low-cpu.toml", "a"),
    Example("maximal-initial-lr/threshold-high-cpu.toml", "a"),
    Example("maximal-initial-lr/depth-width-cpu.toml", "a", f"{ONE} model.input_lr=[1.0,0.1]"),
    Example("maximal-initial-lr/ragged-cpu.toml", "a"),
    Example("maximal-initial-lr/gaussians-cpu.toml", "b"),
    Example("width-scaling/mup-cpu.toml", "b", GRID),
    Example("width-scaling/optimizers-cpu.toml", "b", GRID),
    Example("width-scaling/sp-cpu.toml", "b", GRID),
    Example("width-scaling/softmax-cpu.toml", "b", GRID),
    Example("maximal-initial-lr/input-rate-mnist-cpu.toml", "b", ONE),
)
"""All with a grid of sizes that train on a CPU; examples of a user's own code have one or two cells a group."""


@dataclass(frozen=True)
class Check:
    """One cell that was predicted from others."""

    sweep: str
    group: str
    cell: str
    kind: str  # "left out" | "width x2" | "width x4"
    refused: str  # the reason; "" where there is an interval
    inside: bool
    half_width: float  # of the interval, in ln η*; 0 where refused
    error: float  # predicted less trained, in ln η*; 0 where refused
    cells: int  # that it was predicted from; 0 where refused


def checks(store: Path) -> Iterator[Check]:
    """Of every search in a store."""
    with Reader.open(store) as reader:
        for row in reader.sweeps():
            if row.mode != "search":
                continue
            columns, found = reader.query("eta_star", where_sweep=row.name)
            rows = [dict(zip(columns, one, strict=True)) for one in found]
            for group, cells in grouped(points(rows, "eta_star", reader.sizes(row.sweep_id))).items():
                for cell in _known(cells):
                    others = [other for other in cells if other is not cell]
                    yield _check(row.name, group, "left out", others, cell)
                yield from _beyond(row.name, group, cells)


def _known(cells: Sequence[CellPoint]) -> list[CellPoint]:
    return [cell for cell in cells if cell.ln_y and not cell.censored]


def _beyond(sweep: str, group: str, cells: Sequence[CellPoint]) -> Iterator[Check]:
    """Cells at twice and four times the largest width that is kept, for every such cut."""
    for widest in sorted({float(cell.values["width"]) for cell in cells}):
        kept = [cell for cell in cells if float(cell.values["width"]) <= widest]
        for factor in (2, 4):
            for cell in _known(cells):
                if cell.values["width"] == factor * widest:
                    yield _check(sweep, group, f"width x{factor}", kept, cell)


def _check(sweep: str, group: str, kind: str, others: Sequence[CellPoint], cell: CellPoint) -> Check:
    answer = predict(others, {name: float(cell.values[name]) for name in ("depth", "width")})
    if not isinstance(answer, Prediction):
        return Check(sweep, group, cell.label, kind, answer.reason, False, 0.0, 0.0, 0)
    trained = sum(cell.ln_y) / len(cell.ln_y)
    low, middle, high = log(answer.low), log(answer.eta_star), log(answer.high)
    inside, half = low <= trained <= high, (high - low) / 2.0
    return Check(sweep, group, cell.label, kind, "", inside, half, middle - trained, answer.cells)


def _trained(folder: Path, examples: Sequence[Example], settings: Sequence[str], workers: int | None) -> list[Path]:
    """Stores of these searches; those that are there already are gone on with."""
    stores = []
    for example in examples:
        store = folder / f"{Path(example.file).stem}.db"
        command = [sys.executable, "-m", "mlrtui", "run", str(EXAMPLES / example.file)]
        command += ["--no-tui", "--store", str(store), *(("--workers", str(workers)) if workers else ())]
        command += [word for one in (SEEDS, *example.settings.split(), *settings) for word in ("--set", one)]
        ended = subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode
        if ended not in (0, 1):  # 1: a training failed, which its net says
            raise SystemExit(f"{example.file}: ended with {ended}")
        stores.append(store)
    return stores


HEAD = ("predicted", "sweep", "inside", "share", "half-width, ln η*", "mean error, ln η*", "refused")


def _row(kind: str, sweep: str, these: Sequence[Check]) -> tuple[str, ...]:
    """One line of the table, of checks that are not all refused."""
    answered = [check for check in these if not check.refused]
    inside = sum(check.inside for check in answered)
    half = statistics.median(check.half_width for check in answered)
    bias = statistics.fmean(check.error for check in answered)
    counted, share = f"{inside} of {len(answered)}", f"{100.0 * inside / len(answered):.0f} %"
    return kind, sweep, counted, share, f"{half:.2f}", f"{bias:+.2f}", str(len(these) - len(answered))


def main() -> None:
    """Print the shares by kind and sweep."""
    files = [example.file for example in SEARCHES]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.predictions", description=__doc__)
    parser.add_argument("--stores", nargs="+", type=Path, help="finished searches (the examples, trained first)")
    parser.add_argument("--examples", nargs="+", default=files, choices=files, help="these alone (all)", metavar="FILE")
    parser.add_argument("--half", choices=("a", "b"), help="this half of the examples alone")
    parser.add_argument("--folder", type=Path, help="keep the trained stores there, and go on with those in it")
    parser.add_argument(
        "--set", nargs="+", default=[], help="settings of the examples, as `mlrtui run --set` takes them"
    )
    parser.add_argument("--workers", type=int, help="worker processes, as `mlrtui run` takes them")
    parser.add_argument("--json", type=Path, help="write all checks there")
    options = parser.parse_args()
    wanted = [one for one in SEARCHES if one.file in options.examples and options.half in (None, one.half)]
    with tempfile.TemporaryDirectory() as own:
        folder = options.folder or Path(own)
        folder.mkdir(parents=True, exist_ok=True)
        stores = options.stores or _trained(folder, wanted, options.set, options.workers)
        found = [check for store in stores for check in checks(store)]
    machine = describe()
    print(*(f"{name}: {value}" for name, value in machine.items()), sep="\n", end="\n\n")
    rows: list[tuple[str, ...]] = []
    for kind in dict.fromkeys(check.kind for check in found):
        for sweep in [*dict.fromkeys(check.sweep for check in found), ""]:
            these = [check for check in found if check.kind == kind and sweep in ("", check.sweep)]
            if not all(check.refused for check in these):
                rows.append(_row(kind, sweep or "all", these))
    print(table(HEAD, rows))
    print(f"intervals of {100 * LEVEL:g} %")
    save(options.json, machine, [asdict(check) for check in found])


if __name__ == "__main__":
    main()
