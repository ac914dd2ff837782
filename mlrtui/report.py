"""A finished or running sweep as plain text, for logs, mail and terminals without screens."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mlrtui.analysis.exclusions import left_out
from mlrtui.text import numbers
from mlrtui.text.escape import one_line
from mlrtui.text.working import doing
from mlrtui_db.models import FitRow, LiveSnapshot, NoteRow, SweepRow
from mlrtui_db.reader import Reader
from mlrtui_db.work import WorkRow

if TYPE_CHECKING:  # it imports NumPy, which a line about a sweep does not need
    from mlrtui.analysis.fits import FitTerm
    from mlrtui.analysis.growth import Growth
    from mlrtui_db.records import FitRecord

__all__ = ["fit_line", "growth_line", "note_line", "report", "sweep_line", "term_line"]


def sweep_line(sweep: SweepRow, work: WorkRow | None = None) -> str:
    """One sweep in one line, with what its driver does, where one is at work on it."""
    line = _progress(sweep) + "".join(f" #{one_line(tag)}" for tag in sweep.tags)
    return f"{line} · {doing(work)}" if work is not None and work.sweep_id == sweep.sweep_id else line


def _progress(sweep: SweepRow) -> str:
    failed = f", {sweep.trials_failed} failed" if sweep.trials_failed else ""
    if sweep.mode == "recorded":
        return f"{one_line(sweep.name)}: recorded, {'running' if sweep.trials_running else one_line(sweep.status)}"
    shard = f" (shard {one_line(sweep.shard)})" if sweep.shard else ""
    draw = ", not repeatable" if sweep.repeatable == 0 else ""
    return (
        f"{one_line(sweep.name)}: {one_line(sweep.status)}{shard}, {sweep.nets_done}/{sweep.nets} nets, "
        f"{sweep.trials_done}/{sweep.trials} trials{failed}{draw}"
    )


def note_line(note: NoteRow) -> str:
    """A note in one line, with its number and time."""
    return f"{note.number}  {numbers.moment(note.at)}  {one_line(note.text)}"


def fit_line(fit: FitRow) -> str:
    """One fitted term in one line, with its fit, its interval or why it has none."""
    return f"{one_line(fit.fit)}: {term_line(fit)}"


def term_line(fit: "FitRow | FitRecord") -> str:
    """The same without the fit's name."""
    interval = numbers.interval(fit.low, fit.high) or "no interval"
    parts = [f"exponent of {fit.term} {_slope(fit.exponent)} {interval}"]
    if fit.r2 is not None and math.isfinite(fit.r2):
        parts.append(numbers.r_squared(fit.r2, 3))
    parts.append(f"{numbers.counted(fit.cells, 'cell')} over {numbers.decades(fit.decades)}")
    if fit.p_equal is not None:
        parts.append(f"equal exponents: F test p = {numbers.exact(fit.p_equal, 2)}")
    if fit.warnings:
        parts.append(fit.warnings)
    if fit.excluded:
        parts.append(f"left out: {left_out(fit.excluded)}")
    return one_line("; ".join(parts))


def report(reader: Reader, snapshot: LiveSnapshot, *, ascii_only: bool = False) -> str:
    """Results of one sweep: η* per cell with its fits, or the phase of every trial of a scan."""
    sweep = snapshot.sweep
    lines = [sweep_line(sweep), ""]
    if sweep.is_map:  # neither phases nor onsets: thousands of lines
        return "\n".join(map(one_line, [*lines, *_maps(reader, sweep)]))
    lines += _boundaries(reader, sweep.name) if sweep.mode == "search" else _phases(reader, sweep.name)
    if forks := list(_forks(reader, sweep.name)) if sweep.mode == "search" else []:
        lines += ["", *forks]
    if sweep.mode == "scan":
        lines += ["", *_onsets(reader, sweep.name), *_growths(reader, sweep.name)]
    if snapshot.fits:
        lines += ["", *map(fit_line, snapshot.fits)]
    if sweep.mode == "search":
        lines += ["", *(line for block in _picture(snapshot, ascii_only) for line in block.splitlines())]
    return "\n".join(map(one_line, lines)).rstrip()  # text from a store may contain line breaks


def _boundaries(reader: Reader, sweep: str) -> Iterator[str]:
    columns, rows = reader.query("eta_star", where_sweep=sweep)
    heads = f"{'η*':>9}  {'±':>7}  {'last success':>12}  {'first failure':>13}"
    yield f"{'cell':<16} {'seed':>4}  {heads}  {'λ₀':>9}  {'η*·λ₀':>7}  {'trials':>6}"
    for values in rows:
        row = dict(zip(columns, values, strict=True))
        note = f"  {row['given_up']} given up" if row["given_up"] else ""
        note += "  by rule 1 (last success)" if row["eta_rule"] == 1 and row["eta_star"] is not None else ""
        note += "" if row["censored"] is None else f"  censored ({row['censored']}): {row['reason']}"
        yield (
            f"{row['cell']:<16} {row['seed']:>4}  {_number(row['eta_star']):>9}  {_number(row['eta_star_se'], 2):>7}  "
            f"{_number(row['eta_last']):>12}  {_number(row['first_failure']):>13}  "
            f"{_number(row['lambda0']):>9}  {_number(row['eta_star_lambda0']):>7}  {row['trials']:>6}{note}"
        )


def _maps(reader: Reader, sweep: SweepRow) -> Iterator[str]:
    from mlrtui.figures.success_maps import read_maps, words

    for one in read_maps(reader, sweep):
        yield from words(one)


def _forks(reader: Reader, sweep: str) -> Iterator[str]:
    columns, found = reader.query("forks", where_sweep=sweep)
    rows = [dict(zip(columns, values, strict=True)) for values in found]
    if rows:
        heads = f"{'η*(t)':>9}  {'edge 2/λ(t)':>11}  {'ratio':>6}  {'base rate':>9}"
        yield f"{'cell':<16} {'seed':>4} {'step t':>7}  {heads}  {'trials':>6}"
    for row in rows:
        note = "  the base has fitted its data" if row["fitted"] and not row["reason"] else ""
        why = row["censored"] or ("failed" if row["status"] == "failed" else "")
        if text := ": ".join(filter(None, (why, row["reason"]))):
            note += f"  {text}"
        yield (
            f"{row['cell']:<16} {row['seed']:>4} {row['step']:>7}  {_number(row['eta_star']):>9}  "
            f"{_number(row['eta_edge']):>11}  {_number(row['kappa'], 3):>6}  {_number(row['base_eta_step']):>9}  "
            f"{row['trials']:>6}{note}"
        )


def _phases(reader: Reader, sweep: str) -> Iterator[str]:
    columns, rows = reader.query("phases", where_sweep=sweep)
    heads = f"{'η':>9}  {'η·λ₀':>6}  {'phase':<12} {'peak L/L₀':>9}  {'@step':>5}  {'η·λ end':>8}"
    yield f"{'cell':<16} {'seed':>4}  {heads}"
    first_edition = 0
    for values in sorted((dict(zip(columns, row, strict=True)) for row in rows), key=_scan_order):
        yield (
            f"{values['cell']:<16} {values['seed']:>4}  {_number(values['eta']):>9}  "
            f"{_number(values['eta_lambda0'], 3):>6}  {values['phase'] or values['verdict']!s:<12} "
            f"{_number(values['peak_ratio'], 3):>9}  "
            f"{values['peak_step'] if values['peak_step'] is not None else '-':>5}  "
            f"{_number(values['eta_final_sharpness'], 3):>8}"
        )
        first_edition += values["phase_rule"] == 1
    if first_edition:
        yield f"{first_edition} of these phases follow the first edition of the rules; docs/numerics.md has the second"


def _onsets(reader: Reader, sweep: str) -> Iterator[str]:
    """Where the trainings of a scan change phase; bounds where the scan ends first."""
    columns, rows = reader.query("onsets", where_sweep=sweep)
    yield "smallest η·λ₀ at which the loss, and λ, rise; the largest that survives below the first that does not"
    yield f"{'cell':<16} {'seed':>4}  {'c_loss':>7}  {'c_sharp':>7}  {'c_max':>7}  {'η best':>9}  {'η below 20 %':>12}"
    for values in rows:
        row = dict(zip(columns, values, strict=True))
        signs = {"c_loss": ("<=", "c_loss_above"), "c_sharp": ("<=", "c_sharp_above"), "c_max": (">=", "c_max_below")}
        bounds = [_bound(row[name], sign if row[next_to] is None else "") for name, (sign, next_to) in signs.items()]
        yield (
            f"{row['cell']:<16} {row['seed']:>4}  {'  '.join(f'{bound:>7}' for bound in bounds)}  "
            f"{_number(row['eta_best']):>9}  {_number(row['eta_unstable']):>12}"
            f"{'  out of order' if row['ordered'] == 0 else ''}"
            f"{'  c_max is open: unfinished trainings above it' if row['c_max_open'] else ''}"
        )


def _growths(reader: Reader, sweep: str) -> Iterator[str]:
    """Whether outputs grow with width while training succeeds, for rates that follow a power of the width."""
    from mlrtui.analysis.growth import growths

    columns, rows = reader.query("width_growth", where_sweep=sweep)
    for place, one in enumerate(growths(dict(zip(columns, row, strict=True)) for row in rows)):
        if place == 0:
            yield ""
            yield "controlled divergence over widths:"
        yield growth_line(one)


def growth_line(growth: "Growth") -> str:
    """One scaling rule of the learning rate in one line: exponents, survivors, the conclusion and why."""
    word = {True: "controlled", False: "not controlled", None: "undecided"}[growth.controlled]
    exponents = f"outputs {_power(growth.logit)}, last hidden layer {_power(growth.hidden)}"
    widths = f"widths {growth.widths[0]} to {growth.widths[-1]}"
    setting = f"depth {growth.depth}, {growth.loss}, {growth.law}, {widths}"
    survive = f"{growth.survived} of {growth.trials} survive"
    return one_line(f"{setting}: {word}: {exponents}; {survive}; {growth.reason}")


def _power(term: "FitTerm | None") -> str:
    if term is None:
        return "unknown"
    return f"∝ width^{_slope(term.exponent)} {numbers.interval(term.low, term.high)}".rstrip()


def _bound(value: object, sign: str) -> str:
    return "-" if value is None else sign + _number(value, 3)


def _scan_order(row: dict[str, object]) -> tuple[object, ...]:
    return (row["depth"] or 0, row["width"] or 0, row["cell"], row["seed"], row["eta"])


def _picture(snapshot: LiveSnapshot, ascii_only: bool) -> Iterator[str]:
    from mlrtui.charts.plain import loglog_text

    known = [cell for cell in snapshot.cells if cell.ln_eta_star_mean is not None and cell.fork_step is None]
    points = [
        (float(cell.depth * cell.width), math.exp(cell.ln_eta_star_mean or 0.0))
        for cell in known
        if cell.depth is not None and cell.width is not None
    ]
    line = next((fit for fit in snapshot.fits if fit.term == "depth*width" and fit.y == "eta_star"), None)
    if len(points) >= 2:
        yield f"η* against depth × width, log-log{'' if line is None else f', fitted slope {_slope(line.exponent)}'}"
        fitted = None if line is None or line.intercept is None else (line.exponent, line.intercept)
        yield loglog_text(points, fitted, (78, 18), ascii_only)


def _number(value: object, digits: int = 4) -> str:
    return numbers.exact(value, digits) if isinstance(value, int | float) else "-"


def _slope(value: float) -> str:
    """A signed exponent in ASCII."""
    return numbers.power(value, signed=True).replace("−", "-")
