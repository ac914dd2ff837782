"""Numbers as text, one function for each kind: no screen, report or command formats a float itself.

Short: `number`. In full, as in "η 0.0312451": `exact`; of an axis: `apart`. With fixed places: `power`, `interval`,
`r_squared`, `decades`, `accuracy`, `factor`, `fixed`. Whole numbers that come as floats: `whole`. Sizes:
`megabytes`, `gibibytes`. Times: `clock`, `moment`, `day`, `span`, `about`. Of many: `many`, and with what is counted
`counted`.
"""

import math
import time
from collections.abc import Sequence

from mlrtui.plurals import counted

__all__ = [
    "about",
    "accuracy",
    "apart",
    "clock",
    "counted",
    "day",
    "decades",
    "exact",
    "factor",
    "fixed",
    "gibibytes",
    "interval",
    "many",
    "megabytes",
    "moment",
    "number",
    "power",
    "r_squared",
    "span",
    "whole",
]


def number(value: float | None, digits: int = 3) -> str:
    """A number in at most digits + 4 characters: 0.0125, 31.2, 1.3e5; "-" for None."""
    if value is None:
        return "-"
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if value == 0:
        return "0"
    size = abs(value)
    if 0.01 <= size < 10_000:
        rounded = float(f"{value:.{digits}g}")
        return f"{rounded:.0f}" if abs(rounded) >= 10 ** (digits - 1) else f"{rounded:.{digits}g}"
    mantissa, exponent = f"{value:.{max(digits - 2, 0)}e}".split("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}"


def exact(value: float | None, digits: int = 6) -> str:
    """A learning rate, λ, a loss or a size in full: 0.0312451, 1.2e-07; "-" for None.

    Example:
        >>> exact(0.03124512), exact(2.0), exact(None)
        ('0.0312451', '2', '-')
    """
    if value is None:
        return "-"
    return f"{value:.{digits}g}" if math.isfinite(value) else number(value)


def apart(texts: Sequence[str], digits: int = 3) -> tuple[str, ...]:
    """The values of an axis in as few digits as keep them apart; short ones and words stay as they are.

    Example:
        >>> apart(["0.0012409377607517198", "0.001", "ce"]), apart(["0.123456", "0.123457"])
        (('0.00124', '0.001', 'ce'), ('0.123456', '0.123457'))
    """
    for more in range(digits, 17):
        shown = tuple(exact(float(text), more) if _is_long(text) else text for text in texts)
        if len({*shown}) == len({*texts}):
            return shown
    return tuple(texts)


def _is_long(text: str) -> bool:
    """Whether a text is a number of more characters than a column has room for."""
    if len(text) <= 6 or "." not in text:
        return False
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def fixed(value: float, places: int = 2) -> str:
    """So many places after the point: 0.97."""
    return f"{value:.{places}f}"


def power(value: float, places: int = 2, *, signed: bool = False) -> str:
    """An exponent, a slope or a residual with a minus sign of its own: −0.52; ``signed``: +0.52 as well.

    Example:
        >>> power(-0.524), power(0.5, signed=True)
        ('−0.52', '+0.50')
    """
    return f"{value:{'+' if signed else ''}.{places}f}".replace("-", "−")


def interval(low: float | None, high: float | None) -> str:
    """A confidence interval in ASCII, as reports print it: [-0.61, -0.43]; "" where there is none."""
    return "" if low is None or high is None else f"[{low:.2f}, {high:.2f}]"


def r_squared(value: float | None, places: int = 2) -> str:
    """The quality of a fit: R² 0.97; "" for None."""
    return "" if value is None else f"R² {value:.{places}f}"


def decades(value: float) -> str:
    """What a fit spans: 1.2 decades."""
    return f"{value:.1f} decades"


def accuracy(value: float | None) -> str:
    """A share of right answers: 0.912; "-" for None."""
    return "-" if value is None else f"{value:.3f}"


def factor(value: float, places: int = 3) -> str:
    """How many times as large: ×1.053."""
    return f"×{value:.{places}f}"


def whole(value: float) -> str:
    """A whole number that comes as a float: 1200."""
    return f"{value:.0f}"


def megabytes(size: int) -> str:
    """The size of a file, from bytes: 3.4 MB."""
    return f"{size / 1e6:.1f} MB"


def gibibytes(size: int) -> str:
    """Space on a disk, from bytes: 12.5 GiB."""
    return f"{size / (1 << 30):.1f} GiB"


def span(seconds: float) -> str:
    """A duration in two units at most: 45s, 3m, 1h12m, 2d4h."""
    if seconds < 60:
        return f"{max(int(seconds), 1)}s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h{minutes:02d}m"
    return f"{hours // 24}d{hours % 24}h"


def about(seconds: float, low: float | None = None, high: float | None = None) -> str:
    """A duration that is estimated, with its interval in the same unit: about 12 min (9–17).

    Example:
        >>> about(730, 550, 1010), about(12_000, 9_000, 20_000), about(8.2)
        ('about 12 min (9–17)', 'about 3.3 h (2.5–5.6)', 'about 8 s')
    """
    size, unit = next((one for one in _UNITS if seconds < one[2]), _UNITS[-1])[:2]
    places = 0 if unit == "s" or seconds >= 9.95 * size else 1
    parts = [_in_unit(value / size, places, unit == "s") for value in (seconds, low, high) if value is not None]
    spread = f" ({parts[1]}–{parts[2]})" if len(parts) == 3 and parts[1] != parts[2] else ""
    return f"about {parts[0]} {unit}{spread}"


_UNITS = ((1.0, "s", 100.0), (60.0, "min", 5_400.0), (3_600.0, "h", 172_800.0), (86_400.0, "days", math.inf))
"""Seconds of a unit, its name, and up to how many seconds it is used."""


def _in_unit(value: float, places: int, in_seconds: bool) -> str:
    """In as many digits as an estimate deserves: few changes on a screen while it is counted down."""
    if in_seconds:
        return f"{max(value, 1):.0f}" if value < 20 else f"{5 * round(value / 5)}"
    return f"{value:.{0 if value >= 10 else places}f}".removesuffix(".0")


def many(value: float) -> str:
    """A number of things, or of things a second: 3.4, 950, 12.3k, 1.25M.

    Example:
        >>> many(3.42), many(950.2), many(12_340), many(1_250_000)
        ('3.4', '950', '12.3k', '1.25M')
    """
    if value < 10:
        return f"{value:.1f}".removesuffix(".0")
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size * 0.9995:
            return f"{value / size:.3g}{sign}"
    return f"{value:.0f}"


def clock(at: float) -> str:
    """The local time of day."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def moment(at: float) -> str:
    """Month, day and local time of day: 11-17 22:48."""
    return time.strftime("%m-%d %H:%M", time.localtime(at))


def day(at: float, now: float) -> str:
    """A date as people say it: today 11:40, 11-17 22:48, 2024-11-17."""
    then, today = time.localtime(at), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime("today %H:%M", then)
    if then.tm_year == today.tm_year:
        return moment(at)
    return time.strftime("%Y-%m-%d", then)
