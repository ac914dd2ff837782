"""A format of export of another package, and a data set that is registered: neither edits a file of ours."""

from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL_SEARCH
from other_package import install, run

from mlrtui.data import DataSpec, load
from mlrtui.data.built_in import SOURCES
from mlrtui.data.sources import Source

FORMAT = '''
"""Views as plain text."""

from mlrtui.commands.export import ExportFormat


def write(wanted, path):
    counts = []
    with path.open("w") as file:
        for table in wanted.tables:
            lines = ["|".join(map(str, row)) for row in table.rows()]
            print(table.name, *table.columns, *lines, sep="\\n", file=file)
            counts.append(len(lines))
    return counts


FORMAT = ExportFormat(lambda view: "all.txt", write=write)
'''


def test_a_format_of_another_package(tmp_path: Path) -> None:
    install(tmp_path, "toy_format", FORMAT, "mlrtui.exports", "plain = toy_format:FORMAT")
    (tmp_path / "sweep.toml").write_text(SMALL_SEARCH)
    assert run(tmp_path, "run", "sweep.toml", "--engine", "fake", "--no-tui").returncode == 0
    done = run(tmp_path, "export", "--format", "plain", "--view", "eta_star", "--view", "grid", "--out", "out")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["all.txt"]
    assert "eta_star" in (tmp_path / "out" / "all.txt").read_text()
    unknown = run(tmp_path, "export", "--format", "xls", "--out", "other")
    expected = (
        "mlrtui: --format: format 'xls' is not known; use one of csv, tsv, json, jsonl, ndjson, parquet, sqlite, "
    )
    expected += "datasette, plain\n"
    assert (unknown.returncode, unknown.stderr) == (2, expected)


def test_a_data_set_is_one_function_and_its_registration() -> None:
    def read(samples: int) -> tuple[np.ndarray, np.ndarray]:
        return np.arange(2.0 * samples).reshape(samples, 2), np.arange(samples) % 2

    SOURCES.register("ramp", Source(12, 2, 2, 12, "a ramp", read=read))
    try:
        data = load(DataSpec("ramp", samples=6, standardize="none"))
        assert data.x.shape == (6, 2)
        assert data.labels.tolist() == [0, 1, 0, 1, 0, 1]
        with pytest.raises(ValueError, match="ramp has 12 samples, not 13"):
            load(DataSpec("ramp", samples=13))
    finally:
        SOURCES.remove("ramp")
