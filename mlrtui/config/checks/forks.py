"""What [fork] must not say: a base without a rate, or with two; forks of what has no η*."""

from collections.abc import Iterator

from mlrtui.config.checks.known import MAX_CELLS, MAX_NETS, Check, Known
from mlrtui.config.forks import LOG_STEPS
from mlrtui.config.mistakes import NO_VALUE, Mistake, enumerate_words

__all__ = ["BASE_RATES", "CHECKS"]

BASE_RATES = ("base_eta", "base_eta_lambda0", "base_eta_star")


def _base(known: Known) -> Iterator[Mistake]:
    """The base has its rate from one place, and a warm-up if it has such a schedule."""
    if "fork" not in known.given:
        return
    given = [key for key in BASE_RATES if f"fork.{key}" in known.given]
    if len(given) > 1:
        yield Mistake("fork", NO_VALUE, f"{enumerate_words(given, 'and')} are given; keep one of them")
    if not given:
        yield Mistake("fork", NO_VALUE, "the base has no learning rate; write e.g. base_eta_lambda0 = 1.0")
    warms, steps = known.one("fork.schedule") == "linear-warmup", known.one("fork.warmup_steps")
    if warms and steps is None and "fork.warmup_steps" not in known.given:
        yield Mistake("fork.schedule", "linear-warmup", "needs warmup_steps; write e.g. warmup_steps = 240")
    if not warms and steps is not None:
        text = 'the base has no warm-up; remove it, or use schedule = "linear-warmup"'
        yield Mistake("fork.warmup_steps", steps, text)


def _searched(known: Known) -> Iterator[Mistake]:
    """Forks are searched in the range of [search], at constant rates, from weights that are all of a net's state."""
    if "fork" not in known.given:
        return
    if "search" not in known.given:
        yield Mistake("fork", NO_VALUE, "needs the range of a search; add [search], or remove [fork]")
    for schedule in known.axis("training.schedule"):
        if schedule != "constant":
            text = "forks train at constant rates; remove it, and give the base its schedule in [fork]"
            yield Mistake("training.schedule", schedule, text)
    if known.one("model.mode") == "train":
        yield Mistake("model.mode", "train", 'is not for [fork] yet; remove it, or use mode = "function"')
    if known.one("search.on") == "validation":
        yield Mistake("search.on", "validation", "forks look at no accuracy; remove it, or remove [fork]")


def _size(known: Known) -> Iterator[Mistake]:
    """Each step is a cell of its own."""
    at = [one for step in known.axis("fork.at") for one in [step] * (LOG_STEPS if step == "log" else 1)]
    nets = known.cells * max(len(known.axis("sweep.seeds")), 1) * (1 + len(at))
    cells = known.cells * (1 + len(at))
    if at and cells > MAX_CELLS:
        yield Mistake("fork.at", NO_VALUE, f"{cells} cells with those of forks; at most {MAX_CELLS}, use fewer steps")
    elif at and nets > MAX_NETS:
        yield Mistake("fork.at", NO_VALUE, f"{nets} nets with their forks; at most {MAX_NETS}, use fewer steps")


CHECKS: tuple[Check, ...] = (_base, _searched, _size)
