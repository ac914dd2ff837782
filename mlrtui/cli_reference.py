"""The reference page of the command line, made from the commands themselves.

``python -m mlrtui.cli_reference > docs/cli.md`` makes it anew.
"""

import sys
from collections import Counter
from enum import Enum
from typing import Any

from typer.main import get_command

from mlrtui.cli import app

__all__ = ["page"]

COMMON = 3
"""An option of so many commands is described once."""

HEAD = ("| argument or option | default | meaning |", "| --- | --- | --- |")

INTRODUCTION = """\
# The command line

<!-- Made by `python -m mlrtui.cli_reference`; change the code, then make it again. -->

Options of `mlrtui` itself stand before the command: `mlrtui --debug run nets.toml` prints a traceback on errors,
`mlrtui --version` the version.

## Exit codes

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | done, but something failed: trials, the last backup, a claim, a check of `doctor`; no prediction, no certificate |
| 2 | bad input: a sweep file, an option or a value. Every mistake is listed; nothing was started |
| 3 | the store cannot be used |
| 4 | the driver died: an unexpected error, all workers lost, or killed. The log beside the store has the traceback |
| 75 | stopped before the end by `mlrtui stop`, a signal or `--until`; the same command goes on |
| 130 | interrupted with Ctrl-C |
| 141 | the reader of the output closed it, as in `mlrtui status \\| head -2` |
| 255 | another machine cannot be reached over ssh, or the connection was lost; a run there goes on |

## Environment variables

| variable | meaning |
| --- | --- |
| `MLRTUI_STORE` | the store, where `--store` is not given |
| `MLRTUI_SSH` | the ssh for stores on other machines, with options: `ssh -p 2222`; `ssh` |
| `MLRTUI_REMOTE` | the command that runs mlrtui on the other machine, such as `~/venv/bin/mlrtui` |
| `MLRTUI_FAST` | `0` turns compiled training steps off |
| `MLRTUI_GRAPHS` | `0` turns CUDA graphs off |
| `MLRTUI_TRITON` | `1`: Triton trains narrow mlps on a GPU (extra `gpu`), not timed yet; `auto`: where that is faster |
| `MLRTUI_RECORD` | `0` turns `mlrtui.record` off in every script |
| `MLRTUI_EVENT` | for the command of `--notify`: what happened (done, failed, stalled, stopped) |
| `MLRTUI_SWEEP` | for the same: the sweep |
| `MLRTUI_TEXT` | for the same: one line on it |
| `MLRTUI_DATA_GB` | the largest data file that is read, in GB; 2 |
| `NO_COLOR` | send no colour codes |
"""


def page() -> str:
    """The page as Markdown: exit codes, variables, common options, then each command with its own."""
    group: Any = get_command(app)
    commands = {
        name: [p for p in one.params if p.name != "help"] for name, one in group.commands.items() if not one.hidden
    }
    rows = Counter(_row(parameter) for parameters in commands.values() for parameter in parameters)
    common = [row for row, count in rows.items() if count >= COMMON]
    lines = [INTRODUCTION, "## Common options", "", *HEAD, *common]
    for name, parameters in commands.items():
        lines += ["", f"## `mlrtui {name}`", "", group.commands[name].help, ""]
        own = [row for row in map(_row, parameters) if row not in common]
        shared = [f"`{_name(parameter)}`" for parameter in parameters if _row(parameter) in common]
        lines += [*HEAD, *own, ""] if own else []
        lines += [f"Common options: {', '.join(shared)}."] if shared else []
    return "\n".join(lines).rstrip()


def _row(parameter: Any) -> str:
    is_option = parameter.opts[0].startswith("-")
    name = ", ".join(parameter.opts) if is_option else _name(parameter)
    is_flag = getattr(parameter, "is_flag", False)
    value = f" {parameter.metavar or parameter.opts[0].strip('-').upper()}" if is_option and not is_flag else ""
    many = " …" if parameter.nargs == -1 or parameter.multiple else ""
    default = "" if is_flag or parameter.default in (None, (), "") else f"`{_text(parameter.default)}`"
    choices = type(parameter.default) if isinstance(parameter.default, Enum) else ()
    meaning = (parameter.help or "") + (f" One of {', '.join(map(_text, choices))}." if choices else "")
    cells = (f"`{name}{value}`{many}", default or ("needed" if parameter.required else ""), meaning)
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")  # even between backticks it would end the cell


def _name(parameter: Any) -> str:
    is_option = parameter.opts[0].startswith("-")
    return str(parameter.opts[0] if is_option else parameter.metavar or parameter.name.upper())


def _text(value: Any) -> str:
    return str(getattr(value, "value", value))


if __name__ == "__main__":
    sys.stdout.write(page() + "\n")
