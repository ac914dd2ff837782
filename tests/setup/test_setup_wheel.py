"""The built wheel, in an environment of its own, beside foreign packages called `trainer` and `db`."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.metadata import Metadata

from mlrtui.version import __version__

pytestmark = pytest.mark.wheel

ROOT = Path(__file__).resolve().parents[2]
TORCH = "from importlib.metadata import distribution as d; print(d('torch').version, d('torch').locate_file(''))"


def run(command: Sequence[str | Path], cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run with none of this process's Python settings, so that only what is installed can be imported."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )


def succeed(command: Sequence[str | Path], cwd: Path) -> str:
    done = run(command, cwd)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Installed:
    """An environment with the wheel in it, and a folder of a user's."""

    python: Path
    site: Path
    work: Path

    @property
    def mlrtui(self) -> Path:
        return self.python.parent / "mlrtui"

    def pip(self, *arguments: str | Path) -> None:
        succeed([sys.executable, "-m", "pip", "--python", self.python, *arguments], self.work)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    succeed([sys.executable, "-P", "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT], out)
    (built,) = out.glob("*.whl")
    return built


def foreign_wheel(folder: Path, name: str) -> Path:
    """A wheel of somebody else's, made by hand: one top-level package called ``name``."""
    path = folder / f"{name}-0.0.36-py3-none-any.whl"
    info = f"{name}-0.0.36.dist-info"
    files = {
        f"{name}/__init__.py": f"owner = 'somebody else: {name}'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.0.36\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in files)
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    root = tmp_path_factory.mktemp("box")
    succeed([sys.executable, "-m", "venv", "--without-pip", root / "venv"], root)
    python = root / "venv" / "bin" / "python"
    site = Path(succeed([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], root).strip())
    # What the wheel depends on is seen where the tests have it. A .pth file read from a .pth folder has no effect, so
    # an editable installation of mlrtui over there is not importable here.
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    folders |= {entry for entry in sys.path if Path(entry).name in {"site-packages", "dist-packages"}}
    (site / "zz_dependencies.pth").write_text("".join(f"{folder}\n" for folder in sorted(folders)))
    work = root / "work"
    work.mkdir()
    box = Installed(python, site, work)
    assert run([python, "-c", "import mlrtui.cli"], work).returncode != 0
    for path in (wheel, foreign_wheel(root, "trainer"), foreign_wheel(root, "db")):
        box.pip("install", "--no-deps", "--no-index", "--ignore-installed", path)
    return box


def test_the_wheel_holds_what_is_not_code(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"mlrtui", "mlrtui_trainer", "mlrtui_db"}
    shipped = {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for package, folder in {
            "mlrtui": ROOT / "mlrtui",
            "mlrtui_trainer": ROOT / "trainer" / "mlrtui_trainer",
            "mlrtui_db": ROOT / "db" / "mlrtui_db",
            "mlrtui/_examples": ROOT / "examples",
        }.items()
        for path in folder.rglob("*")
        if path.suffix in {".sql", ".tcss", ".toml", ".typed", ".py"}
    }
    assert shipped <= names
    assert {"mlrtui_db/schema.sql", "mlrtui_db/views.sql", "mlrtui/py.typed"} <= shipped
    assert any(name.endswith(".tcss") for name in shipped)
    assert any(name.startswith("mlrtui/_examples/") for name in shipped)
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_ours_and_theirs_live_side_by_side(installed: Installed) -> None:
    code = (
        "import mlrtui, mlrtui_trainer, mlrtui_db, trainer, db;"
        "print(mlrtui.__file__, mlrtui_trainer.__file__, mlrtui_db.__file__, sep='\\n');"
        "print(trainer.owner, db.owner, sep='\\n')"
    )
    *ours, their_trainer, their_db = succeed([installed.python, "-c", code], installed.work).splitlines()
    assert [Path(line).parent.parent for line in ours] == [installed.site] * 3
    assert (their_trainer, their_db) == ("somebody else: trainer", "somebody else: db")


def test_the_command_answers(installed: Installed) -> None:
    assert "run" in succeed([installed.mlrtui, "--help"], installed.work)
    said = succeed([installed.mlrtui, "examples"], installed.work)
    for path in (ROOT / "examples").rglob("*.toml"):
        assert path.stem in said


def test_a_users_own_trainer_file_does_no_harm(installed: Installed) -> None:
    names = ("trainer.py", "db.py")
    for name in names:
        (installed.work / name).write_text("raise SystemExit('the file of the user was imported')\n")
    try:
        assert "run" in succeed([installed.mlrtui, "--help"], installed.work)
        succeed([installed.mlrtui, "run", "--dry-run"], installed.work)
        succeed([installed.python, "-c", "import mlrtui_trainer.worker, mlrtui_db.store, mlrtui.cli"], installed.work)
    finally:
        for name in names:
            (installed.work / name).unlink()


def test_uninstalling_theirs_leaves_ours(installed: Installed) -> None:
    installed.pip("uninstall", "--yes", "trainer", "db")
    assert run([installed.python, "-c", "import trainer"], installed.work).returncode != 0
    succeed([installed.python, "-c", "import mlrtui_trainer.spec, mlrtui_db.records"], installed.work)
    assert "run" in succeed([installed.mlrtui, "--help"], installed.work)


def metadata(wheel: Path) -> Metadata:
    """What a package index reads; wrong fields raise."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Metadata.from_email(archive.read(name), validate=True)


def test_the_description_works_where_only_the_readme_is_shown(wheel: Path) -> None:
    of_wheel = metadata(wheel)
    urls = of_wheel.project_urls or {}
    text = of_wheel.description or ""
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    blob = f"{urls['Repository']}/blob/v{of_wheel.version}/"
    raw = blob.replace("https://github.com/", "https://raw.githubusercontent.com/").replace("/blob/", "/")
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    files = [target.removeprefix(blob).split("#")[0] for target in targets if target.startswith(blob)]
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
    assert len(files) > 10
    assert pictures
    assert all(picture.startswith(raw) for picture in pictures)
    files += [picture.removeprefix(raw) for picture in pictures]
    assert [file for file in files if not (ROOT / file).is_file()] == []
    headings = {slug(line) for line in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)}
    assert {target[1:] for target in targets if target.startswith("#")} <= headings


def slug(heading: str) -> str:
    """A heading's name as GitHub and package indexes make it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.fixture(scope="module")
def with_torch(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes environments in which the dependencies are installed, torch too: of these tests, by links."""
    torch = importlib.util.find_spec("torch")
    if torch is None or torch.origin is None:
        pytest.skip("torch is not installed")
    folders = {Path(sysconfig.get_path("purelib")), Path(torch.origin).parents[1]}

    def make(name: str) -> Path:
        root = tmp_path_factory.mktemp(name)
        succeed([sys.executable, "-m", "venv", "--without-pip", root], root)
        python = root / "bin" / "python"
        site = Path(succeed([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], root).strip())
        for entry in (entry for folder in folders for entry in folder.iterdir()):
            if "mlrtui" in entry.name or entry.name == "__pycache__" or (site / entry.name).exists():
                continue
            if entry.suffix == ".dist-info":
                shutil.copytree(entry, site / entry.name)  # uv takes no link for an installed package
            else:
                (site / entry.name).symlink_to(entry)
        return python

    return make


@pytest.mark.parametrize("program", ["pip", "uv"])
def test_a_torch_that_is_there_is_kept(program: str, wheel: Path, with_torch: Callable[[str], Path]) -> None:
    """The command of docs/guides/install.md, for the wheel: without an index, so that nothing else can be installed."""
    if program == "uv" and importlib.util.find_spec("uv") is None and shutil.which("uv") is None:
        pytest.skip("uv is not installed")
    python = with_torch(program)
    before = succeed([python, "-c", TORCH], python.parent)
    if program == "pip":
        command = [sys.executable, "-m", "pip", "--python", python, "install", "--no-index", wheel]
    else:
        uv = [sys.executable, "-m", "uv"] if importlib.util.find_spec("uv") else ["uv"]
        command = [*uv, "pip", "install", "--offline", "--no-index", "--no-cache", "--python", python, wheel]
    succeed(command, python.parent)
    assert succeed([python, "-c", TORCH], python.parent) == before
    assert succeed([python.parent / "mlrtui", "--version"], python.parent).split()[-1] == __version__
