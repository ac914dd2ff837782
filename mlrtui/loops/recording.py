"""A script's own training in a store: the recorder of `mlrtui_trainer`, whose steps another process writes.

The training's process opens no SQLite file and takes no lock: forked data-loader workers could keep both. It writes
lines into a pipe, never waits for it, and a helper process (`writer`) does the rest.
"""

import atexit
import fcntl
import json
import os
import platform
import select
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import isfinite, isnan, nan
from pathlib import Path

from mlrtui.errors import BadInput, MlrtuiError, StoreTrouble
from mlrtui.version import __version__
from mlrtui_db.own import own_settings
from mlrtui_db.processes import RECORDER
from mlrtui_trainer.gauge import RecordedStep, Recorder
from mlrtui_trainer.gauge.recording import LossFunction, Model, Optimizers
from mlrtui_trainer.raised import said_in_short

__all__ = ["StoreSink", "record"]

MOST_BYTES = 8 << 20
"""Of lines that wait for the helper, besides the pipe's own buffer; beyond it steps are left out."""

PIPE_BYTES = 1 << 20
CLOSING_SECONDS = 60.0
"""The longest that the end of a run waits for a disk."""

_open_sinks: "weakref.WeakSet[StoreSink]" = weakref.WeakSet()


def record(
    model: Model,
    optimizer: Optimizers,
    loss_fn: LossFunction,
    *,
    store: str | os.PathLike[str] | None = None,
    name: str = "",
    settings: Mapping[str, object] | None = None,
    measures: Sequence[str] | None = None,
    overhead: float = 0.05,
    every: int | Mapping[str, int] | None = None,
    strict: bool = False,
) -> Recorder:
    """Record sharpness, and the edges of stability at each step, along a training loop that stays as it is.

        with mlrtui.record(model, optimizer, loss_fn, store="runs.db", name="gpt 3e-4") as rec:
            for batch in loader:
                loss = train_step(batch)  # yours: backward, clipping, optimizer.step(), scheduler.step()
                rec.step(loss, batch)

    While it runs, ``mlrtui watch --store runs.db`` shows it. A helper process owns the file: the training's process
    never waits for a disk, and what it has recorded survives it. See `mlrtui_trainer.gauge.Recorder` for what is
    measured, and how the training stays the same to the bit.

    Args:
        model: any module; see `sharpness` for what is refused.
        optimizer: one of torch's, or a list of them.
        loss_fn: ``loss_fn(model, batch)``, the scalar that is trained.
        store: a file, which may hold other runs; or a folder ("runs/"), in which each run has a file of its own, as
            scripts that run at the same time need. None: steps stay in memory.
        name: of the run; a second one of the same name in a store gets its time of start, too.
        settings: your own, flat: numbers, texts, True, False, None, such as ``vars(args)``. They label the run and can
            be filtered by.
        measures: some of "critical", "directional", "lambda" and "lambda-preconditioned"; all of them by default.
        overhead: share of the training's time that measuring may take.
        every: fixed intervals in steps instead, one for all measures or a dict by measure.
        strict: raise what goes wrong; otherwise it is a warning, an entry of ``rec.events`` and an event of the store.

    ``MLRTUI_RECORD=0`` in the environment turns recording off. Under DDP only rank 0 records.

    Raises:
        ValueError: a wrong argument of the measurement.
        BadInput: settings or a store that cannot be used; raised when recording starts, too.

    Examples:
        >>> import torch
        >>> model = torch.nn.Linear(1, 1, bias=False)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> with record(model, optimizer, lambda model, x: 1.5 * model(x).square().sum(), every=1) as rec:
        ...     loss = rec.loss_fn(model, torch.ones(1, 1))  # λ = 3
        ...     loss.backward()
        ...     optimizer.step()
        ...     rec.step(loss, torch.ones(1, 1))
        >>> round(rec.series("lambda").values[0], 4)
        3.0
    """
    try:
        own = own_settings(settings or {})
    except ValueError as error:
        raise BadInput(str(error)) from None
    rec = Recorder(
        model, optimizer, loss_fn, name=name, measures=measures, overhead=overhead, every=every, strict=strict
    )
    if store is not None and rec.active:
        rec.sink = StoreSink(store, _description(rec, own, overhead, every), rec)
    return rec


class StoreSink:
    """Sends steps to a helper process that writes them into a store. See `mlrtui_trainer.gauge.Sink`."""

    def __init__(self, store: str | os.PathLike[str], description: dict[str, object], recorder: Recorder) -> None:
        if not isinstance(store, str | os.PathLike) or not os.fspath(store):
            raise BadInput(f"store is {store!r}: use the name of a file, or of a folder that ends in /")
        self.store = os.fspath(store)
        self.path: Path | None = None
        """The file that is written, once it is open."""

        self.left_out = 0
        """Steps that were not stored because the helper could not keep up."""

        self._noted_left_out = 0
        self._description = description
        self._recorder = weakref.ref(recorder)
        self._waiting = bytearray()  # whole lines, but for a first one that is partly written
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = self._answers = -1
        self._owner = os.getpid()

    def open(self) -> None:
        """Start the helper and wait until it owns the store.

        Raises:
            BadInput, StoreTrouble: the store cannot be used.
        """
        if not sys.executable:
            raise BadInput("store: this Python does not know its own executable, so no helper process can be started")
        self._owner = os.getpid()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", RECORDER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C at a terminal is the script's to handle
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._pipe, self._answers = os.dup(process.stdin.fileno()), os.dup(process.stdout.fileno())
        process.stdin.close()
        process.stdout.close()
        _open_sinks.add(self)
        with suppress(OSError, AttributeError):  # not Linux, or more than this user may have
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._send(["run", self.store, os.getpid(), self._description])
        os.set_blocking(self._pipe, True)
        with suppress(BrokenPipeError):  # its answer tells
            self._drain()
        os.set_blocking(self._pipe, False)
        answer = self._answer()
        if "path" not in answer:
            self._forget()
            words = str(answer.get("error") or "the process that writes the store ended before it was ready")
            raise BadInput(words) if answer.get("kind") == "input" else StoreTrouble(words)
        self.path = Path(str(answer["path"]))
        atexit.register(self._at_exit)

    def take(self, rows: Sequence[RecordedStep]) -> None:
        """Send steps, without waiting; those for which there is no space are left out, and that is noted."""
        if os.getpid() != self._owner:
            return
        self._drain()
        for row in rows:
            if len(self._waiting) > MOST_BYTES:
                self.left_out += 1
                continue
            if self.left_out and self._noted_left_out < self.left_out:
                self._note_left_out()
            self._send(_row(row))
        self._drain()

    def note(self, text: str) -> None:
        """Send an event."""
        if os.getpid() == self._owner:
            self._send(["event", "warning", text])

    def close(self, error: BaseException | None) -> None:
        """Tell the helper how the training ended, and wait until all is stored."""
        if os.getpid() != self._owner or self._process is None:
            return
        atexit.unregister(self._at_exit)
        if self.left_out > self._noted_left_out:
            self._note_left_out()
        self._send(["end", None if error is None else said_in_short(error)])
        deadline = time.monotonic() + CLOSING_SECONDS
        try:
            while self._waiting and time.monotonic() < deadline:
                self._drain()
                if self._waiting:
                    self._wait_for_space(deadline)
            with suppress(subprocess.TimeoutExpired):
                os.close(self._pipe)
                self._pipe = -1
                self._process.wait(max(deadline - time.monotonic(), 0.1))
            answer = self._answer() if self._process.poll() is not None else {"error": "its disk is too slow"}
        finally:
            self._forget()
        if answer.get("error"):
            raise StoreTrouble(f"{self.store}: the end of the run may not be stored: {answer['error']}")

    # The pipe -----------------------------------------------------------------------------------------------------

    def _send(self, message: object) -> None:
        self._waiting += json.dumps(message, separators=(",", ":")).encode() + b"\n"

    def _drain(self) -> None:
        """Write what the pipe takes now.

        Raises:
            StoreTrouble: the helper has died.
        """
        try:
            while self._waiting:
                written = os.write(self._pipe, self._waiting)
                del self._waiting[:written]
        except BlockingIOError:
            return
        except BrokenPipeError:
            if self.path is None:
                raise
            why = self._answer().get("error")
            self._forget()
            steps = "later steps are in memory alone"
            raise StoreTrouble(
                f"the process that writes {self.path} {f'stopped: {why}' if why else 'has died'}; {steps}"
            ) from None

    def _wait_for_space(self, deadline: float) -> None:
        select.select([], [self._pipe], [], max(min(deadline - time.monotonic(), 1.0), 0.0))

    def _answer(self) -> dict[str, object]:
        """The next line of the helper; empty where it is gone without one."""
        read = b""
        while not read.endswith(b"\n"):
            some = os.read(self._answers, 1 << 16)
            if not some:
                return {}
            read += some
        said = json.loads(read.splitlines()[-1])
        return said if isinstance(said, dict) else {}

    def _note_left_out(self) -> None:
        steps = self.left_out - self._noted_left_out
        self._noted_left_out = self.left_out
        words = f"{steps} steps were not stored: the disk of {self.path} did not keep up"
        self._send(["event", "warning", words])
        recorder = self._recorder()
        if recorder is not None:
            recorder.events.append(words)

    def _forget(self) -> None:
        """Close our ends of the pipes and reap the helper if it has ended."""
        for descriptor in (self._pipe, self._answers):
            if descriptor >= 0:
                os.close(descriptor)
        self._pipe = self._answers = -1
        self._waiting.clear()
        _open_sinks.discard(self)
        atexit.unregister(self._at_exit)
        process, self._process = self._process, None
        if process is not None:
            try:
                process.wait(1.0)
            except subprocess.TimeoutExpired:
                process.returncode = 0  # it goes on by itself, and its parent does not wait

    def _at_exit(self) -> None:
        """A script that ends without leaving its ``with`` block."""
        recorder = self._recorder()
        error = None if hasattr(sys, "ps1") else getattr(sys, "last_value", None)
        with suppress(MlrtuiError):
            self.close(error) if recorder is None else recorder.close(error)

    def in_child(self) -> None:
        """After a fork: the child has no part in this, and must not keep the pipe open."""
        for descriptor in (self._pipe, self._answers):
            if descriptor >= 0:
                with suppress(OSError):
                    os.close(descriptor)
        self._pipe = self._answers = -1
        if self._process is not None:
            self._process.returncode = 0  # not our child
            self._process = None


def _in_child() -> None:
    for sink in list(_open_sinks):
        sink.in_child()
    _open_sinks.clear()


os.register_at_fork(after_in_child=_in_child)


def _row(row: RecordedStep) -> list[object]:
    readings = [
        [
            *(r.kind, r.value, r.edge, r.edge_high, r.low, r.high, r.residual, r.products or None),
            *(r.forwards or None, r.status, r.note or None, r.seconds),
        ]
        for r in row.readings
    ]
    norms = {"gradient norm": row.gradient_norm, "update norm": row.update_norm}
    readings += [
        [name, norm, *[nan] * 5, None, None, None, None, nan] for name, norm in norms.items() if not isnan(norm)
    ]
    return ["step", row.step, row.loss, row.accuracy, row.lr, row.skipped, readings]


def _description(
    recorder: Recorder, own: Mapping[str, object], overhead: float, every: int | Mapping[str, int] | None
) -> dict[str, object]:
    """What is known of a run when it starts."""
    parameters = [p for p in recorder.model.parameters() if p.requires_grad]
    rates = [float(group.get("initial_lr", group["lr"])) for one in recorder.optimizers for group in one.param_groups]
    device = str(parameters[0].device) if parameters else "cpu"
    is_script = sys.argv and sys.argv[0] not in ("", "-c", "-m") and "ipykernel" not in sys.modules
    script = Path(sys.argv[0]).name if is_script else ""
    return {
        "name": recorder.name or Path(script).stem or "run",
        "settings": dict(own),
        "script": script or "an interactive session",
        "measures": list(recorder.intervals),
        "overhead": overhead,
        "every": dict(every) if isinstance(every, Mapping) else every,
        "eta": max([rate for rate in rates if isfinite(rate) and rate > 0.0], default=0.0),
        "device": device,
        "n_params": sum(p.numel() for p in parameters),
        "model": type(recorder.model).__name__,
        "optimizer": " + ".join(type(one).__name__ for one in recorder.optimizers),
        "dtype": str(parameters[0].dtype).removeprefix("torch.") if parameters else None,
        "env": {
            "mlrtui": __version__,
            "python": platform.python_version(),
            "torch": _version_of("torch"),
            "numpy": _version_of("numpy"),
        },
    }


def _version_of(package: str) -> str:
    return str(getattr(sys.modules.get(package), "__version__", "not imported"))
