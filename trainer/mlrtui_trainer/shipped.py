"""Sources of the user's own code that go with a task to a machine which does not have them.

Sent is the package of the module that a task names, or, for a module that is a single file, all modules beside it.
Where the machine has the same source at the same path, that is used: files of data may lie beside it.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from mlrtui_trainer.models.sources import module_of, source_hash, source_of
from mlrtui_trainer.spec import Probe, Round, Rounds

__all__ = ["SourceFiles", "TooLargeError", "packed", "unpacked"]

LARGEST = 4 << 20
"""Bytes of sources that are sent; more is no code of an experiment."""


class TooLargeError(ValueError):
    """A folder holds more sources than are sent; one line, for people."""


@dataclass(frozen=True)
class SourceFiles:
    """Modules of one folder. ``module`` must have a source with this hash, of which the task speaks."""

    module: str
    code_hash: str
    folder: str
    files: tuple[tuple[str, bytes], ...]  # path in the folder, with "/", and content

    @property
    def digest(self) -> str:
        """Of names and contents."""
        content = sha256()
        for name, source in self.files:
            content.update(f"{name}\0{len(source)}\0".encode() + source)
        return content.hexdigest()[:16]


def packed(task: Round | Rounds | Probe) -> tuple[SourceFiles, ...]:
    """The sources that a task names and that lie in a folder of the user's; none for installed packages.

    Raises:
        TooLargeError: they have more than 4 MB.
    """
    return tuple(_packed(*named) for named in dict.fromkeys(_named(task)) if _in_folder(*named[::2]))


def unpacked(task: Round | Rounds | Probe, files: Iterable[SourceFiles]) -> Round | Rounds | Probe:
    """The task with folders that exist on this machine."""
    if isinstance(task, Rounds):
        sources = tuple(files)
        parts = (unpacked(one, sources) for one in task.rounds)
        return replace(task, rounds=tuple(one for one in parts if isinstance(one, Round)))
    folders: dict[str, str] = {}
    for some in files:
        origin = source_of(some.module, some.folder)
        if origin is None or not origin.is_relative_to(some.folder) or source_hash(origin) != some.code_hash:
            folders[some.folder] = str(_written(some))
    net = replace(task.net, code_path=folders.get(task.net.code_path, task.net.code_path))
    train = replace(task.train, code_path=folders.get(task.train.code_path, task.train.code_path))
    return replace(task, net=net, train=train)


def _named(task: Round | Rounds | Probe) -> Iterator[tuple[str, str, str]]:
    """Module, hash and folder of each thing."""
    if isinstance(task, Rounds):
        for one in task.rounds:
            yield from _named(one)
        return
    if task.net.code_hash:
        yield module_of(task.net.kind), task.net.code_hash, task.net.code_path
    for name, code_hash in task.train.code:
        yield module_of(name), code_hash, task.train.code_path


def _in_folder(module: str, folder: str) -> bool:
    origin = source_of(module, folder)
    return origin is not None and origin.is_relative_to(folder)


def _packed(module: str, code_hash: str, folder: str) -> SourceFiles:
    root = Path(folder)
    package = root / module.partition(".")[0]
    found = package.rglob("*.py") if package.is_dir() else root.glob("*.py")
    files, size = [], 0
    for path in sorted(found):
        source = path.read_bytes()
        size += len(source)
        if size > LARGEST:
            raise TooLargeError(
                f"{module}: more than {LARGEST >> 20} MB of Python sources beside it in {package.parent}; "
                "keep it in a package of its own, or install it on every machine"
            )
        files.append((path.relative_to(root).as_posix(), source))
    return SourceFiles(module, code_hash, folder, tuple(files))


def _written(some: SourceFiles) -> Path:
    """A folder with these files, made once. Beside this package where Ray has put it: Ray clears that away."""
    here = Path(__file__).parents[1]
    base = here if "runtime_resources" in here.parts else Path(tempfile.gettempdir())
    target = base / f"mlrtui-sources-{some.digest}"
    if target.is_dir():
        return target
    making = Path(tempfile.mkdtemp(prefix=target.name, dir=base))
    for name, source in some.files:
        path = making / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source)
    try:
        os.rename(making, target)
    except OSError:  # another worker was first
        return target if target.is_dir() else making
    return target
