"""One net's search as the screens tell it: its edge so far, round by round, and its censoring in words."""

from collections.abc import Sequence
from dataclasses import dataclass

from mlrtui.text.marks import Marks, at_rest, trial_state
from mlrtui.text.numbers import counted, exact, factor, number
from mlrtui.tui.boundary.chart import Bracket, Probe, Ragged
from mlrtui_db.models import NetRow, TrialRow

__all__ = [
    "RoundRow",
    "brackets",
    "edge_so_far",
    "eta_star_text",
    "findings",
    "probe_of",
    "ragged",
    "rounds",
    "side",
]

_SIDES = {"below": "slow", "above": "unstable", "within": "ragged"}

_BOUNDS = {
    "at_max": "η* is a lower bound: the largest rate of the range still succeeds",
    "at_min": "η* is an upper bound: every rate down to the smallest of the range fails",
    "none": "no η*: no rate of the range succeeds",
}


@dataclass(frozen=True)
class RoundRow:
    """One question of the search: the rates that it asked for, and the edge once they were answered."""

    round: int
    trials: tuple[TrialRow, ...]  # by learning rate
    low: float | None  # last success so far
    high: float | None  # first failure above it so far


def fails(trial: TrialRow) -> bool:
    """Ended without success, and not by the machine's fault."""
    return trial.status == "done" and trial.verdict not in ("reached", "finished", "failed", None)


def probe_of(trial: TrialRow, marks: Marks, chosen: bool, alive: bool = True) -> Probe:
    """A trial as a mark of the search chart; `alive`: a driver is at work."""
    state = "done" if trial.verdict == "reached" else at_rest(trial_state(trial), alive)
    return Probe(trial.eta, trial.round, marks.glyph(state), state, chosen)


def edge_so_far(net: NetRow, trials: Sequence[TrialRow]) -> tuple[float | None, float | None]:
    """η* and the first failure; while the search is under way, the last success and the failure above it so far."""
    return (net.eta_star, net.first_failure) if net.eta_star is not None else _edge(trials)


def eta_star_text(net: NetRow, digits: int = 3) -> str:
    """η* with its standard error: "0.312 ± 0.0045"; without one the number alone. The net must have an η*."""
    assert net.eta_star is not None
    error = "" if net.eta_star_se is None else f" ± {exact(net.eta_star_se, 2)}"
    return f"{exact(net.eta_star, digits)}{error}"


def side(net: NetRow, trials: Sequence[TrialRow], trial: TrialRow) -> str:
    """What a missed threshold means by the rates around it: slow, unstable or ragged; "" where nothing tells.

    The successes of the window decide, of all trials while there is none: the same as column ``side`` of `boundaries`.
    """
    if trial.status != "done" or trial.verdict not in ("not-reached", "stalled"):
        return ""
    low, high = net.window_low, net.window_high
    successes = [
        other.eta
        for other in trials
        if other.verdict == "reached"
        and (low is None or high is None or 0.999999 * low <= other.eta <= 1.000001 * high)
    ]
    if not successes:
        return ""
    return _SIDES["below" if trial.eta < min(successes) else "above" if trial.eta > max(successes) else "within"]


def rounds(trials: Sequence[TrialRow]) -> tuple[RoundRow, ...]:
    """The search of one net, question by question."""
    rows = []
    for number_ in sorted({trial.round for trial in trials}):
        asked = tuple(sorted((t for t in trials if t.round == number_), key=lambda trial: trial.eta))
        rows.append(RoundRow(number_, asked, *_edge([trial for trial in trials if trial.round <= number_])))
    return tuple(rows)


def brackets(rows: Sequence[RoundRow]) -> tuple[Bracket, ...]:
    """What each round left open, where both of its ends are known."""
    return tuple(Bracket(row.round, row.low, row.high) for row in rows if row.low is not None and row.high is not None)


def ragged(net: NetRow) -> Ragged | None:
    """The zone in which successes and failures mix; None before the search has ended with a success."""
    last = net.eta_star if net.eta_rule == 1 else net.eta_last
    if net.eta_star is None or last is None or net.zone_octaves is None:
        return None
    return Ragged(last / 2.0**net.zone_octaves, last, net.eta_area)


def findings(net: NetRow, trials: Sequence[TrialRow]) -> list[tuple[str, str]]:
    """What the search found, as (role, sentence)."""
    best, worst = edge_so_far(net, trials)
    asked = max((trial.round for trial in trials), default=-1) + 1
    ended = sum(trial.status in ("done", "failed") for trial in trials)
    says = [("dim", f"{net.status}: {counted(asked, 'round')}, {ended} of {len(trials)} trials ended")]
    by_area = net.eta_rule >= 2
    if net.eta_star is not None:
        name = "η*" if by_area else "η*, last success"
        says.append(("value", f"{name} {eta_star_text(net, 6)}"))
    elif best is not None:
        says.append(("value", f"last success {'' if net.status == 'done' else 'so far '}{exact(best)}"))
    if by_area and net.window_low is not None and net.window_high is not None:
        window = f"{number(net.window_low)} – {number(net.window_high)}"
        says.append(("", f"the area over {window}, in which {net.successes} rates succeed"))
    if worst is not None:
        apart = "" if best is None else f" ({factor(worst / best, 4)})"
        says.append(("diverged", f"first failure {exact(worst)}{apart}"))
    if by_area and net.eta_star is not None and net.eta_last is not None:
        says.append(("dim", f"last success {exact(net.eta_last)}: it grows with the number of rates tried"))
    if net.zone_octaves is not None:
        zone = "no ragged zone" if net.zone_octaves == 0 else f"ragged zone of {number(net.zone_octaves)} octaves"
        area = "" if by_area or net.eta_area is None else f", area estimate {exact(net.eta_area)}"
        says.append(("", f"{zone}{area}"))
    if net.reversals is not None:
        times = "once" if net.reversals == 1 else f"{net.reversals} times"
        says.append(("", "successes lie below all failures" if not net.reversals else f"turns back {times}"))
    if net.censored is not None:
        said = _BOUNDS.get(net.censored, net.censored)
        says.append(("stale", f"! censored: {said}"))
    if net.reason:
        says.append(("stale", net.reason))
    if net.lambda0 is not None:
        at = "" if best is None or net.lambda0_preconditioned is None else (
            f" · η*·λ₀ {number(best * net.lambda0_preconditioned)}"
        )  # fmt: skip
        says.append(("dim", f"λ₀ {exact(net.lambda0)}{at}"))
    return says


def _edge(trials: Sequence[TrialRow]) -> tuple[float | None, float | None]:
    best = max((trial.eta for trial in trials if trial.verdict == "reached"), default=None)
    above = (trial.eta for trial in trials if fails(trial) and (best is None or trial.eta > best))
    return best, min(above, default=None)
