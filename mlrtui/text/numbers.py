"""Numbers, times and spans as short text."""

import math
import time

__all__ = ["clock", "day", "moment", "number", "span"]


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
