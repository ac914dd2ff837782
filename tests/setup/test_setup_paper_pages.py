"""Pages of papers: what stands in them is made from a store, and what the store lacks stays."""

import re
from collections.abc import Callable
from pathlib import Path

from conftest import SMALL_SCAN, SMALL_SEARCH, Mlrtui

from benchmarks.paper_pages import main, renewed
from mlrtui.claims.table import CLAIMS
from mlrtui_db.reader import Reader

PAPERS = Path(__file__).resolve().parents[2] / "docs" / "papers"
PAGE = """# A page

<!-- law small search | eta_star | depth*width -->
old
<!-- end -->

<!-- chart small search | boundaries | eta | best_accuracy | depth=2 -->
old
<!-- end -->

<!-- fits small search -->
old
<!-- end -->

<!-- means small search | eta_star | eta_star -->
old
<!-- end -->

<!-- claims another sweep -->
old of another store
<!-- end -->
"""


def test_blocks_are_made_anew_from_what_the_store_holds(
    mlrtui: Mlrtui, sweep_file: Callable[..., Path], tmp_path: Path
) -> None:
    assert mlrtui("run", sweep_file(SMALL_SEARCH), "--devices", "fake").returncode == 0
    store = tmp_path / "mlrtui.db"
    with Reader.open(store) as reader:
        page, lacking = renewed(PAGE, reader)
    assert lacking == ["another sweep"]
    law, chart, fits, means, claims = re.findall(r"-->\n(.*?)<!-- end -->", page, re.DOTALL)
    assert "exponent -0.7" in law
    assert "4 cells" in law
    assert "best_accuracy against eta, depth 2" in chart
    assert law.count("●") + chart.count("●") >= 8
    assert fits.count("| eta_star | depth*width |") == 1
    assert re.findall(r"^\| (\S+) \| \S+ \[", means, re.MULTILINE) == ["1x16", "1x32", "2x16", "2x32"]
    assert claims == "old of another store\n"
    path = tmp_path / "page.md"
    path.write_text(page)
    assert main([str(store), str(path)]) == 0
    assert path.read_text() == page


def test_every_claim_of_a_paper_stands_on_a_page() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in PAPERS.glob("*.md"))
    blocks = re.findall(r"<!-- (?:claims|fits|means|law|chart|physical) (.*?) -->", text)
    asked = {name.split(" | ")[0] for name in blocks}
    assert {claim.sweep for claim in CLAIMS if not claim.sweep.startswith("quick start")} <= asked
    assert asked <= {claim.sweep for claim in CLAIMS}


def test_runs_are_compared_after_the_same_physical_time(
    mlrtui: Mlrtui, sweep_file: Callable[..., Path], tmp_path: Path
) -> None:
    assert mlrtui("run", sweep_file(SMALL_SCAN), "--devices", "cpu:1").returncode == 0
    with Reader.open(tmp_path / "mlrtui.db") as reader:
        page, lacking = renewed("<!-- physical small scan | width=64 -->\n<!-- end -->\n", reader)
        means, _ = renewed("<!-- means small scan | phases | eta_lambda0 final_sharpness -->\n<!-- end -->\n", reader)
    assert not lacking
    assert re.search(r"^\| 1x64 \| 4\.03 \[0\.5, 9\] \| \S+ \[\S+, \S+\], 1 without \|$", means, re.MULTILINE), means
    (row,) = re.findall(r"^\| ([\d.]+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \| 1 \|$", page, re.MULTILINE)
    c, step, ratio, accuracy = map(float, row)  # 0.5 would need 160 of its 60 steps, and 9.0 was lost before its ninth
    assert (c, step) == (2.6, 31)
    assert 0.2 < ratio < 0.8
    assert 0.5 < accuracy <= 1.0
