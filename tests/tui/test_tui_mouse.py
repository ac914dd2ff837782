"""The mouse, in a real terminal: the pointer reads a chart, the wheel zooms, a click is a key, a double click opens."""

from collections.abc import Callable

from test_tui_screens import shown
from test_tui_terminal import Terminal, start
from tui_fakes import scan_store

from mlrtui.tui.help.screen import HelpScreen
from mlrtui.tui.keymap import KEYS

__all__ = ["start"]  # a fixture

SIZE = (160, 48)
MOVE, WHEEL_UP, WHEEL_DOWN = 35, 64, 65


def place_of(terminal: Terminal, words: str) -> tuple[int, int]:
    """Column and row of a text on the screen, from 0."""
    row = next(at for at, text in enumerate(terminal.screen.display) if words in text)
    return terminal.screen.display[row].index(words), row


def send(terminal: Terminal, button: int, column: int, row: int) -> None:
    terminal.press(f"\x1b[<{button};{column + 1};{row + 1}M".encode())


def click(terminal: Terminal, column: int, row: int) -> None:
    send(terminal, 0, column, row)
    terminal.press(f"\x1b[<0;{column + 1};{row + 1}m".encode())


def test_pointer_wheel_click_and_double_click(start: Callable[..., Terminal]) -> None:
    terminal = start(SIZE)
    terminal.wait_for(lambda: "peak 20.4 @14" in terminal.text())

    column, row = place_of(terminal, "─ loss")
    send(terminal, MOVE, column + 60, row + 5)
    terminal.wait_for(lambda: "peak 20.4 @14" not in terminal.text())
    assert "step" in terminal.text()
    column, row = place_of(terminal, "trials in 1×512")
    send(terminal, MOVE, column, row + 2)  # off the chart
    terminal.wait_for(lambda: "peak 20.4 @14" in terminal.text())

    column, row = place_of(terminal, "  1.9 ")
    click(terminal, column + 2, row)
    terminal.wait_for(lambda: "ηλ₀=1.9 " in terminal.text())
    click(terminal, column + 2, row)
    click(terminal, column + 2, row)
    terminal.wait_for(lambda: "trial 4 " in terminal.text() and "sharpness λ" in terminal.text())

    column, row = place_of(terminal, "sharpness λ")
    send(terminal, WHEEL_UP, column + 40, row + 4)
    terminal.wait_for(lambda: "0 shows all" in terminal.text())
    for _ in range(3):
        send(terminal, WHEEL_DOWN, column + 40, row + 4)
    terminal.wait_for(lambda: "0 shows all" not in terminal.text())

    column, row = place_of(terminal, "esc back")
    click(terminal, column + 1, row)
    terminal.wait_for(lambda: "trials in 1×512" in terminal.text())


async def test_the_pointer_s_words_are_the_extremes_of_its_column() -> None:
    async with shown(scan_store(), SIZE) as view:
        from mlrtui.tui.live.charts import LossChart

        chart = view.app.screen.query_one(LossChart)
        left, cells = chart._plot
        trace = view.reading.trace
        assert trace is not None
        seen = []
        for cell in range(cells):
            chart._point(1 + left + cell)
            words = chart.pointer()[0][0]
            if words.startswith("step"):
                steps = [int(one) for one in words.split(":")[0].split()[1].split("–")]
                seen += range(steps[0], steps[-1] + 1)
                values = [float(one) for one in words.split(": ")[1].split(" to ")]
                part = trace.loss[steps[0] : steps[-1] + 1]
                assert values[0] == float(f"{part.min():.4g}")
                assert values[-1] == float(f"{part.max():.4g}")
        assert seen == trace.step.tolist()  # every step once, whatever the column


async def test_help_begins_with_the_screen_below() -> None:
    async with shown(scan_store(), (100, 30)) as view:
        for screen, key in (("log", "5"), ("phases", "6"), ("live", "1")):
            await view.press(key, "question_mark")
            await view.until(lambda: isinstance(view.app.screen, HelpScreen))
            first = view.text().splitlines()[1]
            assert f"{screen.capitalize()}: keys of this screen" in first
            mine = next(one.help for one in KEYS if screen in one.screens and one.footer == 10)
            assert mine in view.text()
            await view.press("escape")
