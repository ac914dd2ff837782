"""Bad sweep files, each with its exact messages: ``bad/*.toml`` carry them in their first lines, after ``#>``."""

import os
import sqlite3
from pathlib import Path

import pytest

from mlrtui.config import load_sweep
from mlrtui.errors import BadInput

BAD = sorted((Path(__file__).parent / "bad").glob("*.toml"))


def messages_of(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(BadInput) as caught:
        load_sweep(path, overrides)
    assert caught.value.exit_code == 2
    assert all(message.isprintable() for message in caught.value.messages)
    return [message.removeprefix(f"{path}: ") for message in caught.value.messages]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_file_says_what_is_wrong(path: Path) -> None:
    expected = [line[3:] for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#> ")]
    assert expected
    assert messages_of(path) == expected


def test_there_are_enough_bad_files() -> None:
    assert len(BAD) >= 100


def test_missing_file(tmp_path: Path) -> None:
    assert messages_of(tmp_path / "nope.toml") == [
        "no such file; check the path, or start from one that `mlrtui examples` lists"
    ]


def test_folder(tmp_path: Path) -> None:
    assert messages_of(tmp_path) == ["a folder; give the path of a sweep file inside it"]


def test_device() -> None:
    assert messages_of(Path("/dev/null")) == ["not a regular file; give the path of a sweep file"]


def test_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    assert messages_of(tmp_path / "pipe.toml") == ["not a regular file; give the path of a sweep file"]


def test_file_as_folder(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("")
    assert messages_of(tmp_path / "a.toml" / "b.toml") == [
        "cannot be read (Not a directory); give the path of a sweep file"
    ]


def test_circle_of_links(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.symlink_to(path)
    (message,) = messages_of(path)
    assert message.startswith("cannot be read (")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("")
    path.chmod(0)
    assert messages_of(path) == ["may not be read; ask for read permission on it"]


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# only a comment\n", "\ufeff"], ids=["bytes", "lines", "comment", "mark"]
)
def test_empty(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text, encoding="utf-8")
    assert messages_of(path) == ["no settings in it; start from one that `mlrtui examples` lists"]


def test_binary(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert messages_of(path) == ["not a UTF-8 text (byte 0x89 at offset 0); save it as UTF-8, or check the path"]


def test_zero_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"[sweep]\nname = 'a\0b'\n")
    (message,) = messages_of(path)
    assert message.startswith("not TOML at line 2, column 10: Found invalid character")


def test_utf16(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("[sweep]", encoding="utf-16-le")
    (message,) = messages_of(path)
    assert message.startswith("not TOML at line 1, column ")


def test_store_instead_of_sweep_file(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()
    assert messages_of(path) == ["a store, not a sweep file; look at it with `mlrtui browse`"]


def test_huge(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("# " + "x" * 1_000_000)
    assert messages_of(path) == ["larger than 1000000 bytes; a sweep file is small, check the path"]


def test_nested_beyond_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("x = " + "[" * 100_000)
    assert messages_of(path) == ["not TOML that can be read: nested too deeply; flatten it"]


def test_number_of_thousands_of_digits(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("x = " + "9" * 5_000)
    assert messages_of(path) == ["not TOML that can be read: a number has thousands of digits; shorten it"]


def test_deep_dotted_keys(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("[sweep]\nname." + ".".join("x" * 2_000) + " = 1\n")
    assert messages_of(path)[0].startswith(
        "sweep.name = { x = { x = { x = { x = … } } } }: must be a text of 1 to 120 "
    )


@pytest.mark.parametrize(
    "text",
    [
        "a" + ".a" * 400_000 + " = 1",
        "[" + "a." * 400_000 + "a]",
        "a" + " . 'a'" * 150_000 + " = 1",
        "a.a = 1\n" * 9,
        ("a" + ".b" * 1_999 + "{} = 1\n") * 200,
    ],
    ids=["key", "table", "quoted", "sound", "many"],
)
def test_dotted_keys_that_would_take_minutes(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text)
    deep = ["not TOML that can be read: dotted keys of thousands of parts; flatten them"]
    assert (messages_of(path) == deep) == (len(text) > 1_000)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.toml")
    assert messages_of(tmp_path / "a.toml") == ["not a regular file; give the path of a sweep file"]


def test_mistakes_without_end_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("[sweep]\n" + "\n".join(f"k{number} = 1" for number in range(1_000)))
    found = messages_of(path)
    assert len(found) == 101
    assert found[-1] == "and 905 more mistakes"


def test_file_name_cannot_break_the_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load_sweep(tmp_path / "a\nb\x1b[31m.toml")
    (message,) = caught.value.messages
    assert message.isprintable()
    assert "a\\nb\\x1b[31m.toml: no such file" in message
