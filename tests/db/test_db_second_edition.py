"""What schema 4 added: the evidence of a phase, η* by area, and on which side of a net's successes a rate lies."""

import math
from dataclasses import fields, replace
from pathlib import Path

import db_samples as samples
import pytest

from mlrtui_db.reader import Reader
from mlrtui_db.records import TrialOutcome
from mlrtui_db.store import Store

EVIDENCE = [field.name for field in fields(TrialOutcome)]
EVIDENCE = EVIDENCE[EVIDENCE.index("peak_smoothed") :]


def rows(path: Path, view: str) -> list[dict[str, object]]:
    with Reader.open(path) as reader:
        columns, found = reader.query(view)
        return [dict(zip(columns, row, strict=True)) for row in found]


def test_the_evidence_of_a_phase_comes_back_and_goes_with_the_next_attempt(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    numbers = {name: 1.0 + place / 8 for place, name in enumerate(EVIDENCE)}
    told = {"phase": "edge", "phase_rule": 2, "phase_basis": "loss+sharpness", "phase_reason": "because", **numbers}
    with Store.open(path) as store, store.transaction():
        store.add_sweep(samples.sweep())
        ids = store.add_trials([samples.trial(1, 0.1), samples.trial(1, 0.2)])
        store.open_attempts(ids, "driver", "cpu", {})
        store.finish_trial(samples.outcome(ids[0], seq=0, **told))
        store.finish_trial(samples.outcome(ids[1], seq=0, rise=math.inf, drift=math.nan, verdict="failed", phase=None))
    first, second = rows(path, "phases")
    assert {name: first[name] for name in told} == told
    assert (second["rise"], second["drift"], second["phase_rule"]) == (None, None, None)
    with Reader.open(path) as reader:
        assert [trial.phase_rule for trial in reader.live().trials] == [2, None]
    with Store.open(path) as store, store.transaction():
        store.open_attempts(ids[1:], "driver", "cpu", {})
        store.finish_trial(samples.outcome(ids[1], attempt=2, seq=0, **{**told, "rise": None}))
    again = rows(path, "phases")[1]
    assert (again["rise"], again["drift"]) == (None, numbers["drift"])


def searched(path: Path, verdicts: dict[float, str | None], **boundary: object) -> list[dict[str, object]]:
    """A net with trials at these rates; the net is done where something is said of its boundary."""
    with Store.open(path) as store, store.transaction():
        store.add_sweep(samples.sweep())
        ids = store.add_trials([samples.trial(1, eta) for eta in verdicts])
        store.open_attempts(ids, "driver", "cpu", {})
        for trial_id, verdict in zip(ids, verdicts.values(), strict=True):
            if verdict is not None:
                store.finish_trial(samples.outcome(trial_id, seq=0, verdict=verdict))
        if boundary:
            store.close_net(1, replace(samples.boundary(1, 0.2), **boundary))
    return rows(path, "boundaries")


def sides(found: list[dict[str, object]]) -> dict[object, object]:
    return {row["eta"]: row["side"] for row in found}


def test_a_missed_threshold_is_slow_or_unstable_by_the_rates_around_it(tmp_path: Path) -> None:
    verdicts = {0.1: "not-reached", 0.2: "reached", 0.3: "not-reached", 0.4: "reached", 0.5: "not-reached", 0.6: None}
    assert sides(searched(tmp_path / "a.db", verdicts)) == {
        0.1: "below", 0.2: "within", 0.3: "within", 0.4: "within", 0.5: "above", 0.6: None,
    }  # fmt: skip


def test_without_a_success_no_side_is_known(tmp_path: Path) -> None:
    found = searched(tmp_path / "a.db", {0.1: "not-reached", 0.5: "diverged"})
    assert sides(found) == {0.1: None, 0.5: None}


def test_a_success_outside_the_window_moves_no_side(tmp_path: Path) -> None:
    third = 0.3 / 3 * 3  # a rate that is not its decimal: the window's ends are compared with room for rounding
    verdicts = {0.1: "reached", 0.2: "reached", third: "reached", 0.4: "not-reached", 0.5: "diverged", 0.9: "reached"}
    found = searched(tmp_path / "a.db", verdicts, eta_rule=2, window_low=0.2 * (1 + 1e-12), window_high=0.5)
    assert sides(found) == {
        0.1: "below", 0.2: "within", third: "within", 0.4: "above", 0.5: "above", 0.9: "above",
    }  # fmt: skip


@pytest.mark.parametrize("rule", [1, 2])
def test_eta_star_says_its_rule_and_keeps_the_largest_success(tmp_path: Path, rule: int) -> None:
    area = {"eta_last": 0.25, "eta_star_se": 0.03, "window_low": 0.1, "window_high": 0.4, "successes": 7}
    said = {"eta_rule": rule, **(area if rule == 2 else {})}
    searched(tmp_path / "a.db", {0.1: "reached"}, eta_star=0.2, **said)
    row = next(row for row in rows(tmp_path / "a.db", "eta_star") if row["net_id"] == 1)
    empty = dict.fromkeys(area) | {"eta_last": 0.2}
    assert {name: row[name] for name in ("eta_rule", *area)} == {"eta_rule": rule, **(area if rule == 2 else empty)}
    with Reader.open(tmp_path / "a.db") as reader:
        net = reader.live(cell_id=1).nets[0]
        assert {name: getattr(net, name) for name in area} == (area if rule == 2 else empty)
