"""The training function that a sweep names: found, imported and called. Who starts the sweep has allowed it before."""

import importlib
import sys
from collections.abc import Callable, Mapping
from inspect import Parameter, signature

from mlrtui_trainer.loops.reports import LoopError, LoopSpec
from mlrtui_trainer.models.sources import origin_of
from mlrtui_trainer.raised import said_in_short

__all__ = ["Train", "called_with", "imported"]

Train = Callable[[float, Callable[..., bool], int], object]
"""A training of a learning rate, its report and a seed; what it returns is not used."""


def imported(loop: LoopSpec) -> Callable[..., object]:
    """The function, from the source that the sweep was planned with; its folder comes last on the import path.

    Raises:
        LoopError: there is none, it has changed, or importing it raised.
    """
    module, _, attribute = loop.name.partition(":")
    origin = origin_of(loop.name, loop.path, loop.code_hash, LoopError)
    if loop.path not in sys.path:
        sys.path.append(loop.path)
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except MemoryError:
        raise
    except BaseException as error:  # SystemExit too: it is told like any other
        raise LoopError(f"{loop.name}: importing {origin} raised {said_in_short(error)}") from error
    if not callable(found):
        raise LoopError(f"{loop.name}: {origin} has no function {attribute!r}")
    return found  # type: ignore[no-any-return]


def called_with(train_fn: Callable[..., object], arguments: Mapping[str, object]) -> Train:
    """``train_fn(lr, report, seed, **arguments)``, called with a seed if it takes one.

    It takes one by the name ``seed``, or as a third argument that it must have. A third argument with another name and
    a default is something of the user's own, which a seed must not replace.

    Raises:
        LoopError: it is no function, cannot take these arguments, or must have others.
    """
    if not callable(train_fn):
        raise LoopError(f"train_fn is {train_fn!r}: use a function train_fn(lr, report, seed)")
    named = dict(arguments)
    try:
        parameters = signature(train_fn).parameters
    except ValueError:  # built in
        return lambda lr, report, seed: train_fn(lr, report, seed, **named)
    by_name = {name for name, one in parameters.items() if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD)}
    takes_any = any(one.kind is Parameter.VAR_KEYWORD for one in parameters.values())
    positional = [one for one in parameters.values() if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    unknown = [name for name in named if not takes_any and name not in by_name]
    if unknown:
        takes = ", ".join(parameters)
        raise LoopError(f"takes no argument {unknown[0]!r}: it is {_name(train_fn)}({takes})")
    third = positional[2] if len(positional) >= 3 else None
    third_is_seed = third is not None and third.default is Parameter.empty and third.name not in named
    takes_rest = any(one.kind is Parameter.VAR_POSITIONAL for one in parameters.values())
    given = {*named, *(one.name for one in positional[:2]), "seed", *([third.name] if third and third_is_seed else [])}
    missing = [
        name
        for name, one in parameters.items()
        if one.default is Parameter.empty
        and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
        and name not in given
    ]
    if missing:
        raise LoopError(f"must be given {missing[0]!r}, which is no argument of the sweep: {_name(train_fn)} needs it")
    if "seed" in by_name:
        return lambda lr, report, seed: train_fn(lr, report, seed=seed, **named)
    if third_is_seed or takes_rest:
        return lambda lr, report, seed: train_fn(lr, report, seed, **named)
    return lambda lr, report, seed: train_fn(lr, report, **named)


def _name(train_fn: Callable[..., object]) -> str:
    return str(getattr(train_fn, "__name__", "train_fn"))
