"""η* of any training: the search of a sweep, asking a function of the user's instead of an engine."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import isfinite, nan
from pathlib import Path
from statistics import geometric_mean
from typing import TYPE_CHECKING, Any, Literal, Protocol

from mlrtui.errors import BadInput
from mlrtui.loops.forks import Forks
from mlrtui.loops.results import MaxLR, Trial
from mlrtui_trainer.loops.code import Train, called_with
from mlrtui_trainer.loops.records import verdict_of
from mlrtui_trainer.loops.reports import LoopError, LoopSpec, Reports, difference
from mlrtui_trainer.search import Boundary, Search, SearchSpec

if TYPE_CHECKING:
    from mlrtui_trainer.gauge import Snapshot

__all__ = ["Report", "find_max_lr"]


_START = 1e-2


class Report(Protocol):
    """What a training calls after each step (or each evaluation)."""

    def __call__(self, step: int, loss: Any, accuracy: Any = None) -> bool:
        """False when the trial is decided: the training may stop. Numbers, or tensors of one number."""


def find_max_lr(
    train_fn: Callable[..., object],
    *,
    start: float | None = None,
    tolerance: float = 0.05,
    success: str = "loss-below-initial",
    threshold: float | None = None,
    seeds: int | Iterable[int] = 1,
    eta_min: float = 1e-8,
    eta_max: float = 1e4,
    factor: float = 2.0,
    check: bool = True,
    progress: Callable[[Trial], object] | None = None,
    store: str | Path | None = None,
    key: str | None = None,
    at: "Snapshot | None" = None,
    optimizer_state: Literal["keep", "fresh"] = "keep",
) -> MaxLR:
    """Find the largest constant learning rate at which a training succeeds, by the search of a sweep.

    ``train_fn(lr, report)`` or ``train_fn(lr, report, seed)`` builds its model, trains it and calls
    ``report(step, loss, accuracy)`` as it goes; when that returns False the trial is decided and the function may
    return. Each trial must start from the same initialisation: that of its seed.

        def train(lr, report, seed):
            torch.manual_seed(seed)
            model = make_model()
            optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
            for step, batch in enumerate(batches):
                loss = loss_of(model, batch)
                if not report(step, loss.item()):
                    return
                ...

        edge = mlrtui.find_max_lr(train, start=1e-3, seeds=3)
        edge.eta_star, edge.bracket, edge.table()

    Examples:
        >>> def quadratic(lr, report):  # curvature 4: stable below 2/4
        ...     w = 1.0
        ...     for step in range(60):
        ...         if not report(step, 2.0 * w * w):
        ...             return
        ...         w -= lr * 4.0 * w
        >>> edge = find_max_lr(quadratic, tolerance=0.02)
        >>> 0.49 < edge.eta_star < 0.51
        True

    Args:
        train_fn: the training. What it returns is not used; what it raises ends the search.
        start: the first learning rate; by default 0.01, or with ``at`` that of the snapshot.
        tolerance: neighbouring rates have the ratio 1 + tolerance; η* is known to about half of it.
        success: "loss-below-initial" (the last reported loss is below the first), "accuracy" (``threshold`` is
            reached) or "finite" (the loss stays finite and below 1e6·max(initial, 1)).
        threshold: accuracy between 0 and 1, for ``success="accuracy"``.
        seeds: how many (0, 1, …) or which.
        eta_min, eta_max: rates outside are never tried; η* is then censored.
        factor: of the first, coarse steps.
        check: whether the first training runs twice, to see that it gives the same losses.
        progress: called with every trial when it ends; not with those that a store has already.
        store: path of a store, where the search is kept as a sweep: every step as it is reported, for `mlrtui watch`
            and the others. Called again with the same key, the search goes on: trials that are done are not trained
            again. It is written by a process of its own, so that nothing here holds the file.
        key: name of that sweep; without it, the function's. Another key is another search: change it with the code.
        at: a snapshot of a training: the largest constant rate that survives from there. ``train_fn(lr, report)`` goes
            on from it with the model and the optimizer that it holds, which have that rate, for a fixed number of
            steps (100 or more) over batches that are the same each time. "loss-below-initial" then means the loss with
            which the whole training began, where the snapshot knows it; a net that died or collapsed has not survived.
            In the end all is as it was at the snapshot.
        optimizer_state: with ``at``, whether each fork keeps velocity and moments, or begins without ("fresh"). These
            are two questions with two answers.

    Raises:
        BadInput: for arguments that cannot be searched with, where a training reports no loss, and for a key whose
            search in the store has other settings.
        StoreTrouble: the store cannot be used, or `mlrtui stop` ended the search.
    """
    rules = _rules(success, threshold, tolerance, eta_min, eta_max, factor)
    numbers = tuple(range(seeds)) if isinstance(seeds, int) else tuple(dict.fromkeys(seeds))
    if not numbers:
        raise BadInput(f"seeds is {seeds!r}: use a number from 1, or the seeds themselves")
    if optimizer_state not in ("keep", "fresh"):
        raise BadInput(f'optimizer_state is {optimizer_state!r}: use "keep" or "fresh"')
    if at is None and optimizer_state != "keep":
        raise BadInput(f"optimizer_state is {optimizer_state!r}: it is of a snapshot; add at=, or remove it")
    if at is not None and (store is not None or numbers != (0,)):
        raise BadInput("at is a snapshot: its training has one seed and no key; remove seeds=, store= and key=")
    start = start if start is not None else _START if at is None else at.lr
    if not (isfinite(start) and start > 0.0):
        raise BadInput(f"start is {start}: use a positive learning rate")
    try:
        train = called_with(train_fn, {})
        if store is None:
            if key is not None:
                raise BadInput(f"key is {key!r}: it names the search in a store; add store=, or remove it")
            loop = LoopSpec(success=success, threshold=threshold)
            if at is None:
                return _in_memory(_Whole(train), rules, start, numbers, loop, check, progress)
            forks = Forks(train, at, fresh=optimizer_state == "fresh")
            try:
                found = _in_memory(forks, rules, start, numbers, loop, check, progress)
            finally:
                at.restore()
            return replace(found, note=forks.note)
        from mlrtui.loops.stored import searched_in_store, sweep_of

        if factor != SearchSpec.factor:
            raise BadInput(f"factor is {factor}: a search in a store has {SearchSpec.factor:g}; remove it")
        name = key if key is not None else str(getattr(train_fn, "__qualname__", "")).rpartition("<locals>.")[2]
        spec = sweep_of(name, numbers, rules, start, threshold, check)
        boundaries, trials, repeatable = searched_in_store(train, spec, rules, Path(store), progress)
    except LoopError as error:
        raise BadInput(str(error)) from error
    return _found(boundaries, trials, repeatable)


@dataclass(frozen=True)
class _Whole:
    """A training from its initialisation."""

    train: Train
    loss_initial: float = nan
    dead: bool = False

    def __call__(self, lr: float, report: Reports, seed: int) -> object:
        return self.train(lr, report, seed)


def _in_memory(
    train: "_Whole | Forks",
    rules: SearchSpec,
    start: float,
    seeds: tuple[int, ...],
    loop: LoopSpec,
    check: bool,
    progress: Callable[[Trial], object] | None,
) -> MaxLR:
    trials: list[Trial] = []
    boundaries: dict[int, Boundary] = {}
    repeatable: bool | None = None
    for seed in seeds:
        search = Search(rules, start)
        while not search.closed:
            for eta in search.ask():
                run = Reports(loop, train.loss_initial)
                train(eta, run, seed)
                end = run.ending(eta)
                ended = verdict_of(loop, end, dead=train.dead)
                if check and repeatable is None:
                    again = Reports(loop, train.loss_initial)
                    train(eta, again, seed)
                    repeatable = not difference(run.take(), again.take())
                trial = Trial.of(seed, eta, ended, end)
                trials.append(trial)
                if progress is not None:
                    progress(trial)
                search.tell(eta, trial.verdict)
        boundaries[seed] = search.boundary()
    return _found(boundaries, tuple(trials), repeatable)


def _rules(
    success: str, threshold: float | None, tolerance: float, eta_min: float, eta_max: float, factor: float
) -> SearchSpec:
    if (success == "accuracy") != (threshold is not None):
        raise BadInput(f'success is {success!r} and threshold {threshold}: a threshold belongs to success="accuracy"')
    if threshold is not None and not 0.0 < threshold <= 1.0:
        raise BadInput(f"threshold is {threshold}: use an accuracy above 0, up to 1")
    try:
        return SearchSpec(success, tolerance, eta_min, eta_max, factor)
    except (ValueError, TypeError) as error:
        raise BadInput(str(error)) from error


def _found(boundaries: dict[int, Boundary], trials: tuple[Trial, ...], repeatable: bool | None) -> MaxLR:
    lows = [b.bracket[0] for b in boundaries.values() if b.bracket[0] is not None]
    highs = [b.bracket[1] for b in boundaries.values() if b.bracket[1] is not None]
    censored = {seed: b for seed, b in boundaries.items() if b.censored is not None or b.eta_star is None}
    stars = [b.eta_star for b in boundaries.values() if b.eta_star is not None]
    eta_star = nan if censored else geometric_mean(stars)
    reason = "; ".join(f"seed {seed}: {b.reason}" for seed, b in censored.items())
    bracket = (min(lows, default=None), max(highs, default=None) if len(highs) == len(boundaries) else None)
    return MaxLR(eta_star, bracket, boundaries, trials, repeatable, reason)
