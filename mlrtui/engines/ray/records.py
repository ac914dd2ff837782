"""What the driver's side of the engine and the relay send each other.

A worker of a slot has a number, counted from 1: what comes from an earlier worker of the slot than the present one is
dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mlrtui_trainer.remote import Description, Work
from mlrtui_trainer.spec import Dataset, Message

__all__ = ["Bury", "Data", "Died", "Job", "Note", "Place", "Ready", "Refused", "Sent", "Submit"]


class Place(NamedTuple):
    """A worker: its slot, and the how manieth it is there."""

    slot: int
    number: int


@dataclass(frozen=True)
class Job:
    """The first thing that the relay is told. ``devices``: "cpu" or "cuda" for each slot."""

    devices: tuple[str, ...]
    address: str | None  # None: a cluster of its own on this machine
    folder: str  # for the files of such a cluster
    patience: float  # s in which machines may join before a slot is given up for which no machine has space


@dataclass(frozen=True)
class Data:
    """A data set, sent once, before the first task that needs it."""

    dataset: Dataset


@dataclass(frozen=True)
class Submit:
    """A task for a worker that is ready."""

    place: Place
    work: Work


@dataclass(frozen=True)
class Bury:
    """Kill a worker and start the next one of its slot, unless ``last``."""

    place: Place
    last: bool


@dataclass(frozen=True)
class Ready:
    """A worker has imported what it needs."""

    place: Place
    found: Description


@dataclass(frozen=True)
class Sent:
    """Records of a worker; none: it lives."""

    place: Place
    messages: Sequence[Message]


@dataclass(frozen=True)
class Died:
    """A worker is gone. ``hopeless``: another one would be, too."""

    place: Place
    detail: str
    hopeless: bool = False


@dataclass(frozen=True)
class Note:
    """Something for the user to read, such as that fewer machines have come than were asked for."""

    text: str


@dataclass(frozen=True)
class Refused:
    """Nothing can run: no cluster there, another version; one line."""

    text: str


ToRelay = Job | Data | Submit | Bury
FromRelay = Ready | Sent | Died | Note | Refused | None
"""None: the relay lives."""
