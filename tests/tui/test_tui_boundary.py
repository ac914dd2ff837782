"""Boundary: one net's search round by round, its zone, its censoring in words, the other seeds."""

from dataclasses import replace

import pytest
from test_tui_screens import shown
from tui_fakes import scan_store
from tui_laws import law_store
from tui_rows import make_net, make_trial

from mlrtui.text.lines import plain
from mlrtui.tui.boundary.chart import Bracket, Probe, Ragged, draw_boundary
from mlrtui.tui.boundary.screen import BoundaryScreen
from mlrtui.tui.boundary.search import brackets, edge_so_far, findings, ragged, rounds
from mlrtui.tui.live.screen import LiveScreen
from mlrtui_db.models import TrialRow


def asked(*answers: tuple[int, float, str]) -> tuple[TrialRow, ...]:
    return tuple(
        make_trial(at, 1, eta, round=number, verdict=verdict) for at, (number, eta, verdict) in enumerate(answers)
    )


def test_the_bracket_narrows_round_by_round() -> None:
    trials = asked(
        (0, 0.1, "reached"), (1, 0.4, "diverged"), (2, 0.2, "reached"), (3, 0.3, "dead"), (3, 0.25, "reached")
    )
    found = rounds(trials)
    assert [(row.round, row.low, row.high) for row in found] == [
        (0, 0.1, None),
        (1, 0.1, 0.4),
        (2, 0.2, 0.4),
        (3, 0.25, 0.3),
    ]
    assert [trial.eta for trial in found[3].trials] == [0.25, 0.3]
    assert brackets(found) == (Bracket(1, 0.1, 0.4), Bracket(2, 0.2, 0.4), Bracket(3, 0.25, 0.3))
    assert edge_so_far(make_net(1, status="open"), trials) == (0.25, 0.3)
    # A success above a failure moves the bracket up: the edge is ragged.
    later = (*trials, *asked((4, 0.35, "reached")))
    assert (rounds(later)[-1].low, rounds(later)[-1].high) == (0.35, 0.4)


def test_a_machine_fault_is_no_failure_of_the_rate() -> None:
    trials = asked((0, 0.1, "reached"), (1, 0.4, "failed"))
    assert edge_so_far(make_net(1), trials) == (0.1, None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"censored": "at_max", "reason": "eta_max = 2 still succeeds"}, "lower bound"),
        ({"censored": "at_min", "eta_star": None}, "upper bound"),
        ({"censored": "none", "eta_star": None}, "no rate of the range succeeds"),
        ({"zone_octaves": 0.0, "eta_area": 0.25, "reversals": 0}, "no ragged zone, area estimate 0.25"),
        ({"zone_octaves": 0.5, "eta_area": 0.21, "reversals": 2}, "ragged zone of 0.5 octaves, area estimate 0.21"),
        ({"reversals": 2}, "turns back 2 times"),
        ({"reversals": 0}, "successes lie below all failures"),
        ({"status": "open", "eta_star": None}, "last success so far 0.25"),
        ({"status": "failed", "reason": "lambda0 did not converge"}, "lambda0 did not converge"),
    ],
)
def test_what_was_found_is_said_in_words(changes: dict[str, object], words: str) -> None:
    net = make_net(1, **{"eta_star": 0.25, "first_failure": 0.3, **changes})
    said = " / ".join(text for _, text in findings(net, asked((0, 0.25, "reached"), (1, 0.3, "diverged"))))
    assert words in said
    if "reason" in changes:
        assert str(changes["reason"]) in said


def test_the_chart_draws_brackets_and_the_zone() -> None:
    probes = [Probe(0.1, 0, "+", "done"), Probe(1.0, 1, "x", "diverged"), Probe(0.3, 2, "+", "done")]
    net = make_net(1, eta_star=0.3, first_failure=1.0, zone_octaves=1.0, eta_area=0.2)
    zone = ragged(net)
    assert zone == Ragged(0.15, 0.3, 0.2)
    rows = [
        plain(row)
        for row in draw_boundary(probes, 0.3, 1.0, 70, 12, True, brackets=(Bracket(1, 0.1, 1.0),), ragged=zone)
    ]
    assert len(rows) == 12
    first, second = rows[0], next(row for row in rows if row.strip().startswith("r1"))
    assert second.index("-") == first.index("+")  # the bar starts below the first success
    assert second.rstrip().endswith("x")
    (shade,) = (row for row in rows if row.strip().startswith("zone"))
    assert shade.count("a") == 1
    assert shade.index(":") < shade.index("a") < shade.rindex(":")
    assert shade.rindex(":") == rows[1].index("|", 8)  # the zone ends at the line of η*
    assert ragged(replace(net, zone_octaves=None)) is None


async def test_b_opens_the_search_brackets_go_to_the_other_seed_and_enter_to_the_trial() -> None:
    store = law_store()
    async with shown(store) as view:
        await view.press("up", "b")
        await view.until(lambda: isinstance(view.app.screen, BoundaryScreen) and "L6 n256" in view.text())
        first = "seed 0" if "seed 0" in view.text() else "seed 1"
        await view.press("right_square_bracket")
        assert first not in view.text()
        await view.press("left_square_bracket")
        assert first in view.text()
        trials = sorted((t for t in store.trials[12] if t.seed == int(first[-1])), key=lambda trial: trial.eta)
        for _ in trials:
            await view.press("right")
        assert f"η {trials[-1].eta:.6g} · inf @9" in view.text()
        await view.press("left", "enter")
        await view.until(lambda: isinstance(view.app.screen, LiveScreen))
        await view.until(lambda: view.reading.trial_id == trials[-2].trial_id)


async def test_the_censored_net_says_why() -> None:
    async with shown(law_store(), (160, 48)) as view:
        await view.press(*["up"] * 4, "left", "left", "b")
        await view.until(lambda: "L2 n64 seed" in view.text())
        assert "! censored: η* is a lower bound" in view.text()
        assert "eta_max = 0.1 still succeeds" in view.text()


async def test_a_scan_has_no_search_and_says_so() -> None:
    async with shown(scan_store()) as view:
        await view.press("b")
        await view.until(lambda: "a scan trains given rates" in view.text())
        await view.press("right", "right_square_bracket", "enter", "escape")
        await view.until(lambda: isinstance(view.app.screen, LiveScreen))


async def test_the_cursor_outlives_the_help() -> None:
    async with shown(law_store()) as view:
        await view.press("up", "b")
        await view.until(lambda: "L6 n256" in view.text())
        await view.press("left", "left", "left")
        before = view.text()
        await view.press("question_mark")
        assert view.text() != before
        await view.press("escape")
        await view.until(lambda: view.text() == before)


def test_the_mark_of_the_chosen_trial_ends_at_its_cell() -> None:
    probes = [Probe(0.01, 0, "✓", "done"), Probe(0.1, 1, "✗", "diverged", chosen=True)]
    runs = [run for line in draw_boundary(probes, 0.01, None, 60, 10) for run in line if run[1] == "diverged-chosen"]
    assert runs == [("✗", "diverged-chosen")]
