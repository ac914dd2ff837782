"""The reference page of sweep files, made from the models.

``python -m mlrtui.config.reference > docs/sweep-file.md`` makes it anew.
"""

import sys
from collections.abc import Iterator
from inspect import getdoc

from pydantic.fields import FieldInfo

from mlrtui.analysis.expressions import CELL_NUMBERS, CELL_TEXTS
from mlrtui.config.checks.known import MAX_CELLS, MAX_NETS, MAX_PARAMETERS, MAX_TRAININGS
from mlrtui.config.loops import LoopSearchSection, LoopTrainingSection
from mlrtui.config.mistakes import enumerate_words, toml_text
from mlrtui.config.parsing import TABLES
from mlrtui.config.rules import Rule
from mlrtui.config.sections import LayerRates, Section, WidthRates, section_of

__all__ = ["page"]

INTRODUCTION = """\
# The sweep file

<!-- Made by `python -m mlrtui.config.reference`; change the code, then make it again. -->

One TOML file describes a sweep: a grid of networks, and what is done with each of them. A list given for a key marked
*axis* makes an axis of the grid; the grid is the full product of its axes, and every grid point (a *cell*) is trained
with every seed (a *net*).

```toml
[sweep]
name = "digits: first look"
seeds = 3

[data]
name = "digits"
samples = 1024

[model]
depth = [2, 4, 8]
width = [64, 128]
input_lr = 0.1

[training]
loss = "ce"
batch = 64
epochs = 5

[search]
threshold = 0.5
```

`[sweep]`, `[data]`, `[model]`, `[training]` and one of `[search]` and `[scan]` are needed; the other tables may be left
out.

Unknown keys, wrong types and contradictions are all reported at once, one line each: the file, the key, its value, what
is wrong and the remedy. Then nothing is started, and the exit code is 2.
"""

LOOPS = """\
## Trainings of your own

With `loop` in `[training]`, mlrtui trains nothing itself: it calls your function at the learning rates of the search or
scan. `[data]`, `[model]`, `[sharpness]` and `[measures]` are then left out, and `[training]` has the keys below. λ is
not measured for such trainings. The [guide](guides/your-own-training.md) has the rest.

```toml
[sweep]
name = "my training"
seeds = 3

[training]
loop = "my_training:train"      # def train(lr, report, seed, width, dropout=0.0)

[arguments]
width = [64, 128]
dropout = 0.1

[search]
tolerance = 0.1
```

### `[arguments]`

Arguments of the function by their names, beside lr, report and seed, which it gets anyway: numbers, texts, true or
false, each one value or a list, which makes an *axis* of the grid. Arguments named like axes of mlrtui (depth, width,
batch, optimizer, ...) fill those columns of the views; the others are in the column `own`. Labels and `[[fit]]` use
both.

### `[search]` and `[scan]`

As above, with other defaults: `success = "loss-below-initial"`, and `start`, which is a learning rate or "fit". `on`,
`give_up` and `eta_lambda0` are for nets that mlrtui trains.
"""

CLOSING = """\
## Overriding keys

`--set TABLE.KEY=VALUE` sets a key for one call, as in `--set training.epochs=3` or `--set model.width=[64,128]`. The
value is written as in TOML; a bare word is text.

## What makes two sweeps the same

A sweep is identified by its settings as mlrtui understands them, defaults included: comments, the order of keys and the
spelling of numbers (`1` or `1.0`) play no part. Starting the same sweep again goes on with it. More seeds, more values
of an axis, more rates, another tolerance and other fits are added in place ([guide](guides/growing.md)); other changes
need another `sweep.name`.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield INTRODUCTION
    for name, kind in TABLES.items():
        yield from _table("[[fit]]" if name == "fit" else f"[{name}]", kind)
        if name == "model":
            yield from _table("[model] layer_lr = { ... }", LayerRates)
        if name == "scan":
            yield from _table("[scan] eta_width = { ... }", WidthRates)
    numbers, texts = (", ".join(f"`{name}`" for name in names) for names in (CELL_NUMBERS, CELL_TEXTS))
    yield f"An expression of `x` may use the numbers {numbers}."
    yield f"A condition in `where` may use these but `lambda0`, and the texts {texts}: `loss == 'ce'`.\n"
    yield "## Limits\n"
    yield f"At most {MAX_CELLS} cells, {MAX_NETS} nets, {MAX_TRAININGS} trainings of a scan,"
    yield f"and {MAX_PARAMETERS} weights in a net.\n"
    yield "## Not built yet\n"
    yield "These are refused by name, never ignored.\n"
    for name, kind in TABLES.items():
        yield from (f"- `{name}.{key}`" for key in kind.later)
        for key, field in kind.model_fields.items():
            later = () if section_of(field) else rule_of(field).later
            if later:
                yield f"- `{name}.{key}`: {enumerate_words(later)}"
    yield ""
    yield LOOPS
    yield from _table("[training] with loop", LoopTrainingSection, level="###")
    start = LoopSearchSection.model_fields["start"]
    yield f"`search.start` takes {rule_of(start).text} here (default {_default('start', start)}): {start.description}\n"
    yield CLOSING.rstrip()


def _table(title: str, kind: type[Section], level: str = "##") -> Iterator[str]:
    yield f"{level} `{title}`\n\n{getdoc(kind)}\n"
    yield "| key | value | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for key, field in kind.model_fields.items():
        if section_of(field):
            default = "" if field.default is None else "all 1.0"
            yield f"| `{key}` | a table, see below | {default} | {field.description} |"
            continue
        rule = rule_of(field)
        mark = "; *axis*" if rule.is_axis and not title.startswith("[scan]") else ""
        yield f"| `{key}` | {rule.text}{mark} | {_default(key, field)} | {field.description} |"
    yield ""


def _default(key: str, field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    if field.default is None or field.default == ():
        return ""
    default = field.default
    if isinstance(default, tuple):
        default = list(default) if key == "seeds" else default[0]
    return f"`{toml_text(default)}`"


def rule_of(field: FieldInfo) -> Rule:
    """The rule in a field's annotation."""
    return next(item for item in field.metadata if isinstance(item, Rule))


if __name__ == "__main__":
    sys.stdout.write(page() + "\n")
