"""What [training] must not say together with other keys: how long, in which batches, by which optimizer."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

from mlrtui.config.checks.known import CODE_KEYS, MAX_CELLS, Check, Known
from mlrtui.config.mistakes import NO_VALUE, Mistake, bare, enumerate_words, toml_text
from mlrtui.data.shapes import held_out_of
from mlrtui_trainer.models.kinds import MODEL_KINDS
from mlrtui_trainer.models.parametrizations import PARAMETRIZATIONS, with_rates
from mlrtui_trainer.models.sources import is_factory, module_of, source_of
from mlrtui_trainer.optimizers import OPTIMIZERS, owners_of
from mlrtui_trainer.schedules import SCHEDULES

__all__ = ["CHECKS"]


def _budget(known: Known) -> Iterator[Mistake]:
    given = {"training.epochs", "training.steps"} & known.given
    if "training" in known.given and len(given) != 1:
        how = "are both given; keep one of them" if given else "are both missing; write e.g. epochs = 5"
        yield Mistake("training", NO_VALUE, f"epochs and steps {how}")


def _batches(known: Known) -> Iterator[Mistake]:
    if known.cells > MAX_CELLS:
        return
    counts = _sample_counts(known)
    batches = known.axis("training.batch")
    for batch in batches:
        if batch == "full":
            continue
        short = [(name, count) for name, count in counts if batch > count and name != "unit"]
        if short:
            name, count = short[0]
            yield Mistake("training.batch", batch, f'data "{name}" gives {count} samples; lower it or use "full"')
        if "full" in batches and any(batch == count for _, count in counts):
            yield Mistake("training.batch", batch, 'just the number of samples, as "full" says; keep one of them')
    if "search" in known.given and known.one("search.success") == "accuracy" and counts and batches:
        epoch = max(1 if batch == "full" else count // batch for (_, count), batch in product(counts, batches))
        for steps in known.axis("training.steps"):
            if steps < epoch:
                yield Mistake(
                    "training.steps",
                    steps,
                    f"shorter than an epoch of {epoch} steps, at whose end success is checked; raise it or use epochs",
                )


def _sample_counts(known: Known) -> list[tuple[str, int]]:
    """(data, training samples) of every cell, as far as they are possible."""
    counts = []
    for name, samples in product(known.axis("data.name"), known.axis("data.samples")):
        source = known.source(name)
        if source is not None and (samples == "all" or samples <= source.most):
            count = source.samples if samples == "all" else samples
            counts.append((name, count - held_out_of(count, known.one("data.validation"))))
    return counts


def _own_keys(known: Known) -> Iterator[Mistake]:
    """A key of some optimizers is for those; several values would give the others the same cell again."""
    optimizers = known.axis("training.optimizer")
    known_here = dict.fromkeys((*OPTIMIZERS.ours, *optimizers))
    for key in dict.fromkeys(key for name in known_here for key in OPTIMIZERS[name].settings):
        owners = owners_of(key, known_here)
        field, values = f"training.{key}", known.axis(f"training.{key}")
        if field not in known.given or not optimizers or not values:
            continue
        others = [toml_text(name) for name in optimizers if name not in owners]
        theirs = enumerate_words([toml_text(name) for name in owners])
        if len(others) == len(optimizers):
            yield Mistake(field, bare(values), f"is for optimizer = {theirs}; remove it")
        elif others and len(values) > 1:
            yield Mistake(
                field,
                list(values),
                f"optimizer {enumerate_words(others, 'and')} would be trained again for each; give one value, or keep "
                f"optimizer = {theirs} alone",
            )


def _rates(known: Known) -> Iterator[Mistake]:
    for optimizer, name in product(known.axis("training.optimizer"), known.axis("model.parametrization")):
        if PARAMETRIZATIONS[name].powers_under(optimizer) is None:
            yield Mistake(
                "model.parametrization",
                name,
                f"has no rates under optimizer = {toml_text(optimizer)}; use "
                f"{enumerate_words([toml_text(other) for other in with_rates(optimizer)])}",
            )


def _warmup(known: Known) -> Iterator[Mistake]:
    """A warm-up is for the schedules that have one, and shorter than the training: else η would never be reached."""
    names = known.axis("training.schedule") or ("constant",)
    warmups, steps = known.axis("training.warmup_steps"), known.axis("training.steps")
    for name in names:
        schedule = SCHEDULES[name]
        if warmups and not schedule.warms:
            warming = enumerate_words([toml_text(other) for other in SCHEDULES.ours if SCHEDULES[other].warms])
            text = f"schedule {toml_text(name)} has no warm-up; remove it, or use schedule = {warming}"
            yield Mistake("training.warmup_steps", bare(warmups), text)
        if schedule.needs_warmup and not warmups and "training.warmup_steps" not in known.given:
            yield Mistake("training.schedule", name, "needs warmup_steps; write e.g. warmup_steps = 10")
    if warmups and steps and max(warmups) >= min(steps):
        text = f"as long as a training of {min(steps)} steps, which would never pass its peak; lower it"
        yield Mistake("training.warmup_steps", max(warmups), text)


def _precision(known: Known) -> Iterator[Mistake]:
    """Autocast is for passes that torch differentiates, and keeps weights in float32."""
    precision = known.one("training.precision")
    if precision is None:
        return
    for name in known.axis("model.kind"):
        if MODEL_KINDS[name].by_hand:
            text = f'kind "{name}" has derivatives by hand, in training.dtype alone; remove it'
            yield Mistake("training.precision", precision, text)
    for dtype in known.axis("training.dtype"):
        if dtype != "float32":
            yield Mistake("training.precision", precision, 'keeps weights in float32; use dtype = "float32"')


def _code(known: Known) -> Iterator[Mistake]:
    """Things of the user's own code: their modules must be there."""
    path, named = known.one("model.path"), 0
    for key in CODE_KEYS:
        for name in known.axis(f"training.{key}"):
            if not is_factory(name):
                continue
            named += 1
            if path is not None and source_of(module_of(name), path) is None:
                remedy = (
                    f"no module {module_of(name)} in the folder {Path(path).name} or installed; set model.path to it"
                )
                yield Mistake(f"training.{key}", name, remedy)
    if known.one("training.code_hash") is not None and not named:
        yield Mistake("training.code_hash", NO_VALUE, "is of code of your own, and no key names any; remove it")


CHECKS: tuple[Check, ...] = (
    _budget,
    _batches,
    _own_keys,
    _rates,
    _warmup,
    _precision,
    _code,
)
