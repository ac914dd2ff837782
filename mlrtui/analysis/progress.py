"""How long a sweep will still take, from counts alone: pure functions, no clock."""

from math import isfinite

__all__ = ["eta_seconds", "expected_trials", "format_duration"]

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def expected_trials(nets: int, nets_done: int, trials_of_done: int, typical: float) -> int:
    """Trials that a whole sweep will take.

    ``trials_of_done`` counts the trials of the nets that are done; the others are taken to need the average of these,
    with ``typical`` (trials of one net, as planned) standing in as one more net so that the first ones do not decide.
    """
    average = (trials_of_done + typical) / (nets_done + 1)
    return trials_of_done + round(max(nets - nets_done, 0) * average)


def eta_seconds(done: int, expected: int, elapsed_active: float) -> float | None:
    """Seconds left at the pace so far; None while there is no pace yet.

    ``elapsed_active`` counts the seconds in which trials ran, without the pauses between a stop and its resume.
    """
    if done >= expected:
        return 0.0
    if done <= 0 or not isfinite(elapsed_active) or elapsed_active <= 0.0:
        return None
    return elapsed_active * (expected - done) / done


def format_duration(seconds: float | None) -> str:
    """Two units at most: "8 s", "3 min 20 s", "2 h 05 min", "3 d 4 h"; "unknown" for None and what is not finite."""
    if seconds is None or not isfinite(seconds):
        return "unknown"
    whole = max(round(seconds), 0)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"
