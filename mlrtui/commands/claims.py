"""`mlrtui check-claims`: what the papers claim, compared with what a store measured."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from mlrtui.claims.check import Finding, Results, Row, check, verdict_text
from mlrtui.claims.table import CLAIMS
from mlrtui.errors import BadInput
from mlrtui.text.numbers import exact, fixed
from mlrtui.text.printing import show
from mlrtui_db.reader import Reader

__all__ = ["check_claims", "finished_sweeps", "measured_text"]


def check_claims(store: Path) -> int:
    """Print every claim that the finished sweeps of the store measure; exit code 1 if one is missed.

    Raises:
        BadInput: no finished sweep of the store measures a claim.
        StoreError: the store cannot be read.
    """
    missed = shown = 0
    with Reader.open(store) as reader:
        read, done = finished_sweeps(reader)
        for sweep in done:
            findings = check(CLAIMS, Results(sweep, read))
            if findings:
                show(sweep)
            for finding in findings:
                show(_line(finding))
            shown += len(findings)
            missed += sum(finding.verdict == "misses" for finding in findings)
    if not shown:
        names = ", ".join(sorted({repr(claim.sweep) for claim in CLAIMS}))
        raise BadInput(f"{store}: no finished sweep measures a claim; run one of {names} (see `mlrtui examples`)")
    return 1 if missed else 0


def finished_sweeps(reader: Reader) -> tuple[Callable[[str, str], Sequence[Row]], list[str]]:
    """Rows of a view of a finished sweep, each read once (of any other sweep, none); and these sweeps, oldest first."""
    done = [sweep.name for sweep in reversed(reader.sweeps()) if sweep.status == "done"]

    @cache
    def read(view: str, sweep: str) -> Sequence[Row]:
        if sweep not in done:
            return ()
        columns, rows = reader.query(view, where_sweep=sweep)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    return read, done


def measured_text(finding: Finding) -> str:
    """The value with its interval or range, or why there is none."""
    measured, digits = finding.measured, finding.claim.digits
    if measured.value is None:
        return measured.note
    value, *range_ = (
        "" if number is None else fixed(number, digits) for number in (measured.value, measured.low, measured.high)
    )
    spread = f" [{range_[0]}, {range_[1]}]" if all(range_) else ""
    return f"{value}{spread}{f', {measured.note}' if measured.note else ''}"


def _line(finding: Finding) -> str:
    claim = finding.claim
    band = f"expected {exact(claim.low)} to {exact(claim.high)}"
    word, _, basis = verdict_text(finding).partition(" (")
    alone = f", {basis.rstrip(')')}" if basis else ""
    return f"  {word:<12} {claim.text}: {band}, measured {measured_text(finding)}{alone}  ({claim.source})"
