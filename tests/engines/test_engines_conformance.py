"""Our own engines pass the checks that engines of other packages can be given."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from mlrtui.engines import conformance
from mlrtui.engines.base import Engine, EngineEvent, FromWorker
from mlrtui.engines.fake import FakeEngine
from mlrtui.engines.local import LocalEngine


@pytest.fixture(scope="module", params=[FakeEngine, lambda: LocalEngine(["cpu", "cpu"])], ids=["fake", "local"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    opened: Engine = request.param()
    yield opened
    conformance.check_close(opened)


@pytest.mark.parametrize("check", conformance.CHECKS)
def test_an_engine_of_ours(engine: Engine, check: Callable[[Engine], None]) -> None:
    check(engine)


def test_a_local_worker_that_dies() -> None:
    engine = LocalEngine(["cpu"])

    def kill(engine: Engine, slot: int) -> None:
        assert isinstance(engine, LocalEngine)
        os.kill(engine._workers[slot].process.pid, signal.SIGKILL)

    try:
        conformance.check_death(engine, kill)
    finally:
        engine.close()


class Broken(FakeEngine):
    """Forgets the first record of all."""

    begun = False

    def poll(self, timeout: float) -> list[EngineEvent]:
        events = super().poll(timeout)
        if events and not self.begun and isinstance(events[0], FromWorker):
            self.begun = True
            return events[1:]
        return events


def test_the_checks_find_a_record_that_is_missing() -> None:
    with pytest.raises(AssertionError, match=r"not its outcome|records numbered"):
        conformance.check_round(Broken())
