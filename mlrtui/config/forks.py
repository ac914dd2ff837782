"""The table [fork] of a sweep file: from where, and how, the largest rate of a training under way is searched."""

from typing import Annotated

from mlrtui.config.rules import choice, listed, number, whole
from mlrtui.config.tables import Section, Whole, make_key

__all__ = ["ForkSection"]


class ForkSection(Section):
    r"""Find the largest learning rate that survives when it is switched on at a step of a training: η\*(t).

    Beside [search], whose range and margin it shares. A base training goes before: the same net, optimizer and batches,
    at a rate of its own, of which exactly one of the three base_... is given. From each step in at, forks train at
    constant rates. A rate survives if the loss ends below that of the base at its initialisation, and the net has not
    collapsed. See the [guide](guides/forks.md).
    """

    at: Annotated[Whole, listed(whole(0, 10_000_000))] = make_key(
        "Steps of the base from which trainings fork; more may be added later.", [0, 5, 20, 80, 200]
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
