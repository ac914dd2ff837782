"""What an exception says. Imports nothing: a training's own process needs it at once."""

__all__ = ["is_out_of_memory", "said_in_short"]


def said_in_short(error: BaseException) -> str:
    """The kind of an exception and its text, shortened, without line breaks.

    >>> said_in_short(ValueError("too\\nlarge")), said_in_short(KeyboardInterrupt())
    ('ValueError: too large', 'KeyboardInterrupt')
    """
    said = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}{': ' + said if said else ''}"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, by its kind, or by its words: allocators of the CPU say so in a RuntimeError.

    >>> is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory")), is_out_of_memory(OSError("full"))
    (True, False)
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's own
        return True
    words = ("allocate memory", "bad_alloc", "out of memory")
    return isinstance(error, RuntimeError) and any(one in str(error) for one in words)
