"""Which part of a list is visible."""

__all__ = ["window"]


def window(count: int, cursor: int, room: int) -> range:
    """`room` consecutive indices of a list of `count` that hold the cursor, as far up as possible."""
    if count <= room:
        return range(count)
    room = max(room, 1)
    first = min(max(cursor - room + 1, 0), count - room)
    return range(first, first + room)
