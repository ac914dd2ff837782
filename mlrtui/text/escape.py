"""Text from outside made fit for a terminal: nothing in it moves the cursor, changes colours or starts a line."""

__all__ = ["one_line"]


def one_line(text: str) -> str:
    """The text with every character that could break or recolour a terminal line written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
