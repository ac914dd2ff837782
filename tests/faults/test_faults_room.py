"""No room for what a command writes beside a store: one sentence, exit code 3, nothing half made, nothing lost."""

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SMALL_SEARCH, Mlrtui, file_size_limit
from faults_tools import one

from mlrtui.commands.export import FORMATS
from mlrtui_db import invariants
from mlrtui_db._schema import view_names
from mlrtui_db.errors import StoreIOError
from mlrtui_db.store import Store

LIMIT = 60_000  # bytes: less than the store and than its curves
SMALLER = {"datasette": 40_000}  # has no rows; less could not hold the store's shared memory
MORE = {"parquet": "seeds = 100"}  # packed


@pytest.mark.parametrize("file_format", FORMATS)
def test_an_export_is_whole_or_not_there(
    mlrtui: Mlrtui, made: Callable[..., Path], tmp_path: Path, file_format: str
) -> None:
    made(SMALL_SEARCH.replace("seeds = 2", MORE.get(file_format, "seeds = 2")))
    out, words = tmp_path / "out", ("export", "--out", "out", "--format", file_format)
    with file_size_limit(SMALLER.get(file_format, LIMIT)):
        refused = mlrtui(*words)
    assert refused.returncode == 3
    (said,) = refused.stderr.splitlines()
    assert "out/" in said
    assert "free" in said or "ulimit -f" in said
    assert list(out.iterdir()) == []
    assert mlrtui(*words).returncode == 0
    assert len(list(out.iterdir())) == (1 if file_format in ("sqlite", "datasette") else len(view_names()))


def test_a_store_that_cannot_be_packed_is_pruned_all_the_same(
    mlrtui: Mlrtui, made: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = made(SMALL_SEARCH)
    size = store.stat().st_size

    def full(self: Store) -> None:
        raise StoreIOError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "compact", full)
        done = mlrtui("prune", "small search", "--yes")
    assert done.returncode == 3
    assert "cannot be compacted (it could not be written)" in done.stderr
    assert one(store, "SELECT count(*) FROM step") == 0
    assert mlrtui("prune", "small search", "--yes").returncode == 0
    assert store.stat().st_size < size
    assert one(store, "SELECT freelist_count FROM pragma_freelist_count") == 0
    assert invariants.check(store) == []
