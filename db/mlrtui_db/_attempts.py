"""Writing trials and their attempts: who may write a trial's records, and how an attempt ends."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mlrtui_db._sqlite import Transaction, finite, whole
from mlrtui_db.errors import SequenceGap, StoreError
from mlrtui_db.records import EVIDENCE, TrialOutcome, TrialRecord

_PHASE = ("phase", "phase_rule", "phase_basis", "phase_reason")

_RESET = ", ".join(
    f"{column} = NULL"
    for column in (
        *("verdict", "reached_epoch", "last_step", "last_loss", "last_accuracy", "last_sharpness"),
        *("last_sharpness_step", "min_loss", "max_loss", "max_loss_step", "max_sharpness", "loss_initial"),
        *("loss_final", "best_accuracy", "final_accuracy", "peak_ratio", "peak_step", "final_sharpness"),
        *("logit_rms_initial", "logit_rms_peak", "bad_step", "bad_kind", "error", "given_up_epoch"),
        *(*_PHASE, *EVIDENCE),
    )
)


@dataclass(frozen=True)
class Fence:
    """The one attempt of a trial that may write, and the number of its next record."""

    attempt: int
    next_seq: int

    def admits(self, trial_id: int, attempt: int, seq: int) -> bool:
        """Whether a record is to be applied: False when it is stale or repeated.

        Raises:
            SequenceGap: an earlier record of the attempt is missing.
        """
        if attempt != self.attempt or seq < self.next_seq:
            return False
        if seq > self.next_seq:
            raise SequenceGap(
                f"trial {trial_id}, attempt {attempt}: record {seq} came while {self.next_seq} was expected; "
                "start the trial again"
            )
        return True


def fence(connection: sqlite3.Connection, trial_id: int) -> Fence | None:
    """The fence of a trial; None when no attempt is open, so that nothing may be written."""
    row = connection.execute(
        "SELECT attempt, next_seq FROM trial JOIN attempt USING (trial_id, attempt)"
        " WHERE trial_id = ? AND ended_at IS NULL",
        (trial_id,),
    ).fetchone()
    return None if row is None else Fence(*row)


def add_trials(tx: Transaction, trials: Sequence[TrialRecord]) -> list[int]:
    """See `Store.add_trials`."""
    tx.connection.executemany(
        "INSERT INTO trial (trial_key, net_id, eta, eta_lambda0, round, max_steps, rev) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (net_id, eta) DO NOTHING",
        [
            (
                trial.trial_key,
                trial.net_id,
                float(trial.eta),
                finite(trial.eta_lambda0),
                trial.round,
                trial.max_steps,
                tx.rev,
            )
            for trial in trials
        ],
    )
    return [_trial_id(tx.connection, trial) for trial in trials]


def open_attempts(
    tx: Transaction,
    trial_ids: Iterable[int],
    driver_id: str,
    host: str,
    device: str,
    env: Mapping[str, str],
    bars: Sequence[tuple[int, float]],
) -> dict[int, int]:
    """See `Store.open_attempts`."""
    opened = {}
    described, judged = json.dumps(dict(env), sort_keys=True), json.dumps([list(bar) for bar in bars])
    for trial_id in trial_ids:
        row = tx.connection.execute("SELECT status, attempt FROM trial WHERE trial_id = ?", (trial_id,)).fetchone()
        if row is None:
            raise StoreError(f"the store holds no trial number {trial_id}")
        status, attempt = row
        if status not in ("queued", "failed"):
            raise StoreError(f"trial {trial_id} is {status} and cannot be started again")
        opened[trial_id] = attempt + 1
        if attempt:  # before the first nothing can have been written
            tx.connection.execute("DELETE FROM step WHERE trial_id = ?", (trial_id,))
            tx.connection.execute("DELETE FROM measure WHERE trial_id = ?", (trial_id,))
        tx.connection.execute(
            f"UPDATE trial SET status = 'running', attempt = ?, n_steps = 0, rev = ?, {_RESET} WHERE trial_id = ?",
            (attempt + 1, tx.rev, trial_id),
        )
        tx.connection.execute(
            "INSERT INTO attempt (trial_id, attempt, driver_id, host, device, env, bars, started_at, heartbeat_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (trial_id, attempt + 1, driver_id, host, device, described, judged, tx.now, tx.now),
        )
    return opened


def finish_trial(tx: Transaction, outcome: TrialOutcome) -> bool:
    """See `Store.finish_trial`."""
    gate = fence(tx.connection, outcome.trial_id)
    if gate is None or not gate.admits(outcome.trial_id, outcome.attempt, outcome.seq):
        return False
    end = "failed" if outcome.verdict == "failed" else "done"
    tx.connection.execute(
        "UPDATE attempt SET next_seq = ?, heartbeat_at = ?, ended_at = ?, outcome = ?, detail = ?"
        " WHERE trial_id = ? AND attempt = ?",
        (outcome.seq + 1, tx.now, tx.now, end, outcome.error, outcome.trial_id, outcome.attempt),
    )
    tx.connection.execute(
        "UPDATE trial SET status = ?, verdict = ?, reached_epoch = ?, loss_initial = ?, loss_final = ?,"
        " best_accuracy = ?, final_accuracy = ?, peak_ratio = ?, peak_step = ?, final_sharpness = ?,"
        " logit_rms_initial = ?, logit_rms_peak = ?, bad_step = coalesce(?, bad_step),"
        " bad_kind = coalesce(?, bad_kind), error = ?, given_up_epoch = ?, rev = ?,"
        f" {', '.join(f'{name} = ?' for name in (*_PHASE, *EVIDENCE))} WHERE trial_id = ?",
        (
            end,
            outcome.verdict,
            whole(outcome.reached_epoch),
            finite(outcome.loss_initial),
            finite(outcome.loss_final),
            finite(outcome.best_accuracy),
            finite(outcome.final_accuracy),
            finite(outcome.peak_ratio),
            whole(outcome.peak_step),
            finite(outcome.final_sharpness),
            finite(outcome.logit_rms_initial),
            finite(outcome.logit_rms_peak),
            whole(outcome.bad_step),
            outcome.bad_kind,
            outcome.error,
            whole(outcome.given_up_epoch),
            tx.rev,
            *(getattr(outcome, name) for name in _PHASE),
            *(finite(getattr(outcome, name)) for name in EVIDENCE),
            outcome.trial_id,
        ),
    )
    return True


def release_attempts(tx: Transaction, trial_ids: Iterable[int], outcome: str, detail: str | None) -> int:
    """See `Store.release_attempts`."""
    released = 0
    for trial_id in trial_ids:
        ended = tx.connection.execute(
            "UPDATE attempt SET ended_at = ?, outcome = ?, detail = ? WHERE trial_id = ? AND ended_at IS NULL",
            (tx.now, outcome, detail, trial_id),
        )
        if ended.rowcount:
            released += 1
            if is_recorded(tx.connection, trial_id):
                end_recording(tx, trial_id, "failed", detail or outcome)
                continue
            tx.connection.execute(
                "UPDATE trial SET status = 'queued', rev = ? WHERE trial_id = ? AND status = 'running'",
                (tx.rev, trial_id),
            )
    return released


def finish_recording(tx: Transaction, trial_id: int, outcome: str, error: str | None) -> bool:
    """See `Store.finish_recording`."""
    ended = tx.connection.execute(
        "UPDATE attempt SET ended_at = ?, outcome = ?, detail = ? WHERE trial_id = ? AND ended_at IS NULL",
        (tx.now, outcome, error, trial_id),
    )
    if not ended.rowcount:
        return False
    finite_end = tx.connection.execute("SELECT bad_step IS NULL FROM trial WHERE trial_id = ?", (trial_id,)).fetchone()
    end_recording(tx, trial_id, "failed" if error else "finished" if finite_end[0] else "diverged", error)
    return True


def raise_eta(tx: Transaction, trial_id: int, eta: float) -> None:
    """See `Store.raise_eta`."""
    tx.connection.execute(
        "UPDATE trial SET eta = ?, rev = ? WHERE trial_id = ? AND eta < ?", (float(eta), tx.rev, trial_id, float(eta))
    )


def show_life(tx: Transaction, trial_id: int) -> None:
    """See `Store.show_life`."""
    tx.connection.execute(
        "UPDATE attempt SET heartbeat_at = ? WHERE trial_id = ? AND ended_at IS NULL", (tx.now, trial_id)
    )


def is_recorded(connection: sqlite3.Connection, trial_id: int) -> bool:
    """Whether a trial is a script's own training: nobody but the script can start it again."""
    row = connection.execute(
        "SELECT s.mode FROM trial JOIN net USING (net_id) JOIN cell USING (cell_id) JOIN sweep s USING (sweep_id)"
        " WHERE trial_id = ?",
        (trial_id,),
    ).fetchone()
    return row is not None and row[0] == "recorded"


def end_recording(tx: Transaction, trial_id: int, verdict: str, error: str | None) -> None:
    """Set the trial, the net and the sweep of a recorded run to their ends; the attempt has ended."""
    status = "failed" if verdict == "failed" else "done"
    tx.connection.execute(
        "UPDATE trial SET status = ?, verdict = ?, error = ?, loss_final = last_loss, final_accuracy = last_accuracy,"
        " final_sharpness = last_sharpness, best_accuracy = (SELECT max(accuracy) FROM step s"
        " WHERE s.trial_id = trial.trial_id), loss_initial = (SELECT loss FROM step s WHERE s.trial_id = trial.trial_id"
        " ORDER BY step LIMIT 1), rev = ? WHERE trial_id = ?",
        (status, verdict, error, tx.rev, trial_id),
    )
    tx.connection.execute(
        "UPDATE trial SET peak_step = max_loss_step, peak_ratio = CASE WHEN loss_initial > 0 AND bad_step IS NULL"
        " AND max_loss / loss_initial < 1e300 THEN max_loss / loss_initial END WHERE trial_id = ?",
        (trial_id,),
    )
    tx.connection.execute(
        "UPDATE net SET status = ?, reason = ?, rev = ? WHERE net_id = (SELECT net_id FROM trial WHERE trial_id = ?)",
        (status, error, tx.rev, trial_id),
    )
    tx.connection.execute(
        "UPDATE sweep SET status = ?, finished_at = ? WHERE sweep_id = (SELECT c.sweep_id FROM trial t"
        " JOIN net USING (net_id) JOIN cell c USING (cell_id) WHERE t.trial_id = ?)",
        ("stopped" if error else "done", None if error else tx.now, trial_id),
    )


def fail_trials(tx: Transaction, trial_ids: Iterable[int], error: str) -> int:
    """See `Store.fail_trials`."""
    failed = 0
    for trial_id in trial_ids:
        failed += tx.connection.execute(
            "UPDATE trial SET status = 'failed', verdict = 'failed', error = ?, rev = ?"
            " WHERE trial_id = ? AND status IN ('queued', 'running')",
            (error, tx.rev, trial_id),
        ).rowcount
        tx.connection.execute(
            "UPDATE attempt SET ended_at = ?, outcome = 'failed', detail = ? WHERE trial_id = ? AND ended_at IS NULL",
            (tx.now, error, trial_id),
        )
    return failed


def requeue_failed(tx: Transaction, sweep_id: int) -> tuple[int, int]:
    """See `Store.requeue_failed`. A scan's net that went on without a failed trial is opened again, too."""
    nets = [
        net_id
        for (net_id,) in tx.connection.execute(
            "SELECT net_id FROM net JOIN cell USING (cell_id) WHERE sweep_id = ? AND (status = 'failed'"
            " OR EXISTS (SELECT 1 FROM trial t WHERE t.net_id = net.net_id AND t.status = 'failed')) ORDER BY net_id",
            (sweep_id,),
        )
    ]
    trials = 0
    for net_id in nets:
        trials += tx.connection.execute(
            "UPDATE trial SET status = 'queued', verdict = NULL, phase = NULL, error = NULL, rev = ?"
            " WHERE net_id = ? AND status = 'failed'",
            (tx.rev, net_id),
        ).rowcount
        tx.connection.execute(
            "UPDATE net SET status = 'queued', reason = NULL, rev = ? WHERE net_id = ?", (tx.rev, net_id)
        )
    if nets:
        tx.connection.execute(
            "UPDATE sweep SET status = 'open', finished_at = NULL WHERE sweep_id = ? AND status <> 'open'", (sweep_id,)
        )
    return trials, len(nets)


def accuracies(connection: sqlite3.Connection, trial_id: int, steps: Sequence[int]) -> dict[int, float]:
    """See `Store.accuracies`."""
    rows = connection.execute(
        f"SELECT step, accuracy FROM step s JOIN trial t USING (trial_id) WHERE trial_id = ? AND step < t.last_step"
        f" AND accuracy IS NOT NULL AND step IN ({', '.join('?' * len(steps))})",
        (trial_id, *steps),
    )
    return dict(rows.fetchall())


def steps_trained(connection: sqlite3.Connection, sweep_id: int) -> list[tuple[int, float, int, int]]:
    """See `Store.steps_trained`."""
    rows = connection.execute(
        "SELECT net_id, eta, coalesce(t.last_step, 0), t.max_steps FROM cell JOIN net USING (cell_id) JOIN trial t"
        " USING (net_id) WHERE sweep_id = ? AND t.status IN ('done', 'failed') ORDER BY trial_id",
        (sweep_id,),
    )
    return rows.fetchall()


def lost_trials(connection: sqlite3.Connection) -> list[int]:
    """Trials whose attempt was never ended: what a driver that died leaves behind."""
    rows = connection.execute("SELECT trial_id FROM attempt WHERE ended_at IS NULL ORDER BY trial_id")
    return [trial_id for (trial_id,) in rows]


def _trial_id(connection: sqlite3.Connection, trial: TrialRecord) -> int:
    row = connection.execute(
        "SELECT trial_id FROM trial WHERE net_id = ? AND eta = ?", (trial.net_id, float(trial.eta))
    ).fetchone()
    return int(row[0])
