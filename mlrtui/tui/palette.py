"""Roles to colours. The colours are those of Okabe and Ito, which people with any colour vision tell apart.

Only foregrounds are set, so the terminal's own background, light or dark, stays. Without colour the attributes remain.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from rich.style import Style

__all__ = ["style_of"]

_BLUE, _SKY, _GREEN = "#2f8fd0", "#56b4e9", "#009e73"
_ORANGE, _RED, _PURPLE = "#e69f00", "#e0602a", "#cc79a7"

_ROLES: Mapping[str, Style] = MappingProxyType(
    {
        "": Style(),
        "strong": Style(bold=True),
        "dim": Style(dim=True),
        "note": Style(italic=True),
        "cursor": Style(reverse=True),
        "frame": Style(dim=True),
        "frame-focus": Style(color=_SKY),
        "title": Style(bold=True),
        "axis": Style(dim=True),
        "curve": Style(color=_SKY),
        "curve-2": Style(color=_PURPLE),
        "theory": Style(color=_GREEN),
        "cursor-line": Style(dim=True),
        "curve-3": Style(color=_GREEN),
        "curve-4": Style(color=_ORANGE),
        "curve-5": Style(color=_RED),
        "curve-6": Style(color=_BLUE),
        "edge": Style(color=_ORANGE),
        "band": Style(color=_ORANGE, dim=True),
        "zone": Style(color=_PURPLE),
        "bad": Style(color=_RED, bold=True),
        "heat-0": Style(color=_BLUE),
        "heat-1": Style(color=_SKY),
        "heat-2": Style(color=_GREEN),
        "heat-3": Style(color=_ORANGE),
        "heat-4": Style(color=_RED),
        "done": Style(color=_GREEN),
        "running": Style(color=_SKY, bold=True),
        "at-edge": Style(color=_SKY),
        "controlled": Style(color=_BLUE),
        "catapult": Style(color=_PURPLE),
        "unfinished": Style(color=_ORANGE, dim=True),
        "collapsed": Style(color=_RED, dim=True),
        "diverged": Style(color=_RED),
        "failed": Style(color=_RED, bold=True, underline=True),
        "waiting": Style(dim=True),
        "slow": Style(color=_ORANGE),
        "stopped": Style(color=_ORANGE, bold=True),
        "live": Style(color=_GREEN),
        "quiet": Style(dim=True),
        "stale": Style(color=_ORANGE),
        "key": Style(bold=True),
        "value": Style(color=_BLUE, bold=True),
    }
)


# The same hues, dark enough to be read on white: each has a contrast of at least 4.5 there.
_ON_LIGHT: Mapping[str, str] = MappingProxyType(
    {
        _BLUE: "#0067a8",
        _SKY: "#0b6fae",
        _GREEN: "#00704f",
        _ORANGE: "#8f5f00",
        _RED: "#b23c06",
        _PURPLE: "#9a3f73",
    }
)


@cache
def style_of(role: str, color: bool = True, light: bool = False) -> Style:
    """The style of a role; "ROLE-chosen" is the role under the cursor. Unknown roles are plain."""
    base = role.removesuffix("-chosen")
    style = _ROLES.get(base, _ROLES[""])
    if light and style.color is not None:
        style += Style(color=_ON_LIGHT[style.color.name])
    if role != base:
        style += _ROLES["cursor"]
    return style if color else style.without_color
