"""What [data] must not say together with other keys: packages, files, sample counts, targets, the held-out part."""

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from itertools import product
from pathlib import Path

from mlrtui.config.checks.known import Check, Known
from mlrtui.config.mistakes import NO_VALUE, Mistake
from mlrtui.data.npz import CHANNELS_FIRST, LAYOUTS, layout_of
from mlrtui.data.shapes import FILES, TEST, DataSpec, describe, refuse_one_class, source_of
from mlrtui.data.sources import DataTrouble
from mlrtui_trainer.models.kinds import MODEL_KINDS

__all__ = ["CHECKS"]

_TEST_ELSEWHERE = Mistake("data.validation", TEST, 'is for name = "npz", with arrays x_test and y_test; give a share')


def _targets(known: Known) -> Iterator[Mistake]:
    if "tokens" in known.axis("data.target") or any(_has_tokens(known, name) for name in known.axis("data.name")):
        yield from _tokens(known)
    if "parity" in known.axis("data.target"):
        for loss in known.class_losses:
            yield Mistake("training.loss", loss, 'target = "parity" has one output of ±1; use loss = "mse"')


def _has_tokens(known: Known, name: str) -> bool:
    source = known.source(name)
    return source is not None and source.tokens > 0 and name not in FILES


def _tokens(known: Known) -> Iterator[Mistake]:
    """What goes with a class for each token."""
    for name in known.axis("data.name"):
        source = known.source(name)
        if source is not None and not source.tokens:
            remedy = f'data "{name}" has one target a sample; use target = "classes"'
            yield Mistake("data.target", "tokens", remedy)
        if "data.target" in known.given and _has_tokens(known, name):
            for target in known.axis("data.target"):
                if target != "tokens":
                    yield Mistake("data.target", target, f'data "{name}" has a class for each token; use "tokens"')
    for how in known.axis("data.standardize"):
        if "data.standardize" in known.given and how != "none":
            yield Mistake("data.standardize", how, 'tokens are numbers of words; use "none" or remove it')
    for kind in known.axis("model.kind"):
        if not MODEL_KINDS[kind].is_tried:
            text = (
                'has one output vector a sample, not one a token; use a module of your own ("package.module:factory")'
            )
            yield Mistake("model.kind", kind, text)


def _packages(known: Known) -> Iterator[Mistake]:
    for name in known.axis("data.name"):
        source = known.source(name)
        if source is not None and source.package and find_spec(source.package) is None:
            remedy = f"needs the package {source.package}, which is not installed; pip install 'mlrtui[{source.extra}]'"
            yield Mistake("data.name", name, remedy)


def _one_sample(known: Known) -> Iterator[Mistake]:
    """What goes with data "unit", whose target is a number."""
    if "unit" not in known.axis("data.name"):
        return
    if "data.target" in known.given:
        for target in known.axis("data.target"):
            yield Mistake("data.target", target, 'data "unit" has its own target, y = 0; remove it')
    for how in known.axis("data.standardize"):
        if "data.standardize" in known.given and how != "none":
            yield Mistake("data.standardize", how, 'data "unit" has one sample; use "none" or remove it')
    if "mlp" in known.axis("model.kind"):
        yield Mistake("model.kind", "mlp", 'data "unit" is for the solvable model; use kind = "two-layer-linear"')
    for loss in known.class_losses:
        yield Mistake("training.loss", loss, 'data "unit" has a real-valued target; use loss = "mse"')
    for batch in known.axis("training.batch"):
        if batch not in {"full", 1}:
            yield Mistake("training.batch", batch, 'data "unit" has one sample; use batch = "full"')
    if "search" in known.given and known.one("search.success") == "accuracy":
        yield Mistake(
            "search.success",
            "accuracy",
            'data "unit" has a real-valued target and no accuracy; use "loss-below-initial" or "finite"',
        )


def _samples(known: Known) -> Iterator[Mistake]:
    """Sample counts against what the data sets have, and batches against sample counts."""
    asked = known.axis("data.samples")
    for name, samples in product(known.axis("data.name"), asked):
        source = known.source(name)
        if samples == "all" or source is None:
            continue
        if samples > source.most:
            yield Mistake("data.samples", samples, f'data "{name}" has {source.most} samples; use that or "all"')
        if samples == source.samples and "all" in asked:
            yield Mistake("data.samples", samples, f'data "{name}" has just so many, as "all" says; keep one of them')
        if samples == 1 and name != "unit" and {"global", "feature"} & set(known.axis("data.standardize")):
            yield Mistake(
                "data.samples", 1, 'standardised by itself it is zero; use 2 or more, or standardize = "none"'
            )


def _places(known: Known) -> Iterator[Mistake]:
    """``path`` and ``which`` go with data in files, and only with it."""
    names, path, which = known.axis("data.name"), known.one("data.path"), known.one("data.which")
    in_files = [name for name in names if name in FILES]
    if in_files and path is None and "data.path" in known.values:
        yield Mistake("data.path", NO_VALUE, f'missing; data "{in_files[0]}" lies in files, write e.g. path = "my.npz"')
    if len(in_files) > 1:
        yield Mistake("data.name", list(names), "npz is a file and torchvision a folder, but path is one; keep one")
    if path is not None and names and not in_files:
        yield Mistake("data.path", Path(path).name, 'only data "npz" and "torchvision" lie in files; remove it')
    if "torchvision" in names and which is None and "data.which" in known.values:
        yield Mistake("data.which", NO_VALUE, 'missing; write e.g. which = "MNIST"')
    if which is not None and names and "torchvision" not in names:
        yield Mistake("data.which", which, 'only for name = "torchvision"; remove it')


def _files(known: Known) -> Iterator[Mistake]:
    """What is wrong with the files themselves."""
    in_files = [name for name in known.axis("data.name") if name in FILES]
    path, which = known.one("data.path"), known.one("data.which")
    if len(in_files) != 1 or path is None or (in_files[0] != "npz" and which is None):
        return
    share = known.one("data.validation") or 0.0
    if share == TEST and in_files[0] != "npz":
        yield _TEST_ELSEWHERE
        return
    wanted = DataSpec(in_files[0], path=path, which=which or "", validation=share)
    try:
        most = source_of(wanted).most
        for samples, target in product(known.axis("data.samples"), known.axis("data.target")):
            if samples == "all" or samples <= most:  # more are told by themselves
                refuse_one_class(replace(wanted, samples=samples, target=target))
    except DataTrouble as trouble:
        yield Mistake("data.path", Path(path).name, str(trouble))


def _layout(known: Known) -> Iterator[Mistake]:
    """Which axis of images in a file counts the channels; asked for where it matters and the sizes leave a doubt."""
    layout, names = known.one("data.layout"), known.axis("data.name")
    if layout is not None and names and "npz" not in names:
        yield Mistake("data.layout", layout, 'only for name = "npz"; remove it')
    source = known.source("npz") if "npz" in names else None
    if source is None:
        return
    shape = source.raw_shape
    if layout is not None and len(shape) != 4:
        yield Mistake("data.layout", layout, f"x of the file is {list(shape)}, not [samples, ., ., .]; remove it")
    needs = [kind for kind in known.axis("model.kind") if MODEL_KINDS[kind].images]
    if len(shape) == 4 and layout is None and needs and layout_of(shape) != CHANNELS_FIRST:
        first, last = (f'layout = "{way}"' for way in LAYOUTS)
        rows, columns = shape[1:3]
        text = (
            f"missing; x of the file is {list(shape)}, and a {needs[0]} must know which axis counts the channels: "
            f"write {last} for {shape[3]} channels of {rows}x{columns} pixels, or {first} for {shape[1]} of "
            f"{shape[2]}x{shape[3]}"
        )
        yield Mistake("data.layout", NO_VALUE, text)


def _real_targets(known: Known) -> Iterator[Mistake]:
    """Data whose own targets are real numbers has no classes. Of the built-in sets only "unit" is, told by itself."""
    source = known.source("npz") if "npz" in known.axis("data.name") else None
    if source is None or source.classes:
        return
    if "data.target" in known.given:
        for target in known.axis("data.target"):
            yield Mistake("data.target", target, "y of the file is real-valued, a target of its own; remove it")
    for loss in known.class_losses:
        yield Mistake(
            "training.loss", loss, 'y of the file is real-valued; use loss = "mse", or save class numbers as int64'
        )
    if "search" in known.given and known.one("search.success") == "accuracy":
        remedy = 'y of the file is real-valued, without accuracy; use "loss-below-initial" or "finite"'
        yield Mistake("search.success", "accuracy", remedy)


def _held_out(known: Known) -> Iterator[Mistake]:
    """A held-out part goes with a search that looks at it."""
    table = "search" if "search" in known.given else "scan"
    share, on = known.one("data.validation"), known.one(f"{table}.on")
    looks = table in known.given and on == "validation"
    if share == TEST and known.axis("data.name") != ("npz",):
        if not set(known.axis("data.name")) & set(FILES):  # else told with the files
            yield _TEST_ELSEWHERE
        return
    if share is None:
        if looks and "data.validation" in known.values:
            yield Mistake(f"{table}.on", on, "no samples are held out; write e.g. validation = 0.2 under [data]")
        return
    if table in known.given and not looks:
        where = 'set on = "validation"' if table == "search" else 'set on = "validation" under [scan]'
        yield Mistake("data.validation", share, f"nothing looks at these samples; {where}, or remove it")
    success = known.one("search.success") if table == "search" else None
    if looks and success in {"loss-below-initial", "finite"}:
        yield Mistake("search.on", on, f'success = "{success}" looks at no accuracy; remove it, and data.validation')
    for name, samples in product(known.axis("data.name"), known.axis("data.samples")):
        source = known.source(name)
        if source is None or (samples != "all" and samples > source.most):
            continue
        path, which = known.one("data.path") or "", known.one("data.which") or ""
        try:
            target = "tokens" if source.tokens else "classes"
            shape = describe(DataSpec(name, samples, target, path=path, which=which, validation=share))
        except DataTrouble:
            continue  # told by itself
        if (share != TEST and shape.held_out < 1) or shape.samples < 2:
            parts = f"of {shape.samples + shape.held_out} samples of {name}, {shape.held_out} would be held out"
            yield Mistake("data.validation", share, f"{parts}; choose another share, or more samples")


CHECKS: tuple[Check, ...] = (
    _targets,
    _packages,
    _one_sample,
    _samples,
    _places,
    _files,
    _layout,
    _real_targets,
    _held_out,
)
