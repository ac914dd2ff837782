"""What is imported where: nothing heavy before it is needed, and each outside library by one room or file alone."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

from benchmarks.store_writes import write_store

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {
    "mlrtui": ROOT / "mlrtui",
    "mlrtui_trainer": ROOT / "trainer" / "mlrtui_trainer",
    "mlrtui_db": ROOT / "db" / "mlrtui_db",
}
EXTRAS = ("numba", "llvmlite", "ray", "triton")  # of what trains: "fast", "ray" and "gpu"
HEAVY = ("torch", "sklearn", "scipy", "pandas", "plotext", "sqlite_utils")


def loaded_after(code: str) -> set[str]:
    """Top-level packages of a fresh interpreter after ``code``."""
    program = f"{code}\nimport sys\nprint('loaded:', *sorted({{name.split('.')[0] for name in sys.modules}}))\n"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


def commands(*lines: Sequence[str]) -> str:
    """Code that runs some mlrtui commands one after the other; each must end well."""
    return f"""
import sys
from mlrtui.cli import main
for line in {[[*line] for line in lines]!r}:
    sys.argv = ["mlrtui", *line]
    try:
        main()
    except SystemExit as end:
        assert not end.code, (line, end.code)
"""


def imports(path: Path) -> Iterator[str]:
    """Every module that a file names in an import, wherever the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and node.level == 0:
            yield node.module


@cache
def imported(room: str) -> dict[str, frozenset[str]]:
    """Top-level packages that each file of a room imports."""
    return {
        path.relative_to(ROOT).as_posix(): frozenset(name.split(".")[0] for name in imports(path))
        for path in ROOMS[room].rglob("*.py")
    }


def files_that_import(package: str) -> set[str]:
    return {name for room in ROOMS for name, packages in imported(room).items() if package in packages}


def test_this_file_sees_a_heavy_import() -> None:
    assert "sqlite3" in loaded_after("import sqlite3")
    assert "sqlite3" not in loaded_after("import json")


def test_no_help_imports_anything_heavy() -> None:
    names = ["run", "watch", "browse", "status", "stop", "export", "examples", "doctor"]
    names += ["resume", "rerun", "backup", "archive", "merge", "prune", "pull", "export-delta"]
    loaded = loaded_after(commands(["--help"], *([name, "--help"] for name in names)))
    assert not loaded & {*HEAVY, "textual", "numpy"}


def test_no_reading_command_imports_torch_or_scikit_learn(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    write_store(store, trials=2, rows=3, transactions=2)
    where = ("--store", str(store))
    reading = commands(
        ["status", *where], ["status", "--json", *where], ["watch", "--once", *where], ["browse", *where]
    )
    assert not loaded_after(reading) & {"torch", "sklearn"}


@pytest.mark.parametrize("module", ["mlrtui.tui.app", "mlrtui_db.store", "mlrtui_db.reader", "mlrtui_trainer.spec"])
def test_a_module_never_reaches_torch_or_scikit_learn(module: str) -> None:
    assert not loaded_after(f"import {module}") & {"torch", "sklearn"}


@pytest.mark.parametrize(("package", "folder"), [("sqlite3", "db/mlrtui_db/"), ("torch", "trainer/mlrtui_trainer/")])
def test_only_one_room_imports(package: str, folder: str) -> None:
    files = files_that_import(package)
    assert files
    assert all(name.startswith(folder) for name in files), files


@pytest.mark.parametrize("package", ["numba", "llvmlite"])
def test_only_the_compiled_route_imports_what_may_be_missing(package: str) -> None:
    assert {name.rsplit("/", 1)[0] for name in files_that_import(package)} == {"trainer/mlrtui_trainer/fast"}


def test_the_data_of_scikit_learn_are_read_without_it() -> None:
    digits = loaded_after(
        "from mlrtui.data import DataSpec, load; assert load(DataSpec('digits')).x.shape == (1797, 64)"
    )
    assert not digits & {"sklearn", "scipy", "pandas"}


def test_only_the_kernel_imports_triton_and_only_where_it_is_asked_for() -> None:
    assert files_that_import("triton") == {
        f"trainer/mlrtui_trainer/kernels/{name}.py" for name in ("route", "training")
    }
    without = "import sys; sys.modules['triton'] = None"  # every import of it fails
    loaded_after(f"{without}; import mlrtui.cli, mlrtui_trainer.worker, mlrtui_trainer.kernels.steps")


def test_ray_is_imported_only_where_it_is_used() -> None:
    used = {f"mlrtui/engines/ray/{name}.py" for name in ("cluster", "probe", "relay")}
    assert files_that_import("ray") == {*used, "trainer/mlrtui_trainer/remote.py"}
    driver = "from mlrtui.engines.ray.engine import RayEngine; from mlrtui.engines.ray.devices import resolve"
    assert not loaded_after(f"{driver}; from mlrtui.engines.registry import engine_of; engine_of('ray')") & {
        "ray",
        "torch",
    }


def test_at_most_one_file_imports_plotext() -> None:
    assert len(files_that_import("plotext")) <= 1


@pytest.mark.parametrize(
    ("room", "allowed"),
    [
        ("mlrtui_db", set[str]()),
        ("mlrtui_trainer", {"numpy", "torch", *EXTRAS}),
    ],
)
def test_a_lower_room_imports_only_the_standard_library_and(room: str, allowed: set[str]) -> None:
    named = set().union(*imported(room).values())
    assert named
    assert named - set(sys.stdlib_module_names) - {room} <= allowed


def modules_named(path: Path) -> Iterator[str]:
    """Our modules that a file imports, wherever: also under TYPE_CHECKING, and ``from package import module``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_modules_import_each_other_in_a_circle() -> None:
    places = {}
    for room, folder in ROOMS.items():
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            places[".".join([room, *(part for part in parts if part != "__init__")])] = path
    left = {name: {one for one in modules_named(path) if one in places} - {name} for name, path in places.items()}
    # a package's names come from its own modules, lazily or not: its way into them is no circle
    left = {
        name: {one for one in named if not (places[name].name == "__init__.py" and one.startswith(f"{name}."))}
        for name, named in left.items()
    }
    assert len(left) > 200
    while True:  # take away what imports nothing that is left; a circle stays
        leaves = {name for name, named in left.items() if not named & left.keys()}
        if not leaves:
            break
        left = {name: named for name, named in left.items() if name not in leaves}
    assert not left, {name: sorted(named & left.keys()) for name, named in left.items()}
