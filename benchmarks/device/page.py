"""A stage's findings as Markdown, and the page of `docs/benchmarks.md` where they go."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.machine import table

__all__ = ["BLOCK", "NOT_MEASURED", "as_text", "renew"]

BLOCK = re.compile(r"(<!-- device figures -->\n).*?(<!-- end -->)", re.DOTALL)
NOT_MEASURED = "Not measured: nothing of mlrtui has run on a GPU yet."


def as_text(found: Mapping[str, Any], level: int = 3) -> str:
    """Heading, state, tables, notes and faults of a stage."""
    head = f"{'#' * level} {found['number']}. {found['title']}"
    parts = [f"{head}\n\n{found['status']}, {found['seconds']:.0f} s"]
    for name, rows in found["tables"].items():
        columns = list(dict.fromkeys(column for row in rows for column in row))
        cells = [[_cell(row.get(column)) for column in columns] for row in rows]
        parts.append(f"**{name}**\n\n{table([column.replace('_', ' ') for column in columns], cells)}")
    notes = [f"- {text}" for text in found["notes"]] + [f"- **fault**: {text}" for text in found["faults"]]
    return "\n\n".join([*parts, "\n".join(notes)] if notes else parts) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1e4 else f"{value:.2e}"
    return str(value).replace("|", "\\|")


def renew(page: Path, folder: Path) -> None:
    """Put the tables of all stages in ``folder`` into the page. Raises SystemExit where there is nothing to put."""
    files = sorted(folder.glob("stage-*.json"))
    if not files:
        raise SystemExit(f"{folder} holds no stage-*.json: run python -m benchmarks.device --out {folder} first")
    stages = [as_text(json.loads(file.read_text(encoding="utf-8"))) for file in files]
    old = page.read_text(encoding="utf-8")
    new, count = BLOCK.subn(lambda match: match[1] + "\n" + "\n".join(stages) + "\n" + match[2], old)
    if count != 1:
        raise SystemExit(f"{page} has no place for the figures: a line <!-- device figures -->, then <!-- end -->")
    page.write_text(new, encoding="utf-8")
