"""The page docs/store.md, made from the schema and `column_docs`."""

import sqlite3
from collections.abc import Iterator, Set
from contextlib import closing

from mlrtui_db._schema import schema_names, schema_script, view_names
from mlrtui_db.column_docs import TABLES, column_documents

_HEAD = """\
<!-- Made by `python -m mlrtui_db._store_page`; change it there. -->

# The store

Everything that a sweep does is kept in one SQLite file: `--store`, else `MLRTUI_STORE`, else `mlrtui.db` in the working
folder. One driver writes it; any number of programs may read it at the same time, while it runs and ever after.

## Asking it questions

The views are made for people. Their names and columns are stable: columns may be added, none is renamed or
removed.

```sh
sqlite-utils tables mlrtui.db --counts
sqlite-utils rows mlrtui.db eta_star --fmt github
sqlite-utils rows mlrtui.db curves --where "step % 10 = 0" --csv > curves.csv
sqlite-utils query mlrtui.db "SELECT depth, width, exp(ln_eta_star_mean) AS eta_star FROM grid ORDER BY 1, 2"
sqlite-utils query mlrtui.db "SELECT col, unit, text FROM column_doc WHERE tbl = 'phases'" --fmt github
```

(`exp()` is there in SQLite builds with mathematical functions, which most are.)

- Read as much as you like, also while a sweep runs. Do not write to a store that a driver has open: older SQLite
  versions can, rarely, damage a file that two connections write, and `sqlite-utils insert` and most graphical tools do
  write. Work on a copy: `sqlite3 mlrtui.db "VACUUM INTO 'copy.db'"`.
- A program that keeps a read transaction open lets the `-wal` file beside the store grow without bound.
- `-wal` and `-shm` beside the store belong to it. Copy or move them together with it, or copy with `VACUUM INTO`.
- Keep it on a local disk. The log needs memory shared between processes, which NFS, Lustre, sshfs and the like do not
  give.
- The store needs SQLite 3.37 or later.

## What it promises

- A committed record survives a killed process. After a power cut the last fraction of a second may be missing; the file
  stays whole.
- No number is NaN or infinite: the value is NULL, and `step.flags` or `trial.bad_kind` says what it was.
- A trial's steps are all of one attempt, its newest. An attempt that is cut short is started over from step 0; until
  then its steps are kept.
- `trial.n_steps`, `last_step` and the other summaries agree with the stored steps in every committed state.
- Running a finished sweep again writes nothing.
- A store of a newer mlrtui is never written to. Before a store of an older one is brought up to date, a copy of it is
  made beside it (`mlrtui.db.v1`).

`mlrtui doctor mlrtui.db` checks all of this.

Units: `1` is a pure number, `eta` a learning rate, `loss` a value of the training loss in the convention that
`net.loss_convention` names, `1/eta` a curvature of that loss (η·λ is a pure number).
"""


_Row = tuple[str, str, str, str]
"""Of a column: its table, name, unit and meaning."""


def store_page() -> str:
    """The whole page as Markdown."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(schema_script())
        rows = list(column_documents(connection))
    views = [name for name in schema_names() if name not in TABLES]
    settings = {row[1:] for row in rows if row[0] == "axes"}
    parts = [_HEAD, "## Views\n"]
    for name in dict.fromkeys(["axes", *view_names(), *views]):
        parts += _table(name, rows, frozenset() if name == "axes" else settings)
    parts.append("## Tables\n")
    for name in TABLES:
        parts += _table(name, rows)
    return "\n".join(parts)


def _table(name: str, rows: list[_Row], settings: Set[tuple[str, str, str]] = frozenset()) -> Iterator[str]:
    """A heading and a table; columns that are in ``settings`` are said in one line: a view has some forty of them."""
    own = [row[1:] for row in rows if row[0] == name]
    yield f"### `{name}`\n"
    yield f"{WHAT[name]}\n"
    yield "| column | unit | meaning |\n| --- | --- | --- |"
    for column, unit, text in own:
        if (column, unit, text) not in settings:
            meaning = text.replace("|", "\\|")
            yield f"| `{column}` | {unit} | {meaning} |"
    if settings & set(own):
        yield "\nAnd the columns of [`axes`](#axes)."
    yield ""


WHAT = {
    "eta_star": "One row per net of a search: its maximal initial learning rate and how well it is known.",
    "boundaries": "One row per trial of a search: where success ends.",
    "grid": "One row per cell: progress and averages.",
    "curves": "One row per stored step.",
    "spectra": "One row per eigenvalue that is kept beside a step's sharpness: `top` and further operators.",
    "layers": "One row per weight layer at one of a trial's first steps: how far it has moved, and by what.",
    "measures": "One row per value of a measure that a sweep asks for or a recorder takes.",
    "phases": "One row per finished trial: how it ended.",
    "onsets": "One row per net with trials done: the smallest eta × lambda0 whose training shows more loss, or more "
    "sharpness, than at its start, and the largest that it survives (Kalra and Barkeshli 2023), each with the rate "
    "trained next to it, so that the true value lies between; and the grid rule of Haas et al. 2025.",
    "width_growth": "One row per trial of a scan whose rates follow a power of the width: how far outputs and last "
    "hidden layer grow in the first steps. The summary of a scan fits exponents over widths to it (Haas et al. 2025).",
    "forks": "One row per net and step at which trainings fork from a base training: the largest learning rate that "
    "survives when it is switched on there.",
    "fork_trials": "One row per training of a fork.",
    "maps": "One row per training of a map, queued ones included: where in it, and whether it succeeds. Points that "
    "follow from others are in no row ([guide](guides/maps.md)).",
    "exponents": "One row per fitted term.",
    "annotations": "One row per note or tag that `mlrtui note` has put on a sweep.",
    "annotation": "One row per note or tag of a sweep. The driver stores what `mlrtui note` asks for while it runs.",
    "axes": "The settings of a cell that may be an axis of the grid. Its columns are part of the views below.",
    "measured": "Table `measure` with names; the views `spectra`, `layers` and `measures` are made of it.",
    "sweep": "One row per sweep file that was run.",
    "cell": "One row per point of the grid: everything but seed and learning rate.",
    "net": "One row per initialised network: cell × seed.",
    "trial": "One row per training: net × learning rate, with a summary of its steps.",
    "attempt": "One row per start of a trial.",
    "step": "One row per recorded step.",
    "series": "One row per measure, or per part of one, that values are stored of.",
    "measure": "One row per value of a measure, or of a part of one; eigenvalues and sizes of layers are among them.",
    "event": "The log.",
    "fit": "One row per fitted term.",
    "column_doc": "This page, as a table.",
    "meta": "About the store itself.",
}


if __name__ == "__main__":
    print(store_page(), end="")  # noqa: T201
