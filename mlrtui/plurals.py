"""A number of things in words, below everything that says one."""

__all__ = ["counted"]


def counted(count: int, noun: str) -> str:
    """A number of things: 1 trial, 12 trials; the noun is given in the singular.

    Example:
        >>> counted(1, "net"), counted(0, "net"), counted(2, "width")
        ('1 net', '0 nets', '2 widths')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"
