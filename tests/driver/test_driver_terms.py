"""What `--until` and `--backup-every` take, and what is said of anything else."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mlrtui.driver.terms import Backup, Terms, duration, until_time
from mlrtui.errors import BadInput

NOW = datetime(2026, 11, 29, 16, 45, 30)


def parsed(**options: object) -> Terms:
    known: dict[str, object] = {"foreground": False, "detach": False, "until": None}
    return Terms.parse(**{**known, "backup_to": None, "backup_every": None, **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "then"),
    [
        ("23:30", datetime(2026, 11, 29, 23, 30)),
        ("7:05", datetime(2026, 11, 30, 7, 5)),
        ("16:45", datetime(2026, 11, 30, 16, 45)),  # half a minute ago, so tomorrow
        ("16:45:31", datetime(2026, 11, 29, 16, 45, 31)),
        ("2026-12-01T07:00", datetime(2026, 12, 1, 7, 0)),
        ("2026-12-01 07:00:10", datetime(2026, 12, 1, 7, 0, 10)),
        ("2026-12-01", datetime(2026, 12, 1)),
        ("+6h", NOW + timedelta(hours=6)),
        ("90m", NOW + timedelta(minutes=90)),
        ("1d2h3m4s", NOW + timedelta(days=1, hours=2, minutes=3, seconds=4)),
    ],
)
def test_a_time_of_day_a_date_or_a_duration(text: str, then: datetime) -> None:
    assert until_time(text, NOW.timestamp()) == then.timestamp()


def test_a_time_with_an_offset_is_the_same_moment_everywhere() -> None:
    assert until_time("2026-12-01T07:00+02:00", NOW.timestamp()) == until_time("2026-12-01T05:00Z", NOW.timestamp())


@pytest.mark.parametrize("text", ["", "+", "soon", "24:00", "7:5", "6x", "-6h", "0m", "90", "h", "9" * 9 + "d", "3h2d"])
def test_anything_else_is_one_line(text: str) -> None:
    with pytest.raises(BadInput, match=r"--until .*: not a time; use a time of day \(23:30\)") as caught:
        until_time(text, NOW.timestamp())
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["2026-11-29T16:45", "1999-12-31", "2026-11-29T16:45:30"])
def test_the_past_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="is in the past"):
        until_time(text, NOW.timestamp())


def test_durations() -> None:
    assert (duration("10m"), duration("90s"), duration("2h"), duration("1d")) == (600.0, 90.0, 7200.0, 86400.0)
    assert [duration(text) for text in ("", "m", "0s", "10", "1.5h", "-1h", "10m ", "1h1h")] == [None] * 8


def test_options_that_contradict_each_other_or_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    wrong: list[tuple[dict[str, object], str]] = [
        ({"foreground": True, "detach": True}, "--foreground: contradicts --detach"),
        ({"backup_every": "5m"}, "--backup-every 5m: needs --backup-to PATH"),
        ({"backup_every": "often", "backup_to": tmp_path / "a.db"}, "--backup-every often: not a duration"),
        ({"backup_to": tmp_path / "folder"}, "is a folder; name a file in it"),
        ({"backup_to": tmp_path / "none" / "a.db"}, "does not exist; make it first"),
    ]
    for options, text in wrong:
        with pytest.raises(BadInput, match=text):
            parsed(**options)


def test_terms_travel_as_json_and_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "link").symlink_to("shared")
    terms = parsed(foreground=True, until="6h", backup_to=tmp_path / "link" / "a.db")
    assert terms.backup == Backup(str(tmp_path / "shared" / "a.db"), 600.0)
    assert Terms.of_json(terms.as_json()) == terms
    assert Terms.of_json(Terms().as_json()) == Terms()
