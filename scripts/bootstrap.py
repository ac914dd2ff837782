"""Makes `.venv` and installs mlrtui into it, with the standard library alone: ``bootstrap.py [test] [check] …``.

A stamp in `.venv` says what it was made from; while that holds, a call ends at once. The stamp is written last, so an
interrupted installation is begun again. Where torch comes from, first match wins:

1. the variable MLRTUI_TORCH, taken as pip's arguments (``torch==2.9.1``, a wheel, an index option);
2. the torch of the Python that runs this script, which stays where it is and is only pointed to;
3. the line of constraints.txt.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python must get this far, and read this sentence
    found = f"{sys.version_info[0]}.{sys.version_info[1]} ({sys.executable})"
    sys.stderr.write(f"mlrtui needs Python 3.11 or newer, not {found}; name one: make run PYTHON=python3.12\n")
    sys.exit(2)

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import queue
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

OLDEST_TORCH = (2, 6)  # as in pyproject.toml
EXTRAS = ("check", "docs", "gpu", "oracle", "test")
STAMP = "mlrtui-stamp.json"
UNFINISHED = "mlrtui-unfinished"  # lies in an environment of ours from its first moment until its stamp is written
TORCH_PTH = "zz_mlrtui_torch.pth"
TELL_SECONDS = 3.0
QUIET_SECONDS = 10.0

Pip = Callable[[Path, Sequence[str]], None]  # environment, arguments of pip install


class SetupError(Exception):
    """A sentence for the user; the script ends with status 1."""


@dataclass(frozen=True)
class Torch:
    """Where torch comes from.

    ``requested``: ``what`` are pip's arguments. ``kept``: ``what`` is the calling Python's folder of packages.
    ``own``: the environment's own, else pinned. ``pinned``: constraints.txt.
    """

    how: str
    what: str = ""
    version: str = ""

    def sentence(self) -> str:
        """What is told to the user."""
        return {
            "requested": f"torch: as MLRTUI_TORCH says ({self.what})",
            "kept": f"torch: {self.version} of {self.what} is kept",
            "own": "torch: the one in this environment is kept",
            "pinned": "torch: as constraints.txt says",
        }[self.how]


@dataclass(frozen=True)
class Stamp:
    """What an environment was made from; equal stamps need no work."""

    place: str  # scripts in an environment name it by its absolute path
    python: str  # version and prefix of the Python that made it; "" for an environment that was there before us
    torch: Torch
    files: str  # SHA-256
    extras: tuple[str, ...]

    def remakes(self, other: "Stamp") -> bool:
        """Whether going from ``other`` to this takes a new environment, not only another installation."""
        return (self.place, self.python, self.torch) != (other.place, other.python, other.torch)


def found_torch() -> Torch | None:
    """The torch that the calling Python has, found without importing it (that takes seconds)."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None
    numbers = tuple(int(part) for part in version.split("+")[0].split(".")[:2] if part.isdigit())
    return Torch("kept", str(Path(spec.origin).parent.parent), version) if numbers >= OLDEST_TORCH else None


def choose_torch(requested: str, found: Torch | None, old: Torch | None) -> Torch:
    """The rule at the top of this file; what was requested once stays until another request."""
    if requested.strip():
        return Torch("requested", requested.strip())
    return old if old and old.how == "requested" else (found or Torch("pinned"))


def torch_works(python: Path) -> bool:
    """Whether ``python`` really imports torch: a folder can be there and broken."""
    return subprocess.run([python, "-c", "import torch"], capture_output=True, check=False).returncode == 0


def constraint_lines(text: str, torch: Torch) -> str:
    """constraints.txt, less the lines of torch and of its Triton where torch comes from somewhere else."""
    keep = torch.how == "pinned"
    return "".join(
        line for line in text.splitlines(keepends=True) if keep or not line.startswith(("torch==", "triton=="))
    )


def read_stamp(venv: Path) -> Stamp | None:
    """The stamp of a finished environment, or None."""
    try:
        fields = json.loads((venv / STAMP).read_text(encoding="utf-8"))
        return Stamp(**{**fields, "torch": Torch(**fields["torch"]), "extras": tuple(fields["extras"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def wanted_stamp(project: Path, extras: Iterable[str], python: str, torch: Torch, old: Stamp | None) -> Stamp:
    """What the environment should be: extras that it has are kept."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((project / name).read_bytes())
    return Stamp(
        place=str((project / ".venv").resolve()),
        python=python,
        torch=torch,
        files=digest.hexdigest(),
        extras=tuple(sorted({*extras, *(old.extras if old else ())})),
    )


def say(text: str) -> None:
    """One line of progress."""
    print(text, flush=True)


def run_pip(venv: Path, arguments: Sequence[str]) -> None:
    """Run pip in ``venv``; tells what it is at, at least every few seconds, and the end of its log if it fails."""
    command = [str(venv / "bin" / "python"), "-m", "pip", "--no-input", "install", "--progress-bar", "off", *arguments]
    log_path = venv / "mlrtui-install.log"
    begun = time.monotonic()
    lines: queue.Queue[str] = queue.Queue()
    with log_path.open("a", encoding="utf-8") as log, start(command) as process:
        reader = threading.Thread(target=pump, args=(process, lines), daemon=True)
        reader.start()
        tail, at, told = [""], "pip's start", begun
        while reader.is_alive() or not lines.empty():
            try:
                line = lines.get(timeout=QUIET_SECONDS).rstrip()
            except queue.Empty:
                line = ""
            else:
                log.write(line + "\n")
                tail = [*tail, line][-20:]
            words = line.split()
            if words[:1] in (["Collecting"], ["Downloading"]) or words[:2] == ["Installing", "collected"]:
                at = "the installation of what was collected" if words[0] == "Installing" else words[1]
            if time.monotonic() - told >= TELL_SECONDS:
                told = time.monotonic()
                say(f"  [{told - begun:4.0f} s] at {at}")
    if process.returncode != 0:
        raise SetupError("\n".join([*tail, f"pip failed; its whole log is {log_path}"]))


def start(command: Sequence[str]) -> "subprocess.Popen[str]":
    """A process whose output is read line by line."""
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


def pump(process: "subprocess.Popen[str]", lines: "queue.Queue[str]") -> None:
    """Move a process's output into a queue, until it ends; the last item is empty."""
    for line in process.stdout or ():
        lines.put(line)
    lines.put("")


def make_venv(venv: Path) -> None:
    """A new environment in place of whatever of ours lies there, marked as unfinished from the first moment on."""
    venv.mkdir(exist_ok=True)
    (venv / UNFINISHED).touch()
    (venv / STAMP).unlink(missing_ok=True)
    for entry in venv.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != UNFINISHED:
            entry.unlink()
    made = subprocess.run([sys.executable, "-m", "venv", str(venv)], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        shutil.rmtree(venv, ignore_errors=True)
        why = (made.stdout + made.stderr).strip()
        remedy = "on Debian and Ubuntu: apt install python3-venv"
        raise SetupError(f"{why}\n{sys.executable} cannot make a virtual environment; {remedy}")


def site_packages(venv: Path) -> Path:
    """Where ``venv`` keeps its packages."""
    command = [str(venv / "bin" / "python"), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


def install(project: Path, torch: Torch, extras: Sequence[str], pip: Pip) -> None:
    """Install ``project`` with ``extras`` into its environment; a kept torch is seen through a .pth file.

    Folders named in a .pth file come after the environment's own packages, so that ours win, and pip counts what lies
    there as installed. (A venv made with --system-site-packages from a venv does not see that venv's torch.)
    """
    venv = project / ".venv"
    if torch.how == "kept":
        (site_packages(venv) / TORCH_PTH).write_text(torch.what + "\n", encoding="utf-8")
    elif torch.how == "requested":
        pip(venv, shlex.split(torch.what))
    constraints = venv / "mlrtui-constraints.txt"
    text = (project / "constraints.txt").read_text(encoding="utf-8")
    constraints.write_text(constraint_lines(text, torch), encoding="utf-8")
    target = f"{project}[{','.join(extras)}]" if extras else str(project)
    pip(venv, ["--constraint", str(constraints), "--editable", target])
    if "oracle" in extras:
        drop_foreign_torchvision(venv / "bin" / "python")


def drop_foreign_torchvision(python: Path) -> None:
    """Remove a torchvision that is built for another torch: what asks for it does without, frameworks would break."""
    alone = "try:\n    import torch\nexcept ImportError:\n    raise SystemExit\nimport torchvision"
    if subprocess.run([python, "-c", alone], capture_output=True, check=False).returncode != 0:
        command = [str(python), "-m", "pip", "--no-input", "uninstall", "--quiet", "--yes", "torchvision"]
        subprocess.run(command, capture_output=True, check=False)


def ensure(
    project: Path,
    extras: Sequence[str],
    requested: str,
    found: Torch | None,
    pip: Pip = run_pip,
    works: Callable[[Path], bool] = torch_works,
) -> bool:
    """Bring the environment of ``project`` up to date; False: it was. Raises SetupError.

    ``requested`` is MLRTUI_TORCH, ``found`` the calling Python's torch. An environment that somebody else made is
    installed into and never removed.
    """
    venv = project / ".venv"
    unfinished = (venv / UNFINISHED).exists()
    old = None if unfinished else read_stamp(venv)
    inside = Path(sys.prefix).resolve() == venv.resolve()
    if inside and unfinished:
        raise SetupError(f"{venv} is half made and in use: leave it (deactivate), then try again")
    adopted = venv.exists() and not unfinished and (old is None or old.python == "")
    broken = not (venv / "bin" / "python").exists()
    if adopted and broken:
        raise SetupError(f"{venv} is there but no virtual environment of a Python that works: move it away")
    torch = choose_torch(requested, found, old.torch if old else None)
    python = f"{sys.version.split()[0]} {sys.prefix}"
    if adopted:
        python, torch = "", torch if torch.how == "requested" else Torch("own")
    elif inside and old is not None:
        python, torch = old.python, torch if torch.how == "requested" else old.torch
    wanted = wanted_stamp(project, extras, python, torch, old)
    if old == wanted and not broken:
        return False

    begun = time.monotonic()
    if torch.how == "kept" and not works(Path(sys.executable)):
        say(f"mlrtui: torch {torch.version} of {torch.what} cannot be imported")
        torch = Torch("pinned")
    elif torch.how == "own" and not works(venv / "bin" / "python"):
        torch = Torch("pinned")
    if adopted:
        say(f"mlrtui: installing into the environment that is there: {venv}")
    elif not inside and (old is None or broken or wanted.remakes(old)):
        say(f"mlrtui: making {venv} with Python {python}")
        make_venv(venv)
    say(f"mlrtui: {torch.sentence()}")
    say("mlrtui: installing; the first time takes a minute or a few, mostly for torch")
    (venv / STAMP).unlink(missing_ok=True)
    if not adopted:
        (venv / UNFINISHED).touch()
    install(project, torch, wanted.extras, pip)
    (venv / STAMP).write_text(json.dumps(asdict(wanted), indent=1), encoding="utf-8")
    (venv / UNFINISHED).unlink(missing_ok=True)
    say(f"mlrtui: ready after {time.monotonic() - begun:.0f} s")
    return True


def main(arguments: Sequence[str]) -> int:
    """Run the script; returns its exit status."""
    unknown = [name for name in arguments if name not in EXTRAS]
    if unknown:
        print(f"bootstrap.py: no such extra: {', '.join(unknown)}; there are: {', '.join(EXTRAS)}", file=sys.stderr)
        return 2
    try:
        ensure(Path(__file__).resolve().parent.parent, arguments, os.environ.get("MLRTUI_TORCH", ""), found_torch())
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nmlrtui: interrupted; the same command begins the installation again", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
