"""Calling a user's code: random generators seeded and put back, and whatever it raises said as one sentence."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from mlrtui_trainer.curvature.double_backward import uncompiled
from mlrtui_trainer.raised import said_in_short
from mlrtui_trainer.seeds import generator

__all__ = ["FactoryError", "as_factory_error", "eagerly", "keyed", "seeded"]


class FactoryError(Exception):
    """What is wrong with a factory or with what it made, as one sentence."""


@contextmanager
def as_factory_error(what: str) -> Iterator[None]:
    """Whatever the user's code raises, said with what it was doing."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError, FactoryError):
        raise
    except BaseException as error:  # SystemExit too: the worker must live
        raise FactoryError(f"{what} raised {said_in_short(error)}") from None


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """The global generators of torch, NumPy and Python as the initial weights of a seed find them.

    They are the caller's again at the end, and so is torch's default precision.
    """
    dtype = torch.get_default_dtype()
    count = torch.cuda.device_count() if torch.cuda.is_initialized() else 0  # type: ignore[no-untyped-call]
    with _drawing(generator(seed, "weights"), range(count)), torch.inference_mode(False), torch.enable_grad():
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)


@contextmanager
def keyed(device: torch.device, seed: int, *index: int) -> Iterator[None]:
    """The global generators of torch, NumPy and Python, keyed by a seed and numbers; the caller's again at the end."""
    with _drawing(generator(seed, "noise", *index), [device] if device.type == "cuda" else ()):
        yield


@contextmanager
def _drawing(drawn: np.random.Generator, devices: Iterable[int | torch.device]) -> Iterator[None]:
    """The global generators seeded by this one; of torch those of the CPU and of these devices."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(int(drawn.integers(2**63)))
        random.seed(int(drawn.integers(2**63)))
        np.random.seed(int(drawn.integers(2**32)))
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


@contextmanager
def eagerly(dtype: torch.dtype) -> Iterator[None]:
    """A forward pass of the user's in this precision: compiled modules run as they were written.

    Tensors that the forward pass makes itself have the precision of its input.
    """
    before = torch.get_default_dtype()
    with uncompiled():
        torch.set_default_dtype(dtype)
        try:
            yield
        finally:
            torch.set_default_dtype(before)
