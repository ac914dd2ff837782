"""What of a worker's machine may change the last digits of its numbers."""

import importlib.metadata
from collections.abc import Iterator
from contextlib import suppress

from mlrtui_trainer.remote import Description

__all__ = ["differences"]

_LIKE_OURS = ("torch", "numpy")  # versions, compared with the driver's
_LIKE_THE_FIRST = ("name", "steps and sharpness", "steps", "cuda", "python")


def differences(found: Description, first: Description) -> Iterator[str]:
    """A sentence for each way in which a worker differs from this machine, or from the first worker that came."""
    for package in _LIKE_OURS:
        with suppress(importlib.metadata.PackageNotFoundError):
            ours, theirs = importlib.metadata.version(package), found.env.get(package, "")
            if _public(ours) != _public(theirs):
                yield f"{found.host} has {package} {theirs}, the driver {ours}: numbers may differ in their last digits"
    for key in _LIKE_THE_FIRST:
        one, other = found.env.get(key), first.env.get(key)
        if one != other:
            yield (
                f"{found.host} has {key} {one!r}, {first.host} {other!r}: "
                "a net near its edge may get another η* where it is trained on the other"
            )


def _public(version: str) -> str:
    """Without the build: 2.9.0+cpu and 2.9.0+cu128 are the same version."""
    return version.partition("+")[0]
