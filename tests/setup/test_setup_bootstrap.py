"""scripts/bootstrap.py: which torch is taken, what the stamp holds, and how an interrupted installation heals."""

import ast
import importlib.util
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "bootstrap.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mlrtui_bootstrap", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


bootstrap = load()
Torch = bootstrap.Torch


@dataclass
class Project:
    """A folder to set up, a pip that only writes down what it was asked for, and a torch that works or does not."""

    root: Path
    asked: list[list[str]] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    broken: frozenset[Path] = frozenset()
    interrupt: bool = False

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    def pip(self, venv: Path, arguments: Sequence[str]) -> None:
        assert venv == self.venv
        if self.interrupt:
            raise KeyboardInterrupt
        self.asked.append(list(arguments))
        if "--constraint" in arguments:
            self.constraints.append(Path(arguments[arguments.index("--constraint") + 1]).read_text())

    def works(self, python: Path) -> bool:
        return python not in self.broken

    def ensure(self, *extras: str, requested: str = "", found: object = None) -> bool:
        done: bool = bootstrap.ensure(self.root, extras, requested, found, self.pip, self.works)
        return done


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    root = tmp_path / "a project"
    root.mkdir()
    (root / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    (root / "constraints.txt").write_text("# reason\ntorch==2.13.0\ntextual==8.2.8\n")

    def without_pip(command: list[str], **options: object) -> "subprocess.CompletedProcess[str]":
        extra = ["--without-pip"] if command[1:3] == ["-m", "venv"] else []
        return real(command + extra, **options)  # type: ignore[call-overload, no-any-return]

    real = subprocess.run
    monkeypatch.setattr(bootstrap.subprocess, "run", without_pip)
    return Project(root)


@pytest.mark.parametrize(
    ("requested", "found", "old", "how"),
    [
        ("", None, None, "pinned"),
        ("", Torch("kept", "/site", "2.11.0"), None, "kept"),
        ("torch==2.9.1", Torch("kept", "/site", "2.11.0"), None, "requested"),
        ("  ", None, None, "pinned"),
        ("", Torch("kept", "/site", "2.11.0"), Torch("requested", "torch==2.9.1"), "requested"),
        ("", None, Torch("kept", "/site", "2.11.0"), "pinned"),
    ],
)
def test_which_torch_is_taken(requested: str, found: object, old: object, how: str) -> None:
    assert bootstrap.choose_torch(requested, found, old).how == how


@pytest.mark.parametrize(
    ("version", "kept"), [("2.6.0", True), ("2.13.0+cpu", True), ("3.0.1", True), ("2.5.1+cu121", False)]
)
def test_a_torch_is_found_without_importing_it(
    version: str, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise SystemExit('imported')")
    info = tmp_path / f"torch-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert bootstrap.found_torch() == (Torch("kept", str(tmp_path), version) if kept else None)


def test_only_a_pinned_torch_leaves_the_constraints_whole() -> None:
    text = "torch==2.13.0\ntorchlike==1.0\ntriton==3.7.1\ntextual==8.2.8\n"
    assert bootstrap.constraint_lines(text, Torch("pinned")) == text
    for how in ("kept", "requested", "own"):
        assert bootstrap.constraint_lines(text, Torch(how)) == "torchlike==1.0\ntextual==8.2.8\n"


def test_the_shipped_constraints_pin_torch_and_every_direct_dependency() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    pins = {str(canonicalize_name(Requirement(line).name)): Requirement(line) for line in lines}
    assert str(pins["torch"]) == "torch==2.13.0"
    with (ROOT / "pyproject.toml").open("rb") as file:
        declared = tomllib.load(file)["project"]
    wanted = [*declared["dependencies"], *declared["optional-dependencies"]["test"]]
    for text in [*wanted, *declared["optional-dependencies"]["check"]]:
        requirement = Requirement(text)
        version = str(pins[str(canonicalize_name(requirement.name))].specifier).removeprefix("==")
        assert requirement.specifier.contains(version), f"{text} does not admit {version}"


def test_the_second_call_does_nothing(project: Project) -> None:
    assert project.ensure()
    assert not project.ensure()
    assert len(project.asked) == 1
    assert project.asked[0][-2:] == ["--editable", str(project.root)]
    assert "torch==2.13.0" in project.constraints[0]


def test_extras_add_up_and_need_no_new_environment(project: Project) -> None:
    project.ensure()
    witness = project.venv / "witness"
    witness.touch()
    assert project.ensure("test")
    assert project.ensure("check")
    assert not project.ensure("test")
    assert [asked[-1].removeprefix(str(project.root)) for asked in project.asked] == ["", "[test]", "[check,test]"]
    assert witness.exists()


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_changed_file_installs_again(name: str, project: Project) -> None:
    project.ensure("test")
    with (project.root / name).open("a") as file:
        file.write("# more\n")
    assert project.ensure()
    assert project.asked[-1][-1].endswith("[test]")


def test_another_python_makes_another_environment(project: Project) -> None:
    project.ensure()
    stamp = bootstrap.read_stamp(project.venv)
    witness = project.venv / "witness"
    witness.touch()
    text = (project.venv / bootstrap.STAMP).read_text()
    assert stamp.python in text
    (project.venv / bootstrap.STAMP).write_text(text.replace(stamp.python, "3.11.0 elsewhere"))
    assert project.ensure()
    assert not witness.exists()
    assert bootstrap.read_stamp(project.venv) == stamp


def test_an_interrupted_installation_begins_again(project: Project) -> None:
    project.interrupt = True
    with pytest.raises(KeyboardInterrupt):
        project.ensure()
    assert bootstrap.read_stamp(project.venv) is None
    witness = project.venv / "half-installed"
    witness.mkdir()
    project.interrupt = False
    assert project.ensure()
    assert not witness.exists()
    assert not project.ensure()


def test_a_half_written_stamp_is_no_stamp(project: Project) -> None:
    project.ensure()
    for text in ("", "{", "[]", '{"place": "x"}', '{"torch": 1, "extras": []}'):
        (project.venv / bootstrap.STAMP).write_text(text)
        assert bootstrap.read_stamp(project.venv) is None


def test_an_environment_of_the_users_is_kept(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(project.venv)], check=True)
    witness = project.venv / "witness"
    witness.touch()
    project.interrupt = True
    with pytest.raises(KeyboardInterrupt):
        project.ensure()
    project.interrupt = False
    assert project.ensure(found=Torch("kept", "/elsewhere", "2.11.0"))
    assert "the environment that is there" in capsys.readouterr().out
    assert "torch==" not in project.constraints[-1]
    assert not project.ensure()
    with (project.root / "constraints.txt").open("a") as file:
        file.write("# more\n")
    project.broken = frozenset({project.venv / "bin" / "python"})
    assert project.ensure()
    assert "torch==2.13.0" in project.constraints[-1]
    assert witness.exists()


def test_a_folder_that_is_no_environment_is_left_alone(project: Project) -> None:
    project.venv.mkdir()
    (project.venv / "thesis.tex").touch()
    with pytest.raises(bootstrap.SetupError, match="no virtual environment"):
        project.ensure()
    assert [path.name for path in project.venv.iterdir()] == ["thesis.tex"]


def test_a_kept_torch_is_seen_and_our_own_packages_win(project: Project, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    (kept / "torch").mkdir(parents=True)
    (kept / "torch" / "__init__.py").touch()
    (kept / "shared_package.py").write_text("where = 'theirs'\n")
    project.ensure(found=Torch("kept", str(kept), "2.11.0"))
    assert "torch==" not in project.constraints[0]
    own = bootstrap.site_packages(project.venv)
    (own / "shared_package.py").write_text("where = 'ours'\n")
    code = "import shared_package, torch; print(shared_package.where, torch.__file__)"
    python = project.venv / "bin" / "python"
    said = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["ours", str(kept / "torch" / "__init__.py")]


def test_a_kept_torch_that_cannot_be_imported_is_replaced(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    found = Torch("kept", "/elsewhere", "2.11.0")
    project.broken = frozenset({Path(sys.executable)})
    assert project.ensure(found=found)
    assert "cannot be imported" in capsys.readouterr().out
    assert "torch==2.13.0" in project.constraints[0]
    assert not project.ensure(found=found)


def test_a_requested_torch_goes_first_with_its_options(project: Project) -> None:
    project.ensure(requested="torch==2.9.1 --no-deps")
    assert project.asked[0] == ["torch==2.9.1", "--no-deps"]
    assert "torch==" not in project.constraints[0]
    assert not project.ensure()


def test_a_failing_pip_shows_its_last_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho Collecting torch\necho 'ERROR: no such thing' >&2\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(bootstrap.SetupError, match=r"ERROR: no such thing\n(.|\n)*mlrtui-install\.log"):
        bootstrap.run_pip(tmp_path, ["torch"])
    assert "Collecting torch\n" in (tmp_path / "mlrtui-install.log").read_text()


def test_a_silent_pip_is_still_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "QUIET_SECONDS", 0.01)
    monkeypatch.setattr(bootstrap, "TELL_SECONDS", 0.0)
    gate = tmp_path / "gate"
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\necho Collecting torch\nwhile [ ! -e '{gate}' ]; do sleep 0.02; done\n")
    python.chmod(0o755)

    def say(text: str) -> None:
        heard.append(text)
        if len([line for line in heard if "at torch" in line]) >= 3:
            gate.touch()

    heard: list[str] = []
    monkeypatch.setattr(bootstrap, "say", say)
    bootstrap.run_pip(tmp_path, ["torch"])
    assert gate.exists()


def test_an_old_python_gets_as_far_as_the_sentence() -> None:
    source = SCRIPT.read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 7))
    first, second, third = tree.body[:3]
    assert isinstance(first, ast.Expr)
    assert isinstance(second, ast.Import)
    assert [name.name for name in second.names] == ["sys"]
    assert isinstance(third, ast.If)
    imported = [ast.unparse(node) for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert not any("__future__" in line for line in imported)


def test_an_old_python_is_refused_with_one_sentence() -> None:
    code = SCRIPT.read_text(encoding="utf-8").replace("import sys\n", "import sys\nsys.version_info = (3, 10)\n", 1)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr.count("\n") == 1
    assert "needs Python 3.11 or newer, not 3.10" in ran.stderr
    assert "make run PYTHON=" in ran.stderr


def test_an_unknown_extra_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert bootstrap.main(["tset"]) == 2
    assert "tset" in capsys.readouterr().err


def test_a_stamp_comes_back_as_it_was_written(project: Project) -> None:
    project.ensure("test")
    stamp = bootstrap.read_stamp(project.venv)
    assert stamp.extras == ("test",)
    assert not replace(stamp, extras=("check",)).remakes(stamp)
    assert replace(stamp, place="/elsewhere").remakes(stamp)


@pytest.mark.parametrize(("status", "calls"), [(0, 1), (1, 2)])
def test_a_torchvision_for_another_torch_is_removed(status: int, calls: int, tmp_path: Path) -> None:
    """By the environment's own Python, which here only notes what it is asked."""
    asked = tmp_path / "asked"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$1 $2 $*" | head -n 1 >> {asked}\n[ "$1" = -m ] || exit {status}\n')
    python.chmod(0o755)
    bootstrap.drop_foreign_torchvision(python)
    lines = asked.read_text().splitlines()
    assert len(lines) == calls
    assert lines[0].startswith("-c")
    assert all("pip" in line and line.endswith("uninstall --quiet --yes torchvision") for line in lines[1:])
