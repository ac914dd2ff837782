"""The screen Workers, the line that says what goes on, and the time left: as a driver says them."""

from dataclasses import replace

import pytest
from rich.cells import cell_len
from test_tui_screens import shown
from tui_fakes import FakeStore, scan_store
from tui_rows import NOW

from mlrtui.text.numbers import about, many
from mlrtui.text.working import doing, workers_in_short
from mlrtui.tui.once import data_once, read_once, render_once
from mlrtui.tui.workers.columns import worker_rows
from mlrtui_db.work import WorkerRow, WorkRow

CPU = WorkerRow(
    0, "training", device="cpu", cell="1x512", seeds="0", lanes=9, eta_low=0.025, eta_high=0.225, step=70,
    max_steps=120, rate=4130.0, busy=98.4, memory=412 << 20,
)  # fmt: skip
GPU = WorkerRow(
    1, "training", "node7", "cuda:1", "NVIDIA H100", "8x256", "0-3", 12, 0.1, 0.4, 30, 200, 1.5e4, 97.0, 3 << 30,
    80 << 30, 0.41,
)  # fmt: skip
WORK = WorkRow(
    at=NOW, stage="training", sweep_id=1, sweep="catapult scan", nets=16, to_measure=16, measured=16, slots=2, ready=2,
    rate=4130.0, left=730.0, low=550.0, high=1010.0, workers=(CPU, WorkerRow(1, "starting", device="cpu")),
)  # fmt: skip


def store_of(work: WorkRow | None) -> FakeStore:
    store = scan_store()
    store.work = work
    return store


def printed(
    work: WorkRow | None, screen: str = "workers", size: tuple[int, int] = (120, 24), ascii: bool = False
) -> str:
    return render_once(read_once([store_of(work).source()], screen, clock=lambda: NOW), screen, size, ascii)


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (WorkRow(NOW, "data", sweep="a b"), "reading the data of a b"),
        (replace(WORK, stage="workers", ready=0, left=None), "starting workers 0/2 · 16 nets"),
        (replace(WORK, stage="lambda0", measured=11, rate=3.04), "λ₀ 11/16 · 3 nets/s · about 12 min (9–17)"),
        (WORK, "training · 4.13k steps/s · about 12 min (9–17)"),
        (replace(WORK, rate=None, left=None), "training"),
        (replace(WORK, stage="ending", rate=None), "the last workers end"),
    ],
)
def test_what_goes_on_in_words(work: WorkRow, words: str) -> None:
    assert doing(work) == words


@pytest.mark.parametrize(
    ("seconds", "low", "high", "text"),
    [
        (0.0, 0.0, 0.0, "about 1 s"),
        (8.2, 5.0, 14.0, "about 8 s (5–14)"),
        (43.0, 29.0, 61.0, "about 45 s (30–60)"),
        (99.9, 60.0, 160.0, "about 100 s (60–160)"),
        (130.0, 90.0, 200.0, "about 2.2 min (1.5–3.3)"),
        (5000.0, 4000.0, 6000.0, "about 83 min (67–100)"),
        (12_000.0, 9_000.0, 20_000.0, "about 3.3 h (2.5–5.6)"),
        (3e5, 2e5, 5e5, "about 3.5 days (2.3–5.8)"),
    ],
)
def test_estimates_of_time(seconds: float, low: float, high: float, text: str) -> None:
    assert about(seconds, low, high) == text


def test_large_numbers_are_short() -> None:
    assert [many(value) for value in (0.0, 9.96, 999.0, 999.9, 12_345.0, 999_900.0, 2.5e9)] == [
        "0", "10", "999", "1k", "12.3k", "1M", "2.5G",
    ]  # fmt: skip


async def test_the_status_line_says_what_goes_on_and_the_header_how_long_it_takes() -> None:
    async with shown(store_of(WORK), size=(100, 30)) as view:
        text = view.text()
        assert "training · 4.13k steps/s · about 12 min (9–17)" in text.splitlines()[-2]
        assert "ETA 12m" in text.splitlines()[0]


def test_before_there_is_a_sweep_it_says_so_too() -> None:
    store = FakeStore(work=WorkRow(NOW, "data", sweep="first"))
    text = render_once(read_once([store.source()], clock=lambda: NOW), size=(80, 24))
    assert text.splitlines()[-1].strip() == "reading the data of first"


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_list_fits_and_keeps_what_matters(width: int, ascii_only: bool) -> None:
    text = printed(replace(WORK, workers=(CPU, GPU)), size=(width, 24), ascii=ascii_only)
    assert all(cell_len(row) <= width for row in text.splitlines())
    rows = [row for row in text.splitlines() if "cuda:1 on node7" in row]
    assert len(rows) == 1
    for part in ("8x256", "15k steps/s", "97 %"):
        assert part in rows[0]
    assert ("41 %" in rows[0]) == (width >= 120)
    if ascii_only:
        assert text.isascii()


def test_what_is_not_known_is_not_made_up() -> None:
    head, rows = worker_rows(WORK, 200)
    assert "not known" in rows[0][1]  # the ceiling of a CPU
    assert "starting" in rows[1][1]
    assert "hardware" not in head
    assert workers_in_short(WORK) == "1 of 2 workers at work · cpu 98 % · 4.13k steps/s"
    assert workers_in_short(replace(WORK, workers=(GPU, replace(GPU, busy=91.0)))) == (
        "2 of 2 workers at work · gpu 91–97 % · 4.13k steps/s"
    )


def test_without_a_driver_it_says_how_to_start_one() -> None:
    assert "no driver is at work on this store" in printed(None)


def test_its_data_as_json() -> None:
    found = data_once(read_once([store_of(WORK).source()], "workers", clock=lambda: NOW))
    assert found["work"]["workers"][0]["cell"] == "1x512"
    assert found["work"]["left"] == 730.0


async def test_keys_lead_there_and_back_and_scroll() -> None:
    many_workers = tuple(replace(CPU, slot=slot) for slot in range(100))
    async with shown(store_of(replace(WORK, slots=100, workers=many_workers)), size=(80, 24)) as view:
        await view.press("7")
        assert "7 Workers" in view.text()
        assert "1-18 of 100" in view.text()
        await view.press("G")
        assert "of 100" in view.text()
        assert " 99 " in view.text()
        await view.press("escape")
        assert "1 Live" in view.text()
