"""The edge of stability on the screens: of other optimizers than plain gradient descent, and where there is none."""

from array import array
from dataclasses import replace

import pytest
from test_tui_screens import shown
from test_tui_trial import open_trial
from tui_fakes import FakeStore, scan_store
from tui_rows import make_details

from mlrtui.tui.curves import Trace, ratio_points
from mlrtui.tui.edges import Rates, edge_name, rates_of, ratio_name, stored_edge, stored_rates
from mlrtui.tui.tables import curve_table
from mlrtui_db.models import Curve, Pairs


def store_with(edge: float | None) -> FakeStore:
    store = scan_store()
    for sweep_id, snapshot in store.snapshots.items():
        rows = tuple(replace(trial, edge=edge) for trial in snapshot.trials)
        store.snapshots[sweep_id] = replace(snapshot, trials=rows)
    store.trials = {cell: tuple(replace(one, edge=edge) for one in rows) for cell, rows in store.trials.items()}
    return store


def test_names() -> None:
    assert [edge_name(edge) for edge in (2.0, 3.8, 38.00000000000001)] == ["2/η", "3.8/η", "38/η"]
    assert edge_name(2.0, "cosine") == "2/η at the peak"
    assert [ratio_name(edge) for edge in (2.0, 3.8, None)] == ["λη/2", "λη/3.8", "λη"]


def changed(pairs: Pairs, **values: str | float) -> Pairs:
    return tuple((dict(pairs) | values).items())


@pytest.mark.parametrize(
    ("operator", "loss", "expected"),
    [("hessian", "ce", 38.0), ("ntk", "ce", None), ("ntk", "mse-softmax", None), ("ntk", "mse", 38.0)],
)
def test_the_edge_that_is_stored(operator: str, loss: str, expected: float | None) -> None:
    details = make_details(scan_store().trials[1][0])
    assert stored_edge(details) == 2.0
    details = replace(
        details, cell=changed(details.cell, edge=38.0, loss=loss), net=changed(details.net, operator=operator)
    )
    assert stored_edge(details) == expected


async def test_the_edge_of_momentum() -> None:
    async with shown(store_with(3.8), (160, 48)) as view:
        await view.until(lambda: "edge at 1" in view.text())
        assert "λη/3.8, edge at 1" in view.text()
        assert "3.8/η" in view.text()
        assert "λη/2" not in view.text()
        await view.press("e")
        assert "λ, edge at 3.8/η" in view.text()
        await view.press("e")
        await open_trial(view)
        text = view.text()
        assert "3.8/η 25.3" in text.split("sharpness λ")[1]
        assert "4/η" not in text
        assert "· λη/3.8 " in text


async def test_a_sharpness_without_an_edge_has_no_line() -> None:
    async with shown(store_with(None), (160, 48)) as view:
        await view.until(lambda: "without an edge" in view.text())
        assert "/η" not in view.text().replace("without", "")
        assert "λη/2" not in view.text()
        await open_trial(view)
        assert "2/η" not in view.text()
        assert "4/η" not in view.text()


def trace_of(*steps: int) -> Trace:
    """A sharpness of 4 at these steps."""
    ones = array("d", [1.0] * len(steps))
    fours = array("d", [4.0] * len(steps))
    return Trace.of(Curve(7, 1, array("q", steps), ones, ones, fours, ones, array("q", [0] * len(steps))))


def test_a_ratio_has_the_rate_of_its_step() -> None:
    trial = replace(scan_store().trials[1][0], eta=0.5, schedule="linear-warmup", warmup_steps=10, max_steps=40)
    rates = rates_of(trial)
    assert [rates.at(step) for step in (0, 4, 9, 30, 40)] == pytest.approx([0.05, 0.25, 0.5, 0.5, 0.5])
    trace = trace_of(0, 4, 40)
    assert ratio_points(trace, rates, 2.0)[1].tolist() == pytest.approx([0.1, 0.5, 1.0])
    assert [row[6] for row in curve_table([(trace, rates, 2.0)]).rows] == pytest.approx([0.1, 0.5, 1.0])
    details = make_details(trial)
    cell = changed(details.cell, edge=2.0, schedule="linear-warmup", warmup_steps=10, max_steps=40)
    stored = replace(details, cell=cell, trial=changed(details.trial, eta=0.5))
    assert (stored_rates(stored), stored_edge(stored)) == (rates, 2.0)


def test_a_schedule_of_a_package_that_is_gone_gives_no_ratio() -> None:
    rates = Rates(0.5, "somebody-elses", 0, 10)
    trace = trace_of(0)
    assert str(ratio_points(trace, rates, 2.0)[1].tolist()) == "[nan]"
    assert curve_table([(trace, rates, 2.0)]).rows[0][6] is None
