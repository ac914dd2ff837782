"""SQL of a schema as tokens, so that texts of one meaning, such as before and after ALTER TABLE, compare as equal."""

import re
from functools import lru_cache

__all__ = ["Tokens", "definitions", "identifier", "tokens"]

Tokens = tuple[str, ...]

_TOKEN = re.compile(
    r"""(?P<skipped>[ \t\n\f\r]+|--[^\n]*|/\*.*?(?:\*/|\Z))
      | '(?:[^']|'')*'
      | "(?P<double>(?:[^"]|"")*)" | \[(?P<square>[^\]]*)\] | `(?P<back>(?:[^`]|``)*)`
      | [A-Za-z0-9_.$\x80-\U0010ffff]+
      | .""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN = re.compile(r"[A-Za-z0-9_.$\x80-\U0010ffff]+")


@lru_cache(maxsize=512)
def tokens(sql: str) -> Tokens:
    """Words, strings and signs without white space and comments; a quoted name that needs no quotes loses them."""
    found = []
    for match in _TOKEN.finditer(sql):
        if match["skipped"] is None:
            found.append(match[0] if match.lastgroup is None else identifier(_name(match)))
    return tuple(found)


def identifier(name: str) -> str:
    """A name as `tokens` gives it: in double quotes where it needs quotes."""
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'


def _name(match: "re.Match[str]") -> str:
    if match["back"] is not None:
        return match["back"].replace("``", "`")
    return match["square"] if match["double"] is None else match["double"].replace('""', '"')


def definitions(table: Tokens) -> tuple[Tokens, ...]:
    """The columns and constraints of a CREATE TABLE, each as tokens, and at last what follows the parentheses."""
    parts: list[Tokens] = []
    depth, begun = 0, table.index("(") + 1 if "(" in table else len(table)
    for place, token in enumerate(table):
        if token == ")":
            depth -= 1
        if (depth == 1 and token == ",") or (depth == 0 and token == ")"):
            parts.append(table[begun:place])
            begun = place + 1
            if depth == 0:
                break
        if token == "(":
            depth += 1
    return (*parts, table[begun:])
