"""`mlrtui check-claims`: what the papers claim beside what a store measured."""

from pathlib import Path

from mlrtui.analysis import claims
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
        for sweep in reversed(reader.sweeps()):
            findings = claims.check(sweep.name, _rows(reader, sweep.name)) if sweep.status == "done" else []
            if findings:
                show(f"{sweep.name}")
            for finding in findings:
                show(_line(finding))
            shown += len(findings)
            missed += sum(finding.verdict == "misses" for finding in findings)
    if not shown:
        names = ", ".join(sorted({repr(claim.sweep) for claim in claims.CLAIMS}))
        raise BadInput(f"{store}: no finished sweep here measures a claim; run one of {names}: see `mlrtui examples`")
    return 1 if missed else 0


def _rows(reader: Reader, sweep: str) -> claims.Rows:
    views = []
    for view in ("exponents", "phases"):
        columns, rows = reader.query(view, where_sweep=sweep)
        views.append([dict(zip(columns, row, strict=True)) for row in rows])
    return claims.Rows(*views)


def _line(finding: claims.Finding) -> str:
    claim, measured = finding.claim, finding.measured
    if measured.value is None:
        value = measured.note
    else:
        spread = "" if measured.low is None or measured.high is None else f" [{measured.low:.2f}, {measured.high:.2f}]"
        value = f"{measured.value:.2f}{spread}{f', {measured.note}' if measured.note else ''}"
    band = f"expected {claim.low:g} to {claim.high:g}"
    return f"  {finding.verdict:<12} {claim.text}: {band}, measured {value}  ({claim.source})"
