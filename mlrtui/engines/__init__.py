"""Where rounds run: `local` (one process per device) and `fake` (made-up numbers, for trying the screens)."""

from mlrtui.engines.base import Engine, EngineEvent, FromWorker, WorkerDied, WorkerReady

__all__ = ["Engine", "EngineEvent", "FromWorker", "WorkerDied", "WorkerReady"]
