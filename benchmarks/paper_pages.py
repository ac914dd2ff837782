"""Put measured tables and figures into the papers' pages: `python -m benchmarks.paper_pages STORE docs/papers/X.md`.

What stands between a line `<!-- KIND NAME | ... -->` and the next `<!-- end -->` is made anew from the store:

- `claims NAME`: the claims that the sweep of this name measures; `fits NAME`: its fits;
- `law NAME | Y | X | WHERE`: a fitted law over its cells;
- `means NAME | VIEW | COLUMN ...`: mean of these columns over every cell's rows, with the smallest and the largest;
- `chart NAME | VIEW | X | Y | COLUMN=VALUE ...`: columns of a view, on logarithmic axes;
- `physical NAME | COLUMN=VALUE ...`: λ and accuracy of a scan's runs after the same physical time t·η = 80/λ₀, which is
  40 times the critical rate 2/λ₀, as in figure 2 of Lewkowycz et al. (2020).

A block of a sweep that the store does not hold finished is left as it is, and named.
"""

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from math import exp
from pathlib import Path
from statistics import fmean

from mlrtui.analysis.fits import FitSpec, fit
from mlrtui.analysis.points import points
from mlrtui.charts.plain import loglog_text
from mlrtui.claims.check import Finding, Results, Row, check, verdict_text
from mlrtui.claims.measures import number
from mlrtui.claims.table import CLAIMS
from mlrtui.commands.claims import finished_sweeps, measured_text
from mlrtui_db.reader import Reader

__all__ = ["main", "renewed"]

SIZE = (78, 18)
PHYSICAL_TIME = 80.0  # in units of 1/λ₀
BLOCK = re.compile(r"(<!-- (claims|fits|means|law|chart|physical) (.*?) -->\n).*?(<!-- end -->)", re.DOTALL)


def renewed(page: str, reader: Reader) -> tuple[str, list[str]]:
    """The page with every block made anew, and the names of the sweeps that the store lacks."""
    read, done = finished_sweeps(reader)
    lacking: list[str] = []

    def block(match: "re.Match[str]") -> str:
        opening, kind, arguments, closing = match.groups()
        name, *rest = (part.strip() for part in arguments.split("|"))
        if name not in done:
            lacking.append(name)
            return match.group()
        return f"{opening}\n{_MAKERS[kind](Results(name, read), rest)}\n\n{closing}"

    return BLOCK.sub(block, page), lacking


def _claims(results: Results, rest: Sequence[str]) -> str:
    lines = ["| claim | expected | measured | verdict |", "| --- | --- | --- | --- |"]
    return "\n".join([*lines, *map(_row, check(CLAIMS, results))])


def _row(finding: Finding) -> str:
    claim = finding.claim
    verdict = verdict_text(finding)
    if finding.verdict != "holds":
        verdict = verdict.replace(finding.verdict, f"**{finding.verdict}**")
    return f"| {claim.text} | {claim.low:g} to {claim.high:g} | {measured_text(finding)} | {verdict} |"


def _fits(results: Results, rest: Sequence[str]) -> str:
    lines = ["| y | exponent of | where | value | R² | cells |", "| --- | --- | --- | --- | --- | --- |"]
    for row in results.view("exponents"):
        known = row["low"] is not None and row["high"] is not None
        interval = f" [{number(row['low']):.2f}, {number(row['high']):.2f}]" if known else ""
        value = f"{number(row['exponent']):.2f}{interval}"
        where = str(row["where_expr"]) or "all cells"
        lines.append(f"| {row['y']} | {row['term']} | {where} | {value} | {number(row['r2']):.2f} | {row['cells']} |")
    return "\n".join(lines)


def _means(results: Results, rest: Sequence[str]) -> str:
    """By cell: those of one setting together, the small before the large."""
    view, listed = rest
    columns = listed.split()
    cells: dict[str, list[Row]] = {}
    for row in sorted(results.view(view), key=_setting_then_size):
        cells.setdefault(str(row["cell"]), []).append(row)
    lines = [f"| cell | {' | '.join(columns)} |", "| --- |" + " --- |" * len(columns)]
    for cell, rows in cells.items():
        lines.append(f"| {cell} | {' | '.join(_mean(rows, name) for name in columns)} |")
    return "\n".join(lines)


def _setting_then_size(row: Row) -> tuple[str, float, float]:
    _, _, setting = str(row["cell"]).partition(" ")
    return setting, number(row["depth"]), number(row["width"])


def _mean(rows: Sequence[Row], name: str) -> str:
    values = [number(row[name]) for row in rows if row[name] is not None]
    if not values:
        return "none"
    missing = f", {len(rows) - len(values)} without" if len(values) < len(rows) else ""
    return f"{fmean(values):.3g} [{min(values):.3g}, {max(values):.3g}]{missing}"


def _law(results: Results, rest: Sequence[str]) -> str:
    y, x, *where = rest
    rows = results.view("eta_star" if y == "eta_star" else "grid")
    law = fit(points(rows, y, defaultdict(int)), FitSpec(y, (x,), " | ".join(where)))
    (term,) = law.terms
    drawn = [(at, exp(ln_y)) for _, at, ln_y in law.inputs]
    interval = "" if term.low is None or term.high is None else f" [{term.low:.2f}, {term.high:.2f}]"
    title = f"{law.spec.name}: exponent {term.exponent:+.2f}{interval}, R² {law.r2:.3f}, {law.cells} cells"
    return _figure(title, loglog_text(drawn, (term.exponent, law.intercept), SIZE))


def _chart(results: Results, rest: Sequence[str]) -> str:
    view, x, y, *conditions = rest
    where = _conditions(conditions)
    rows: list[Row] = [row for row in results.view(view) if all(str(row[key]) == value for key, value in where.items())]
    drawn = [(number(row[x]), number(row[y])) for row in rows if row[x] is not None and row[y] is not None]
    chosen = "".join(f", {key} {value}" for key, value in where.items())
    return _figure(f"{y} against {x}{chosen}", loglog_text(drawn, None, SIZE))


def _physical(results: Results, rest: Sequence[str]) -> str:
    """Means over nets, by η·λ₀, of the last values measured up to step 80/(η·λ₀); shorter runs are left out."""
    where = _conditions(rest)
    curves: dict[object, list[Row]] = {}
    for row in results.view("curves"):
        if all(str(row[key]) == value for key, value in where.items()):
            curves.setdefault(row["trial_id"], []).append(row)
    found: dict[float, list[tuple[float, float]]] = {}
    for rows in curves.values():
        c = round(number(rows[0]["eta_lambda0"]), 6)
        until = [row for row in rows if number(row["step"]) <= PHYSICAL_TIME / c]
        measured = [number(row["sharpness"]) for row in until if row["sharpness"] is not None]
        accuracy = [number(row["accuracy"]) for row in until if row["accuracy"] is not None]
        if max(number(row["step"]) for row in rows) >= PHYSICAL_TIME / c - 1 and measured and accuracy:
            found.setdefault(c, []).append((measured[-1] / measured[0], accuracy[-1]))
    lines = ["| η·λ₀ | step | λ/λ₀ | accuracy | runs |", "| --- | --- | --- | --- | --- |"]
    for c, runs in sorted(found.items()):
        ratio, accurate = (fmean(column) for column in zip(*runs, strict=True))
        lines.append(f"| {c:g} | {PHYSICAL_TIME / c:.0f} | {ratio:.2f} | {accurate:.3f} | {len(runs)} |")
    return "\n".join(lines)


def _conditions(rest: Sequence[str]) -> dict[str, str]:
    return dict(condition.split("=", 1) for condition in " ".join(rest).split())


def _figure(title: str, text: str) -> str:
    return f"{title}\n\n```text\n{text}\n```"


_MAKERS: dict[str, Callable[[Results, Sequence[str]], str]] = {
    "claims": _claims,
    "fits": _fits,
    "means": _means,
    "law": _law,
    "chart": _chart,
    "physical": _physical,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paper_pages", description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("pages", type=Path, nargs="+")
    options = parser.parse_args(arguments)
    with Reader.open(options.store) as reader:
        for path in options.pages:
            page, lacking = renewed(path.read_text(encoding="utf-8"), reader)
            path.write_text(page, encoding="utf-8")
            for name in dict.fromkeys(lacking):
                sys.stderr.write(f"{path}: {options.store} holds no finished sweep {name!r}; its blocks stay\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
