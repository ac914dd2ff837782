"""What schema 4 added: the evidence of a phase, η* by area, and on which side of a net's successes a rate lies."""

import json
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


def test_trials_of_a_law_of_the_rate_are_found_by_width(tmp_path: Path) -> None:
    """Factors in any order, a rate that failed, two losses: each trial has its factor, each law and loss a family."""
    path, factors, power = tmp_path / "a.db", [8.0, 0.5, 2.0], -0.5
    cells = [
        samples.cell(place, 2, width, (0, 1), loss=loss)
        for place, (width, loss) in enumerate([(64, "ce"), (256, "ce"), (64, "mse"), (256, "mse")])
    ]
    spec = json.dumps({"name": "one", "scan": {"eta_width": {"factor": factors, "power": power}}})
    with Store.open(path) as store, store.transaction():
        sweep_id = store.add_sweep(samples.sweep(mode="scan", cells=cells, spec=spec))
        store.add_sweep(samples.sweep("two", mode="scan", cells=cells, spec=json.dumps({"scan": {"eta": [1.0]}})))
        widths = {net.net_id: cells[net.cell_id - 1].width for net in store.sweep_state(sweep_id).nets}
        for net_id, width in widths.items():
            ids = store.add_trials([samples.trial(net_id, factor * width**power) for factor in factors])
            store.open_attempts(ids, "driver", "cpu", {})
            for trial_id, factor in zip(ids, factors, strict=True):
                told = {"phase": "catapult" if factor < 8.0 else "collapsed", "phase_rule": 2, "logit_growth": 3.0}
                if (net_id, factor) == (1, 0.5):
                    told = {"phase": None, "verdict": "failed"}
                store.finish_trial(samples.outcome(trial_id, seq=0, logit_rms_initial=0.5, logit_rms_peak=9.0, **told))
    found = rows(path, "width_growth")
    assert len(found) == len(widths) * len(factors) - 1
    for row in found:
        assert row["eta"] == row["factor"] * row["width"] ** row["power"]
        assert (row["logit_rms"], row["bounded"]) == (1.5, int(row["training_loss"] == "ce"))
        assert row["survives"] == (row["factor"] < 8.0)
    families: dict[object, set[tuple[object, ...]]] = {}
    for row in found:
        families.setdefault(row["family"], set()).add((row["training_loss"], row["factor"]))
    assert sorted(families) == [1, 2, 3, 4, 5, 6]
    assert all(len(laws) == 1 for laws in families.values())
    sizes = {family: {row["width"] for row in found if row["family"] == family} for family in families}
    assert all(widths == {64, 256} for widths in sizes.values())


def test_without_evidence_of_the_second_edition_the_outputs_count_as_they_are(tmp_path: Path) -> None:
    samples.filled(tmp_path / "a.db")
    found = rows(tmp_path / "a.db", "width_growth")
    assert found
    assert all((row["logit_rms"], row["hidden_growth"]) == (2.0, None) for row in found)
