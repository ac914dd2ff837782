"""What workers have sent since the last commit."""

from mlrtui.engines.base import FromWorker
from mlrtui_trainer.spec import LambdaAtInit, Message, Outcome, TaskDone, TaskFailed, WorkerLoad

__all__ = ["Inbox"]

_URGENT = (LambdaAtInit, Outcome, TaskDone, TaskFailed)  # a slot or a search waits for these


class Inbox:
    """Records in the order in which they came, with what decides how long they may wait: counted, not looked for."""

    def __init__(self) -> None:
        self.records: list[tuple[int, Message]] = []
        """With the slot of each."""

        self.rows = 0
        """As many as the store gets of them, about."""

        self.is_urgent = False
        """Whether a slot or a search waits for one of them."""

        self.ended = 0
        """Tasks whose end is among them."""

    def add(self, event: FromWorker) -> None:
        """Put a record in, unless it is nothing for the store."""
        if isinstance(event.message, WorkerLoad):
            return
        self.records.append((event.slot, event.message))
        self.rows += event.rows
        self.is_urgent |= isinstance(event.message, _URGENT)
        self.ended += isinstance(event.message, TaskDone | TaskFailed)
