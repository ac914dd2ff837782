"""Textual's own lists and prompts beside ours, in a real terminal: time until rows are there, and what a key sends.

python -m benchmarks.widgets                    # a minute
python -m benchmarks.widgets --rows 500 --keys 5
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from textual.app import App, ComposeResult
from textual.widget import Widget
from textual.widgets import DataTable, Input, OptionList

from benchmarks.machine import describe, save, table
from benchmarks.terminal import Screen
from mlrtui.text.lines import Line, line
from mlrtui.text.marks import UNICODE
from mlrtui.tui.state import Look
from mlrtui.tui.widgets.rows import RowsPane, window
from mlrtui.tui.widgets.typed import TypedRow

__all__ = ["KINDS", "main"]

COLUMNS = 8


def cells(row: int, turn: int) -> list[str]:
    """What a row says: its number, and values of which the first changes with each turn in row 0 alone."""
    return [f"row {row}", *(f"{row + column + (turn if row == 0 else 0)}" for column in range(1, COLUMNS))]


class OurRows(RowsPane):
    """A list with a cursor, made of lines."""

    count, at, turn = 0, 0, 0

    def body(self, width: int, height: int) -> Sequence[Line]:
        """The visible rows alone are made."""
        return [
            line("".join(f"{text:>12}" for text in cells(row, self.turn)), "cursor" if row == self.at else "")
            for row in window(self.count, self.at, height)
        ]

    def move(self, dx: int, dy: int) -> bool:
        """The cursor."""
        self.at = min(max(self.at + dy, 0), self.count - 1)
        self.update_rows()
        return True


class _Host:
    """What a prompt asks of its screen, which does nothing here."""

    def typed(self, text: str) -> None:
        """Taken."""

    async def entered(self, text: str) -> None:
        """Taken."""

    def left(self) -> None:
        """Taken."""

    def passed(self, key: str) -> None:
        """Taken."""


class OurPrompt(TypedRow):
    """A row in which text is typed."""

    host = _Host()

    def lines(self, width: int, height: int) -> list[Line]:
        """The text."""
        return [self.typed_line(width)]

    async def on_key(self, event: Any) -> None:
        """Every key is text."""
        await self.take(event.key, event.character)
        self.update_rows()


def _table(rows: int) -> Widget:
    made: DataTable[str] = DataTable(cursor_type="row")
    for column in range(COLUMNS):
        made.add_column(str(column), key=str(column))
    for row in range(rows):
        made.add_row(*cells(row, 0), key=str(row))
    return made


def _options(rows: int) -> Widget:
    return OptionList(*("".join(f"{text:>12}" for text in cells(row, 0)) for row in range(rows)))


def _ours(rows: int) -> Widget:
    made = OurRows(Look(UNICODE), id="rows")
    made.count = rows
    return made


def _turn_table(widget: Any, turn: int) -> None:
    for column, text in enumerate(cells(0, turn)[1:], start=1):
        widget.update_cell("0", str(column), text)


def _turn_options(widget: Any, turn: int) -> None:
    widget.replace_option_prompt_at_index(0, "".join(f"{text:>12}" for text in cells(0, turn)))


def _turn_ours(widget: Any, turn: int) -> None:
    widget.turn = turn
    widget.update_rows()


KINDS: dict[str, tuple[Callable[[int], Widget], Callable[[Any, int], None]]] = {
    "DataTable": (_table, _turn_table),
    "OptionList": (_options, _turn_options),
    "our list": (_ours, _turn_ours),
    "Input": (lambda rows: Input(), lambda widget, turn: None),
    "our prompt": (lambda rows: OurPrompt(Look(UNICODE), id="prompt"), lambda widget, turn: None),
}


class Child(App[None]):
    """One widget, which has the focus; F2 changes the values of its first row."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, kind: str, rows: int) -> None:
        super().__init__()
        self._kind, self._rows, self._turns = kind, rows, 0

    def compose(self) -> ComposeResult:
        """The widget alone."""
        yield KINDS[self._kind][0](self._rows)

    async def on_key(self, event: Any) -> None:
        """The keys of the measurement."""
        widget: Any = self.focused
        if event.key == "f2":
            self._turns += 1
            KINDS[self._kind][1](widget, self._turns)
        elif event.key == "down" and isinstance(widget, OurRows):
            widget.move(0, 1)


@dataclass(frozen=True)
class Measured:
    """Seconds and bytes of one widget."""

    kind: str
    rows: int
    ready_s: float  # until rows are there; 0 of a prompt
    cpu_s: float
    idle_bytes_a_second: float
    key_s: list[float]
    key_bytes: list[int]
    change_bytes: list[int]  # none of a prompt
    memory_mib: float


def measured(kind: str, rows: int, keys: int) -> Measured:
    """One widget with so many rows."""
    prompts = "rompt" in kind or kind == "Input"
    code = "import sys; from benchmarks.widgets import Child; Child(sys.argv[1], int(sys.argv[2])).run()"
    screen = Screen((120, 36), sys.executable, "-c", code, kind, str(rows))
    try:
        begun = 0.0 if prompts else screen.wait_for(b"row 5")
        screen.listen(2.0)
        idle = screen.listen(3.0) / 3.0
        moved = [screen.key(b"a" if prompts else b"\x1b[B", 0.1) for _ in range(keys)]
        turned = [] if prompts else [screen.key(b"\x1bOQ", 0.1) for _ in range(keys)]
        return Measured(
            kind=kind,
            rows=rows,
            ready_s=begun,
            cpu_s=screen.cpu(),
            idle_bytes_a_second=idle,
            key_s=[last for _, last, _ in moved],
            key_bytes=[sent for *_, sent in moved],
            change_bytes=[sent for *_, sent in turned],
            memory_mib=screen.memory(),
        )
    finally:
        screen.close()


def row(one: Measured) -> list[str]:
    """One line of the table."""
    sent, change = statistics.median(one.key_bytes), statistics.median(one.change_bytes or [0])
    numbers = (one.idle_bytes_a_second, 1000 * statistics.median(one.key_s), sent, change, one.memory_mib)
    return [
        one.kind,
        str(one.rows),
        f"{one.ready_s:.2f}",
        f"{one.cpu_s:.2f}",
        *(f"{number:.0f}" for number in numbers),
    ]


def main() -> None:
    """Measure by turns and print a line for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.widgets", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[100, 10_000], help="of lists (100 and 10,000)")
    parser.add_argument("--keys", type=int, default=20, help="that are pressed (20)")
    parser.add_argument("--json", type=Path, help="write every figure here")
    options = parser.parse_args()
    found = [
        measured(kind, rows, options.keys)
        for rows in options.rows
        for kind in KINDS
        if rows == options.rows[0] or ("rompt" not in kind and kind != "Input")
    ]
    head = (
        "widget",
        "rows",
        "rows are there, s",
        "CPU in all, s",
        "idle, bytes a second",
        "key, ms",
        "key, bytes",
        "changed row, bytes",
        "MiB",
    )
    print(table(head, [row(one) for one in found]))
    save(options.json, describe("cpu"), [asdict(one) for one in found])


if __name__ == "__main__":
    main()
