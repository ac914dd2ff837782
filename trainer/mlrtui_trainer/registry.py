"""Things by name: optimizers, losses, models, measures, engines. One shape for all of them, open to other packages.

    OPTIMIZERS = Registry[OptimizerSpec]("optimizer", group="mlrtui.optimizers")
    OPTIMIZERS.register("sgd", OptimizerSpec(...))
    OPTIMIZERS["sgd"]

Another package adds one by an entry point of the group, whose value names the object: ``mine = "my_package:SPEC"``. It
is imported when it is first asked for, and one that cannot be imported is reported by name, never silently missing.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

__all__ = ["CODE", "Registry", "UnknownNameError", "names_code"]

CODE = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"
"""How a thing of the user's own code is named: "package.module:thing"."""

T = TypeVar("T")


def names_code(name: str) -> bool:
    """Whether a name is that of the user's own code.

    >>> names_code("my_nets.big:make"), names_code("mlp")
    (True, False)
    """
    return re.fullmatch(CODE, name) is not None


class UnknownNameError(ValueError):
    """No such name, or what bears it cannot be loaded. The text is one line, for people."""


class Registry(Mapping[str, T], Generic[T]):
    """Specs by name, in the order in which they were registered; those of entry points come last, by name."""

    def __init__(
        self,
        kind: str,
        group: str | None = None,
        own: Callable[[str], T] | None = None,
        is_own: Callable[[str], bool] = names_code,
    ) -> None:
        """``kind`` is what one of them is called, as in "optimizer"; ``group`` the entry points that add to them.

        ``own`` says what is known of "package.module:thing" of the user's code before that code is run; with it such
        names are known too, though not listed. ``is_own``: another form of names that tell what they mean.
        """
        self.kind, self.group, self._own, self._named_so = kind, group, own, is_own
        self._here: dict[str, T] = {}
        self._here_of_code: dict[str, T] = {}
        self._elsewhere: dict[str, EntryPoint] | None = None

    def register(self, name: str, spec: T) -> T:
        """Add one. Raises ValueError for a name that is taken."""
        if name in self._here:
            raise ValueError(f"{self.kind} {name!r} is registered already")
        self._here[name] = spec
        return spec

    def admit(self, name: str, spec: T) -> None:
        """Put what running the user's code gave in the place of what was known before."""
        self._here_of_code[name] = spec

    def entry(self, name: str) -> Callable[[T], T]:
        """`register` as a decorator: of a function or a class that is the spec itself."""
        return lambda spec: self.register(name, spec)

    def remove(self, name: str) -> None:
        """Take one away that was registered here; for tests that add one."""
        del self._here[name]

    @property
    def ours(self) -> tuple[str, ...]:
        """The names that were registered here, in their order: without those of other packages."""
        return tuple(self._here)

    def __getitem__(self, name: str) -> T:
        """The spec of this name.

        Raises:
            UnknownNameError: there is none, or the package that has it cannot be imported.
        """
        if name in self._here:
            return self._here[name]
        if self._is_own(name):
            assert self._own is not None
            return self._here_of_code[name] if name in self._here_of_code else self._own(name)
        point = self._points().get(name)
        if point is None:
            raise UnknownNameError(f"{self.kind} {name!r} is not known; use one of {', '.join(self)}")
        try:
            spec: T = point.load()
        except Exception as error:
            text = f"{self.kind} {name!r} of {point.value} cannot be loaded: {type(error).__name__}: {error}"
            raise UnknownNameError(text) from error
        self._here[name] = spec
        return spec

    def __iter__(self) -> Iterator[str]:
        yield from self._here
        yield from sorted(self._points().keys() - self._here.keys())

    def __len__(self) -> int:
        return len(self._here.keys() | self._points().keys())

    def __contains__(self, name: object) -> bool:
        return name in self._here or self._is_own(name) or name in self._points()

    def _is_own(self, name: object) -> bool:
        return self._own is not None and isinstance(name, str) and self._named_so(name)

    def _points(self) -> dict[str, EntryPoint]:
        if self._elsewhere is None:
            found = entry_points(group=self.group) if self.group else ()
            self._elsewhere = {point.name: point for point in found}
        return self._elsewhere
