"""Real trainings on one core, in the process of the test: a sweep of tiny nets takes about a second."""

from collections.abc import Iterator, Mapping

from mlrtui.engines.fake import FakeEngine
from mlrtui_trainer.spec import Dataset, LoopRound, Message, Round, Rounds, Task
from mlrtui_trainer.worker import run_task

__all__ = ["RealEngine"]


class RealEngine(FakeEngine):
    """One slot that trains when it is polled, and counts its trainings."""

    def __init__(self) -> None:
        super().__init__()
        self.trained = 0
        self._datasets: dict[str, Dataset] = {}

    def add_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Keep what is trained on."""
        self._datasets.update(datasets)

    def answer(self, task: Task) -> Iterator[Message]:
        """What comes of a task, made while it is asked for."""
        assert not isinstance(task, LoopRound)
        rounds = task.rounds if isinstance(task, Rounds) else (task,)
        self.trained += sum(len(one.trials) for one in rounds if isinstance(one, Round))
        return run_task(task, self._datasets[task.data_id], "cpu")
