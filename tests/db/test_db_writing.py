"""Sweeps, nets, trials, fits and events: what is written, once, and what is refused."""

import math
import statistics
from collections.abc import Iterator
from pathlib import Path

import db_samples as samples
import pytest

from mlrtui_db.errors import StoreError, SweepConflict
from mlrtui_db.invariants import check
from mlrtui_db.reader import Reader
from mlrtui_db.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "a.db", host="here", clock=lambda: 1000.0) as store:
        yield store
        assert check(store.path) == []


def added(store: Store, **changed: object) -> tuple[int, list[int]]:
    with store.transaction():
        sweep_id = store.add_sweep(samples.sweep(**changed))  # type: ignore[arg-type]
    return sweep_id, samples.net_ids(store, sweep_id)


def test_a_sweep_is_stored_once(store: Store) -> None:
    sweep_id, nets = added(store)
    rev = store.rev
    again, same = added(store)
    assert (again, same) == (sweep_id, nets)
    assert store.rev == rev
    state = store.sweep_state(sweep_id)
    assert state.status == "open"
    assert [cell.position for cell in state.cells] == [0, 1]
    assert [(net.cell_id, net.seed, net.status, net.lambdas, net.start_eta) for net in state.nets] == [
        (cell.cell_id, seed, "queued", None, None) for cell in state.cells for seed in (0, 1)
    ]
    assert state.trials == ()


def test_a_name_stands_for_one_sweep(store: Store) -> None:
    added(store)
    with pytest.raises(SweepConflict, match="holds another sweep named 'one'") as caught, store.transaction():
        store.add_sweep(samples.sweep(spec='{"name":"one","other":true}'))
    assert caught.value.stored_spec == samples.sweep().spec
    other_id, _ = added(store, name="two")
    with Reader.open(store.path) as reader:
        assert [(row.sweep_id, row.name) for row in reader.sweeps()] == [(other_id, "two"), (1, "one")]


def test_an_unknown_sweep_is_a_sentence(store: Store) -> None:
    with pytest.raises(StoreError, match="no sweep number 7"):
        store.sweep_state(7)


def test_writing_needs_a_transaction_and_only_one(store: Store) -> None:
    with pytest.raises(RuntimeError, match="needs an open transaction"):
        store.add_sweep(samples.sweep())
    with store.transaction(), pytest.raises(RuntimeError, match="already open"), store.transaction():
        raise AssertionError("never entered")


def test_a_transaction_is_whole_or_not_at_all(store: Store) -> None:
    def broken() -> None:
        with store.transaction():
            store.add_sweep(samples.sweep())
            raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert store.rev == 0
    with Reader.open(store.path) as reader:
        assert reader.sweeps() == ()
    sweep_id, nets = added(store)

    def refused() -> None:
        with store.transaction():
            store.set_lambdas(samples.lambdas(nets[0]))
            store.add_trials([samples.trial(nets[0], -1.0)])

    with pytest.raises(StoreError, match="refused a record"):
        refused()
    assert store.sweep_state(sweep_id).nets[0].lambdas is None


def test_rev_numbers_the_transactions_that_wrote(store: Store) -> None:
    _, nets = added(store)
    assert store.rev == 1
    with store.transaction():
        pass
    assert store.rev == 1
    with store.transaction():
        store.set_lambdas(samples.lambdas(nets[0]))
        (trial_id,) = store.add_trials([samples.trial(nets[1], 0.1)])
    assert store.rev == 2
    with Reader.open(store.path) as reader:
        row = reader.trial(trial_id)
        live = reader.live()
    assert row is not None
    assert row.rev == 2
    assert live is not None
    assert [cell.rev for cell in live.cells] == [2, 1]
    store.close()
    with Store.open(store.path) as reopened:
        assert reopened.rev == 2


def test_lambdas_come_back_and_non_finite_ones_are_null(store: Store) -> None:
    sweep_id, nets = added(store)
    known = samples.lambdas(nets[0])
    broken = samples.lambdas(nets[1], math.nan)
    with store.transaction():
        store.set_lambdas(known)
        store.set_lambdas(broken)
    first, second, third, _ = store.sweep_state(sweep_id).nets
    assert first.lambdas == known
    assert second.lambdas is not None
    assert math.isnan(second.lambdas.main)
    assert second.lambdas.main_residual == broken.main_residual
    assert third.lambdas is None


def test_nets_open_close_and_fail(store: Store) -> None:
    sweep_id, nets = added(store)
    with store.transaction():
        for net_id in nets:
            store.open_net(net_id, 0.25)
        store.close_net(nets[0], samples.boundary(nets[0], 0.1))
        store.close_net(nets[1], samples.boundary(nets[1], None, "none"))
        store.close_net(nets[2])
        store.fail_net(nets[3], "out of memory")
    state = store.sweep_state(sweep_id)
    assert [net.status for net in state.nets] == ["done", "done", "done", "failed"]
    assert [net.start_eta for net in state.nets] == [0.25] * 4
    with Reader.open(store.path) as reader:
        columns, rows = reader.query("eta_star")
        found = [dict(zip(columns, row, strict=True)) for row in rows]
    assert [row["eta_star"] for row in found] == [0.1, None, None, None]
    assert [row["censored"] for row in found] == [None, "none", None, None]
    assert [row["reason"] for row in found] == [None, "why", None, "out of memory"]


@pytest.mark.parametrize(
    ("found", "logs"),
    [
        ([(0.1, None), (0.3, None), (0.2, None)], [0.1, 0.3, 0.2]),
        ([(0.1, None), (1000.0, "at_max"), (None, "none")], [0.1]),
        ([(None, "none"), (None, "at_min"), (1000.0, "at_max")], []),
    ],
)
def test_cell_averages_uncensored_nets(
    store: Store, found: list[tuple[float | None, str | None]], logs: list[float]
) -> None:
    _, nets = added(store, cells=[samples.cell(0, 2, 64, (5, 6, 7))])
    for net_id, (eta_star, censored) in zip(nets, found, strict=True):
        with store.transaction():
            store.close_net(net_id, samples.boundary(net_id, eta_star, censored))
    with Reader.open(store.path) as reader:
        live = reader.live()
    assert live is not None
    (cell,) = live.cells
    values = [math.log(value) for value in logs]
    assert cell.ln_eta_star_mean == (pytest.approx(statistics.mean(values)) if values else None)
    assert cell.ln_eta_star_sd == (pytest.approx(statistics.stdev(values)) if len(values) > 1 else None)
    assert cell.censored == sum(censored is not None for _, censored in found)


def test_trials_are_stored_once_per_rate(store: Store) -> None:
    sweep_id, nets = added(store)
    wanted = [samples.trial(nets[0], 0.1), samples.trial(nets[0], 0.2, 1), samples.trial(nets[1], 0.1)]
    with store.transaction():
        ids = store.add_trials(wanted)
    rev = store.rev
    with store.transaction():
        assert store.add_trials(list(reversed(wanted))) == list(reversed(ids))
    assert store.rev == rev
    trials = store.sweep_state(sweep_id).trials
    assert [(row.trial_id, row.net_id, row.eta, row.round, row.status, row.verdict, row.attempt) for row in trials] == [
        (ids[0], nets[0], 0.1, 0, "queued", None, 0),
        (ids[1], nets[0], 0.2, 1, "queued", None, 0),
        (ids[2], nets[1], 0.1, 0, "queued", None, 0),
    ]


def test_rates_keep_every_bit(store: Store) -> None:
    sweep_id, nets = added(store)
    rates = [0.1, math.nextafter(0.1, 1), 5e-324, 1e299, 2 / 3]
    with store.transaction():
        assert len(set(store.add_trials([samples.trial(nets[0], eta) for eta in rates]))) == len(rates)
    assert [row.eta for row in store.sweep_state(sweep_id).trials] == rates


def test_fits_are_replaced_where_they_differ(store: Store) -> None:
    sweep_id, _ = added(store)

    def replace(*fits: object) -> bool:
        with store.transaction():
            return store.replace_fits(sweep_id, fits)  # type: ignore[arg-type]

    first, second = samples.fit(), samples.fit(-0.5, name="wide cells")
    assert replace(first, second)
    rev = store.rev
    assert not replace(second, first)
    assert store.rev == rev
    assert replace(samples.fit(-0.6), second)
    with Reader.open(store.path) as reader:
        live = reader.live()
    assert live is not None
    assert [(row.fit, row.exponent, row.excluded) for row in live.fits] == [
        ("all cells", -0.6, ("8x64: censored",)),
        ("wide cells", -0.5, ("8x64: censored",)),
    ]
    assert replace()
    assert not replace()
    with pytest.raises(StoreError, match="the exponent of 'depth\\*width' is nan"):
        replace(samples.fit(math.nan))


def test_events_and_the_end_of_a_sweep(store: Store) -> None:
    sweep_id, _ = added(store)
    with store.transaction():
        store.add_event("info", "driver started")
        store.add_event("warning", "slow", sweep_id)
        store.end_sweep(sweep_id, "stopped")
    with Reader.open(store.path) as reader:
        assert [row.text for row in reader.tail_events()] == ["driver started", "slow"]
        assert [row.text for row in reader.tail_events(after_event_id=1)] == ["slow"]
        assert [row.text for row in reader.tail_events(limit=1)] == ["driver started"]
        live = reader.live(events=1)
        assert live is not None
        assert [(row.at, row.level, row.text) for row in live.events] == [(1000.0, "warning", "slow")]
        assert (live.sweep.status, live.sweep.finished_at) == ("stopped", None)
        with store.transaction():
            store.reopen_sweep(sweep_id)
        assert reader.sweeps()[0].status == "open"
        with store.transaction():
            store.end_sweep(sweep_id, "done")
        assert (reader.sweeps()[0].status, reader.sweeps()[0].finished_at) == ("done", 1000.0)


def test_a_text_from_outside_is_only_text(store: Store) -> None:
    sweep_id, _ = added(store)
    nasty = "'); DROP TABLE event; -- [red]\x1b[31m\N{GREEK SMALL LETTER ETA}"
    with store.transaction():
        store.add_event("error", nasty, sweep_id)
    with Reader.open(store.path) as reader:
        assert reader.tail_events()[0].text == nasty
