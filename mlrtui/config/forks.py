"""The table [fork] of a sweep file: from where, and how, the largest rate of a training under way is searched."""

from typing import Annotated, Literal

from mlrtui.config.rules import Fault, Rule, RuleError, choice, listed, number, or_word, whole
from mlrtui.config.tables import Section, make_key

__all__ = ["LOG_STEPS", "ForkSection"]

LOG_STEPS = 8
"""What "log" stands for in fork.at, at most: several may round to one step."""


def _step() -> Rule:
    """A step of the base, or a word for some."""
    inner = or_word(whole(0, 10_000_000), "log")

    def check(value: object) -> int | str:
        if value == "edge":
            text = "is not known before λ of the base has been measured"
            remedy = "run it as a scan with sharpness.every, and list the steps at which λη passes the edge"
            raise RuleError(Fault(value, text, remedy))
        found: int | str = inner.check(value)
        return found

    return Rule(inner.text, check)


class ForkSection(Section):
    r"""Find the largest learning rate that survives when it is switched on at a step of a training: η\*(t).

    Beside [search], whose range and margin it shares. A base training goes before: the same net, optimizer and batches,
    at a rate of its own, of which exactly one of the three base_... is given. From each step in at, forks train at
    constant rates. A rate survives if the loss ends below that of the base at its initialisation, and the net has not
    collapsed. See the [guide](guides/forks.md).
    """

    at: Annotated[tuple[int | Literal["log"], ...], listed(_step())] = make_key(
        'Steps of the base from which trainings fork; more may be added later. "log" stands for 8 in equal ratios, '
        "from 1 to the end of the base's warm-up, or to as many steps as the net itself trains for.",
        [0, 5, 20, 80, 200],
    )
    base_eta: Annotated[float | None, number(1e-30, 1e30)] = make_key(
        "Learning rate of the base; of a warm-up its peak.", 0.01, None
    )
    base_eta_lambda0: Annotated[float | None, number(0.0, 1e6, above=True)] = make_key(
        "The same as a multiple of 1/λ₀ of each net: 1 is half of 2/λ₀.", 1.0, None
    )
    base_eta_star: Annotated[float | None, number(0.0, 1e6, above=True)] = make_key(
        r"The same as a share of η\* of each net, which is searched first.", 0.5, None
    )
    schedule: Annotated[str, choice("constant", "linear-warmup")] = make_key(
        "Of the base. linear-warmup: in equal steps up to its rate; forks then say from where on the peak survives.",
        "linear-warmup",
        "constant",
    )
    warmup_steps: Annotated[int | None, whole(1, 10_000_000)] = make_key(
        'Steps in which the base grows to its rate; for schedule = "linear-warmup".', 240, None
    )
    steps: Annotated[int, whole(1, 10_000_000)] = make_key(
        r"Steps of each fork. η\*(t) belongs to them as η\* to its budget; for a full batch under mse 100 or more.",
        100,
        100,
    )
    state: Annotated[str, choice("keep", "fresh")] = make_key(
        "What the optimizer remembers where a fork starts. keep: what the base left it; fresh: nothing.",
        "fresh",
        "keep",
    )
    success: Annotated[str, choice("survives", later=("threshold",))] = make_key(
        "When a fork counts, see above.", "survives", "survives"
    )
    tolerance: Annotated[float, number(1e-6, 1.0)] = make_key(
        "Spacing of the learning rates, as search.tolerance; 0.1 takes about 9 trainings a fork.", 0.05, 0.1
    )
