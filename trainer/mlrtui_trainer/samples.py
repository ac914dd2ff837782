"""Samples on a device: those that train, in the order in which each lane sees them, and those held out."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mlrtui_trainer.seeds import generator
from mlrtui_trainer.spec import Dataset

__all__ = ["Batch", "Batches", "EpochRows", "Samples", "one_hot"]


class Batch(NamedTuple):
    """Samples of all lanes; a first dimension of 1: shared by all of them.

    A row is a sample; where every token of a sample has a class of its own, a token.
    """

    x: Tensor  # [lanes or 1, samples, inputs]
    y: Tensor  # [lanes or 1, rows, outputs]
    labels: Tensor  # [lanes or 1, rows, 1]


class EpochRows(NamedTuple):
    """What the steps of an epoch see, from one of them on."""

    arrays: Batch  # [orders, rows, ...]
    slots: list[int]  # each lane's order
    first: int  # row at which the step starts


@dataclass(frozen=True)
class Samples:
    """Samples as tensors."""

    kind: str  # "classes" | "tokens" | "sign" | "regression"
    x: Tensor  # [samples, inputs]
    y: Tensor  # [samples, outputs]; of tokens the class numbers
    labels: Tensor  # [samples, 1], class numbers; [samples, tokens]
    classes: int = 0  # of tokens

    @classmethod
    def of(cls, data: Dataset, dtype: torch.dtype, device: str) -> "Samples":
        """Copy the training samples of a data set to a device."""
        return cls._rows(data, slice(len(data.x) - data.held_out), dtype, device)

    @classmethod
    def held_out(cls, data: Dataset, dtype: torch.dtype, device: str) -> "Samples":
        """Copy those that are held out for validation."""
        return cls._rows(data, slice(len(data.x) - data.held_out, None), dtype, device)

    @classmethod
    def _rows(cls, data: Dataset, rows: slice, dtype: torch.dtype, device: str) -> "Samples":
        # copied: where NumPy's memory starts within a line would change the bits
        x, y = (torch.from_numpy(a[rows]).to(dtype, copy=True).to(device) for a in (data.x, data.y))
        labels = torch.from_numpy(data.labels[rows]).to(device)
        if data.kind == "tokens":
            return cls(data.kind, x, labels, labels, data.classes)
        return cls(data.kind, x, y, labels[:, None])

    @property
    def count(self) -> int:
        """Number of samples."""
        return self.x.shape[0]

    def first(self, count: int) -> "Samples":
        """The first so many samples; all where there are fewer."""
        return replace(self, x=self.x[:count], y=self.y[:count], labels=self.labels[:count])

    def to(self, dtype: torch.dtype) -> "Samples":
        """The same samples in another precision."""
        return replace(self, x=self.x.to(dtype), y=self.y if self.classes else self.y.to(dtype))

    @property
    def rows(self) -> int:
        """Rows of a sample: its tokens, or 1."""
        return self.labels.shape[1]

    @property
    def stored(self) -> Batch:
        """Every sample as it lies here, in the order of the data set, shared by all lanes."""
        return Batch(self.x[None], self.y[None], self.labels[None])

    @property
    def all(self) -> Batch:
        """Every sample, in the order of the data set, shared by all lanes."""
        return self.batch(self.stored)

    def part(self, first: int, count: int) -> Batch:
        """So many samples from one on, shared by all lanes; fewer at the end."""
        return self.batch(Batch(*(a[:, first : first + count] for a in self.stored)))

    def batch(self, some: Batch) -> Batch:
        """Samples as they lie here, by rows."""
        if not self.classes:
            return some
        return Batch(some.x, one_hot(some.labels, self.classes, some.x.dtype), some.labels.flatten(1)[..., None])


def one_hot(labels: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """Class numbers [lanes, samples, tokens] → [lanes, samples · tokens, classes]."""
    return torch.nn.functional.one_hot(labels.flatten(1), classes).to(dtype)


@lru_cache(maxsize=256)
def _order(seed: int, epoch: int, count: int) -> npt.NDArray[np.int32]:
    """The samples' order in an epoch; kept, since a sweep asks for the same few at every rate and in every cell."""
    order = generator(seed, "order", epoch).permutation(count).astype(np.int32)
    order.flags.writeable = False
    return order


class Batches:
    """What every lane sees at every step: a permutation of all samples per (seed, epoch), cut into whole batches.

    A full batch is never permuted. ``first``: the step of the whole training that step 0 here is, of forks.
    """

    def __init__(self, samples: Samples, seeds: list[int], batch: int, steps_per_epoch: int, first: int = 0) -> None:
        self._samples, self._batch, self._steps, self._first = samples, batch, steps_per_epoch, first
        self._seeds = seeds
        self._epoch = -1
        self._arrays: Batch = samples.stored
        self._slot: Tensor | None = None  # row of the arrays for every lane; None: the arrays fit as they are

    @property
    def full(self) -> bool:
        """Whether every step sees all samples."""
        return self._batch == self._samples.count

    def at(self, step: int) -> Batch:
        """The batches of all lanes at a step."""
        if self.full:
            return self._samples.all
        epoch, place = divmod(self._first + step, self._steps)
        if epoch != self._epoch:
            self._permute(epoch)
        rows = slice(place * self._batch, (place + 1) * self._batch)
        x, y, labels = (a[:, rows] for a in self._arrays)
        if self._slot is not None:
            x, y, labels = x[self._slot], y[self._slot], labels[self._slot]
        return self._samples.batch(Batch(x, y, labels))

    def steps_to_epoch(self, step: int) -> int:
        """Steps from this one to the end of its epoch; a whole epoch where it is the first one."""
        return self._steps - (self._first + step) % self._steps

    def ends_epoch(self, step: int) -> bool:
        """Whether an epoch has ended just before a step."""
        return (self._first + step) % self._steps == 0

    @property
    def epoch(self) -> int:
        """Whose order `block` gave last."""
        return self._epoch

    @property
    def size(self) -> int:
        """Samples a step."""
        return self._batch

    def block(self, step: int) -> EpochRows:
        """What the steps of this step's epoch see.

        A later step of the epoch sees the next ``size`` rows; where all samples are in a batch, the same.
        """
        if self.full:
            return EpochRows(self._samples.all, [0] * len(self._seeds), 0)
        epoch, place = divmod(self._first + step, self._steps)
        if epoch != self._epoch:
            self._permute(epoch)
        slots = [self._distinct.index(seed) for seed in self._seeds]
        return EpochRows(self._arrays, slots, place * self._batch)

    def keep(self, lanes: list[int]) -> None:
        """Forget all lanes but those with these numbers."""
        self._seeds = [self._seeds[i] for i in lanes]
        self._place()

    def _permute(self, epoch: int) -> None:
        used = self._steps * self._batch
        distinct = list(dict.fromkeys(self._seeds))
        orders = [_order(seed, epoch, self._samples.count)[:used] for seed in distinct]
        index = torch.from_numpy(np.concatenate(orders)).to(self._samples.x.device)
        shape = (len(distinct), used)
        with torch.inference_mode(False):  # the same memory every epoch, whoever asks: fresh memory costs as much again
            if self._epoch < 0 or self._arrays.x.shape[:2] != shape:  # before the first epoch: the samples themselves
                x, y, labels = (a.new_empty(*shape, a.shape[-1]) for a in self._samples.stored)
                self._arrays = Batch(x, y, labels)
            for a, ordered in zip(self._samples.stored, self._arrays, strict=True):
                torch.index_select(a[0], 0, index, out=ordered.flatten(0, 1))
        self._epoch, self._distinct = epoch, distinct
        self._place()

    def _place(self) -> None:
        if self._epoch < 0:
            return
        slots = [self._distinct.index(seed) for seed in self._seeds]
        shared = len(self._distinct) == 1 or slots == list(range(len(self._distinct)))
        self._slot = None if shared else torch.tensor(slots, device=self._samples.x.device)
