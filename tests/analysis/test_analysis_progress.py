"""Counts to seconds to words."""

from math import inf, nan

import pytest

from mlrtui.analysis.progress import eta_seconds, expected_trials, format_duration


@pytest.mark.parametrize(
    ("done", "expected", "elapsed", "left"),
    [
        (10, 40, 5.0, 15.0),
        (40, 40, 5.0, 0.0),
        (41, 40, 5.0, 0.0),
        (0, 0, 0.0, 0.0),
        (0, 40, 5.0, None),
        (3, 40, 0.0, None),
        (3, 40, nan, None),
    ],
)
def test_seconds_left(done, expected, elapsed, left):
    assert eta_seconds(done, expected, elapsed) == left


def test_expected_trials_start_from_the_plan_and_follow_what_is_seen():
    assert expected_trials(nets=30, nets_done=0, trials_of_done=0, typical=10.0) == 300
    assert expected_trials(nets=30, nets_done=29, trials_of_done=29 * 14, typical=14.0) == 30 * 14
    assert expected_trials(nets=30, nets_done=30, trials_of_done=377, typical=10.0) == 377
    halfway = expected_trials(nets=30, nets_done=15, trials_of_done=15 * 20, typical=10.0)
    assert 300 + 15 * 19 < halfway < 300 + 15 * 20


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (-3.0, "0 s"),
        (8.4, "8 s"),
        (59.6, "1 min 00 s"),
        (200.0, "3 min 20 s"),
        (3599.7, "1 h 00 min"),
        (7500.0, "2 h 05 min"),
        (273_600.0, "3 d 4 h"),
        (None, "unknown"),
        (nan, "unknown"),
        (inf, "unknown"),
    ],
)
def test_durations_in_words(seconds, text):
    assert format_duration(seconds) == text
