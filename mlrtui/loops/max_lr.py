"""η* of any training: the search of a sweep, asking a function of the user's instead of an engine."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from inspect import Parameter, signature
from math import isfinite, log, nan
from statistics import geometric_mean, stdev
from typing import Any, Protocol

from mlrtui.errors import BadInput
from mlrtui_trainer.phases import divergence_limit, is_success, verdict
from mlrtui_trainer.scalars import scalar
from mlrtui_trainer.search import Boundary, Search, SearchSpec

__all__ = ["MaxLR", "Report", "Table", "Trial", "find_max_lr"]


class Report(Protocol):
    """What a training calls after each step (or each evaluation)."""

    def __call__(self, step: int, loss: Any, accuracy: Any = None) -> bool:
        """False when the trial is decided: the training may stop. Numbers, or tensors of one number."""


@dataclass(frozen=True)
class Trial:
    """One training at one learning rate."""

    seed: int
    lr: float
    verdict: str
    """"reached", "not-reached", "stalled" or "diverged"; see `mlrtui_trainer.phases.verdict`."""

    steps: int
    """The last step that was reported."""

    loss_initial: float
    loss_final: float
    best_accuracy: float
    """NaN where none was reported."""

    @property
    def success(self) -> bool:
        """Whether the rule of success was met."""
        return is_success(self.verdict)


@dataclass(frozen=True)
class Table:
    """All trials, by seed and learning rate; prints as a table, also in a notebook."""

    rows: tuple[Trial, ...]

    def __repr__(self) -> str:
        lines = ["seed            lr  verdict       steps  loss at start  loss at end  best accuracy"]
        for t in self.rows:
            start, end, best = f"{t.loss_initial:.6g}", f"{t.loss_final:.6g}", f"{t.best_accuracy:.4g}"
            best = "-" if best == "nan" else best
            lines.append(
                f"{t.seed:>4}  {t.lr:>12.6g}  {t.verdict:<11} {t.steps:>7}  {start:>13}  {end:>11}  {best:>13}"
            )
        return "\n".join(lines)


@dataclass(frozen=True)
class MaxLR:
    """The maximal learning rate of a training, with what is known of it."""

    eta_star: float
    """Geometric mean over seeds; NaN where any seed's is censored (``boundaries`` and ``reason`` say how)."""

    bracket: tuple[float | None, float | None]
    """The smallest of the seeds' largest successes, and the largest of the failures above them."""

    boundaries: dict[int, Boundary]
    """By seed: η*, its standard error, the window that was filled, how it is censored."""

    trials: tuple[Trial, ...]
    repeatable: bool | None
    """Whether the first training, run twice, gave the same losses; None: not tried."""

    reason: str
    """A sentence where η* is not known, else empty."""

    @property
    def ln_sd(self) -> float:
        """Standard deviation of ln η* over seeds; NaN for fewer than two."""
        known = [log(b.eta_star) for b in self.boundaries.values() if b.eta_star is not None and b.censored is None]
        return stdev(known) if len(known) > 1 else nan

    def table(self) -> Table:
        """Every trial that was trained."""
        return Table(tuple(sorted(self.trials, key=lambda t: (t.seed, t.lr))))

    def __repr__(self) -> str:
        low, high = ("?" if side is None else f"{side:.4g}" for side in self.bracket)
        draw = ", NOT REPEATABLE: of this draw only" if self.repeatable is False else ""
        why = f", {self.reason}" if self.reason else ""
        seeds = f"{len(self.boundaries)} seed{'s' if len(self.boundaries) != 1 else ''}"
        found = f"eta_star={self.eta_star:.4g}, bracket=({low}, {high})"
        return f"MaxLR({found}, {seeds}, {len(self.trials)} trials{draw}{why})"


def find_max_lr(
    train_fn: Callable[..., object],
    *,
    start: float = 1e-2,
    tolerance: float = 0.05,
    success: str = "loss-below-initial",
    threshold: float | None = None,
    seeds: int | Iterable[int] = 1,
    eta_min: float = 1e-8,
    eta_max: float = 1e4,
    factor: float = 2.0,
    check: bool = True,
    progress: Callable[[Trial], object] | None = None,
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
        start: the first learning rate.
        tolerance: neighbouring rates have the ratio 1 + tolerance; η* is known to about half of it.
        success: "loss-below-initial" (the last reported loss is below the first), "accuracy" (``threshold`` is
            reached) or "finite" (the loss stays finite and below 1e6·max(initial, 1)).
        threshold: accuracy between 0 and 1, for ``success="accuracy"``.
        seeds: how many (0, 1, …) or which.
        eta_min, eta_max: rates outside are never tried; η* is then censored.
        factor: of the first, coarse steps.
        check: whether the first training runs twice, to see that it gives the same losses.
        progress: called with every trial when it ends.

    Raises:
        BadInput: for arguments that cannot be searched with, and where a training reports no loss.
    """
    rules = _rules(success, threshold, tolerance, eta_min, eta_max, factor)
    numbers = tuple(range(seeds)) if isinstance(seeds, int) else tuple(dict.fromkeys(seeds))
    if not numbers:
        raise BadInput(f"seeds is {seeds!r}: use a number from 1, or the seeds themselves")
    if not (isfinite(start) and start > 0.0):
        raise BadInput(f"start is {start}: use a positive learning rate")
    train = _with_seed(train_fn)
    trials: list[Trial] = []
    boundaries: dict[int, Boundary] = {}
    repeatable: bool | None = None
    for seed in numbers:
        search = Search(rules, start)
        while not search.closed:
            for eta in search.ask():
                run = _Run(success, threshold)
                train(eta, run, seed)
                if check and repeatable is None:
                    again = _Run(success, threshold)
                    train(eta, again, seed)
                    repeatable = list(map(str, run.losses)) == list(map(str, again.losses))  # NaN is as NaN
                trial = run.trial(seed, eta)
                trials.append(trial)
                if progress is not None:
                    progress(trial)
                search.tell(eta, trial.verdict)
        boundaries[seed] = search.boundary()
    return _found(boundaries, tuple(trials), repeatable)


class _Run:
    """The reports of one training, and when they decide it."""

    def __init__(self, success: str, threshold: float | None) -> None:
        self.success, self.threshold = success, threshold
        self.losses: list[float] = []
        self.step, self.best = 0, nan
        self.diverged = self.reached = False

    def __call__(self, step: int, loss: Any, accuracy: Any = None) -> bool:
        value = scalar(loss)
        self.losses.append(value)
        self.step = int(step)
        if not isfinite(value) or value > divergence_limit(self.losses[0]):
            self.diverged = True
        if accuracy is not None:
            now = scalar(accuracy)
            self.best = now if not self.best >= now else self.best
            self.reached |= self.threshold is not None and now >= self.threshold
        return not (self.diverged or (self.success == "accuracy" and self.reached))

    def trial(self, seed: int, lr: float) -> Trial:
        if not self.losses:
            raise BadInput(f"train_fn reported no loss at lr = {lr:.6g}: call report(step, loss) after each step")
        if self.success == "accuracy" and self.best != self.best and not self.diverged:
            raise BadInput('success is "accuracy" but no accuracy was reported: call report(step, loss, accuracy)')
        first, last = self.losses[0], self.losses[-1]
        how = verdict(self.success, self.reached, self.diverged, False, first, last)
        return Trial(seed, lr, how, self.step, first, last, self.best)


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


def _with_seed(train_fn: Callable[..., object]) -> Callable[[float, Report, int], object]:
    """``train_fn`` called with a seed if it takes one: by the name ``seed``, or as a third argument that it must have.

    A third argument with another name and a default is something of the user's own, which a seed must not replace.
    """
    if not callable(train_fn):
        raise BadInput(f"train_fn is {train_fn!r}: use a function train_fn(lr, report, seed)")
    try:
        parameters = signature(train_fn).parameters.values()
    except ValueError:  # built in
        return train_fn
    positional = [p for p in parameters if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    if any(p.name == "seed" and p.kind is not Parameter.POSITIONAL_ONLY for p in parameters):
        return lambda lr, report, seed: train_fn(lr, report, seed=seed)
    third_is_needed = len(positional) >= 3 and positional[2].default is Parameter.empty
    if third_is_needed or any(p.kind is Parameter.VAR_POSITIONAL for p in parameters):
        return train_fn
    return lambda lr, report, seed: train_fn(lr, report)


def _found(boundaries: dict[int, Boundary], trials: tuple[Trial, ...], repeatable: bool | None) -> MaxLR:
    lows = [b.bracket[0] for b in boundaries.values() if b.bracket[0] is not None]
    highs = [b.bracket[1] for b in boundaries.values() if b.bracket[1] is not None]
    censored = {seed: b for seed, b in boundaries.items() if b.censored is not None or b.eta_star is None}
    stars = [b.eta_star for b in boundaries.values() if b.eta_star is not None]
    eta_star = nan if censored else geometric_mean(stars)
    reason = "; ".join(f"seed {seed}: {b.reason}" for seed, b in censored.items())
    bracket = (min(lows, default=None), max(highs, default=None) if len(highs) == len(boundaries) else None)
    return MaxLR(eta_star, bracket, boundaries, trials, repeatable, reason)
