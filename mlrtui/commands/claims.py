"""`mlrtui check-claims`: what the papers claim beside what a store measured."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from mlrtui.analysis.claim_table import CLAIMS
from mlrtui.analysis.claims import Finding, Results, Row, check
from mlrtui.errors import BadInput
from mlrtui.printing import show
from mlrtui_db.reader import Reader

__all__ = ["check_claims"]


def check_claims(store: Path) -> int:
    """Print every claim that the store's finished sweeps speak to; exit code 1 when one is missed.

    Raises:
        BadInput: no finished sweep of the store measures a claim.
        StoreError: the store cannot be read.
    """
    missed = shown = 0
    with Reader.open(store) as reader:
        done = [sweep for sweep in reversed(reader.sweeps()) if sweep.status == "done"]
        read = _looks(reader, frozenset(sweep.name for sweep in done))
        for sweep in done:
            findings = check(CLAIMS, Results(sweep.name, read))
            if findings:
                show(f"{sweep.name}")
            for finding in findings:
                show(_line(finding))
            shown += len(findings)
            missed += sum(finding.verdict == "misses" for finding in findings)
    if not shown:
        names = ", ".join(sorted({repr(claim.sweep) for claim in CLAIMS}))
        raise BadInput(f"{store}: no finished sweep here measures a claim; run one of {names}: see `mlrtui examples`")
    return 1 if missed else 0


def _looks(reader: Reader, done: frozenset[str]) -> Callable[[str, str], Sequence[Row]]:
    """Rows of a view of a finished sweep, each read once; of any other sweep, none."""

    @cache
    def read(view: str, sweep: str) -> Sequence[Row]:
        if sweep not in done:
            return ()
        columns, rows = reader.query(view, where_sweep=sweep)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    return read


def _line(finding: Finding) -> str:
    claim, measured = finding.claim, finding.measured
    if measured.value is None:
        value = measured.note
    else:
        spread = "" if measured.low is None or measured.high is None else f" [{measured.low:.2f}, {measured.high:.2f}]"
        value = f"{measured.value:.2f}{spread}{f', {measured.note}' if measured.note else ''}"
    band = f"expected {claim.low:g} to {claim.high:g}"
    return f"  {finding.verdict:<12} {claim.text}: {band}, measured {value}  ({claim.source})"
