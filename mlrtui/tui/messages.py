"""Messages from the feed to the app: frozen, and in a burst only the newest is handled."""

from textual.message import Message

from mlrtui.tui.state import Reading

__all__ = ["StoreRead"]


class StoreRead(Message, bubble=False):
    """A turn of the feed found something new."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        """A newer reading holds all that an older one did."""
        return isinstance(message, StoreRead)
