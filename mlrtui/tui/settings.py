"""The user's settings and keys: one TOML file in the platform's configuration folder, checked as a whole."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_config_path

from mlrtui.errors import BadInput
from mlrtui.tui.keymap import KEYS, SPELLED, Keys

__all__ = ["Settings", "load_settings", "settings_path"]

THEMES = ("auto", "dark", "light")
_KEY = re.compile(r"((ctrl|shift)\+)?([a-z0-9_]+|[A-Z])")
_NEVER = ("alt+", "ctrl+a", "ctrl+b", "ctrl+s", "ctrl+q", "ctrl+z")  # terminals and multiplexers keep these


@dataclass(frozen=True)
class Settings:
    """What the file says; every field may be left out of it."""

    theme: str = "auto"
    """"dark", "light", or "auto": by the variable COLORFGBG, else dark."""
    refresh: float = 2.0
    """Seconds between two looks at the store, from 0.1 to 60."""
    ascii: bool | None = None
    """Draw with ASCII alone; left out: by the locale and TERM."""
    mouse: bool = True
    """Take mouse clicks; false leaves selecting text to the terminal."""
    keys: Keys = field(default_factory=dict)
    """Table [keys]: a command's id and its key, or a list of keys."""


def settings_path() -> Path:
    """Where the settings are kept: config.toml in the configuration folder of mlrtui."""
    return user_config_path("mlrtui") / "config.toml"


def load_settings(path: Path) -> Settings:
    """Read the file; without one, the defaults.

    Raises:
        BadInput: with every mistake, each with the file, the field, the value and a remedy.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read ({error}); make it readable or move it away") from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: not TOML ({error}); correct it or move it away") from None
    mistakes: list[str] = []
    for name, value in found.items():
        remedy = _wrong(name, value)
        if remedy:
            mistakes.append(f"{path}: {name} = {value!r}: {remedy}")
    keys: dict[str, tuple[str, ...]] = {}
    table = found.get("keys", {})
    if isinstance(table, dict):
        for name, value in table.items():
            chosen, remedy = _keys(name, value)
            keys[name] = chosen
            if remedy:
                mistakes.append(f"{path}: keys.{name} = {value!r}: {remedy}")
    if not mistakes:
        mistakes = [f"{path}: {clash}" for clash in _clashes(keys)]
    if mistakes:
        raise BadInput.gather(mistakes)
    return Settings(**{name: value for name, value in found.items() if name != "keys"}, keys=keys)


def _wrong(name: str, value: object) -> str:
    """What to do about a field; "" when it is fine."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    rules: Mapping[str, tuple[bool, str]] = {
        "theme": (value in THEMES, f"use one of {', '.join(THEMES)}"),
        "refresh": (number and 0.1 <= float(str(value)) <= 60 if number else False, "seconds from 0.1 to 60"),
        "ascii": (isinstance(value, bool), "true or false"),
        "mouse": (isinstance(value, bool), "true or false"),
        "keys": (isinstance(value, dict), "a table: [keys]"),
    }
    if name not in rules:
        return f"no such setting; use one of {', '.join(rules)}"
    fine, remedy = rules[name]
    return "" if fine else remedy


def _keys(name: str, value: object) -> tuple[tuple[str, ...], str]:
    """The keys as the terminal library names them, and what to do when they are wrong."""
    if name not in {key.id for key in KEYS}:
        return (), f"no such command; use one of {', '.join(key.id for key in KEYS)}"
    wanted = [value] if isinstance(value, str) else value
    if not isinstance(wanted, list) or not wanted or not all(isinstance(key, str) for key in wanted):
        return (), 'a key such as "g", or a list of keys'
    keys = tuple(_spelled(key) for key in wanted)
    for written, key in zip(wanted, keys, strict=True):
        if not _KEY.fullmatch(key) or key.startswith(_NEVER):
            return (), f"{written!r} does not reach every terminal; use a letter, digit, sign, f1 to f12 or ctrl+letter"
    return keys, ""


def _spelled(key: str) -> str:
    """A key as people write it in the library's words: "?" is question_mark."""
    known = {shown: name for name, shown in SPELLED.items()}
    if key in known:
        return known[key]
    if len(key) == 1 and not key.isalnum():
        return unicodedata.name(key, "?").lower().replace("-", "_").replace(" ", "_")
    return key


def _clashes(keys: Keys) -> list[str]:
    """Two commands of one screen with the same key."""
    found = []
    taken: dict[tuple[str, str], str] = {}
    screens = sorted({screen for key in KEYS for screen in key.screens})
    for key in KEYS:
        for name in keys.get(key.id, key.keys):
            for screen in key.screens or screens:
                other = taken.setdefault((screen, name), key.id)
                if other != key.id:
                    found.append(f"keys.{key.id} and keys.{other} are both {name!r} on {screen}; give one another key")
    return list(dict.fromkeys(found))
