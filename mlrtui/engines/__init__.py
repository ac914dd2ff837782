"""Where rounds run: `local` (one process per device), `ray` (workers of a Ray cluster) and `fake` (made-up numbers)."""

from mlrtui.engines.base import Engine, EngineEvent, EngineNote, FromWorker, WorkerDied, WorkerReady

__all__ = ["Engine", "EngineEvent", "EngineNote", "FromWorker", "WorkerDied", "WorkerReady"]
