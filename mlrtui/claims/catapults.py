"""Claims of Lewkowycz et al. (2020) beyond fully connected nets at one initialisation: accuracy, decay, other nets."""

from collections.abc import Callable
from statistics import fmean

from mlrtui.claims.check import Claim, Measured, Results
from mlrtui.claims.measures import Measure, best_in_catapult, number, share

__all__ = ["MORE_CATAPULTS"]

LEWKOWYCZ = "Lewkowycz et al. (2020)"

TEST = "catapult: test accuracy on digits"
DECAY = "catapult: weight decay and a decayed rate on digits"


def _accuracies(results: Results, until: Callable[[float], float]) -> dict[float, dict[float, float]]:
    """By seed and c = η·λ₀ the last accuracy up to step ``until(c)``."""
    found: dict[float, dict[float, tuple[float, float]]] = {}
    for row in results.view("curves"):
        c, step = round(number(row["eta_lambda0"]), 6), number(row["step"])
        if row["accuracy"] is None or step > until(c):
            continue
        of_net = found.setdefault(number(row["seed"]), {})
        of_net[c] = max(of_net.get(c, (-1.0, 0.0)), (step, number(row["accuracy"])))
    return {seed: {c: accuracy for c, (_, accuracy) in by_c.items()} for seed, by_c in found.items()}


def _gain(until: Callable[[float], float]) -> Measure:
    """The best accuracy beyond η·λ₀ = 2 less the best up to it, net by net."""

    def measure(results: Results) -> Measured:
        gains = [
            max(accuracy for c, accuracy in by_c.items() if c > 2.0)
            - max(accuracy for c, accuracy in by_c.items() if c <= 2.0)
            for by_c in _accuracies(results, until).values()
        ]
        if not gains:
            return Measured(None, note="no such rows in this store")
        return Measured(fmean(gains), min(gains), max(gains), f"of {len(gains)}", is_range=True)

    return measure


# The bands are the paper's statements; no runs were made before.
MORE_CATAPULTS = (
    Claim(TEST, "the best test accuracy after 100 steps lies beyond η·λ₀ = 2: gained over the best up to 2", LEWKOWYCZ,
          0.005, 0.5, _gain(lambda c: 100.0)),
    Claim(TEST, "... after 640 steps the best lies in the catapult phase: part of the networks", LEWKOWYCZ, 0.99, 1.0,
          share("onsets", best_in_catapult)),
    Claim(TEST, "at the same physical time t·η = 320/λ₀ catapults are no worse: gained over the best up to 2",
          LEWKOWYCZ, -0.02, 0.2, _gain(lambda c: 320.0 / c)),
    *(
        Claim(DECAY, f"{what}: the best test accuracy lies in the catapult phase: part of the networks", LEWKOWYCZ,
              0.99, 1.0, share("onsets", best_in_catapult, weight_decay=decay, schedule=schedule))
        for what, decay, schedule in (
            ("no decay", 0.0, "constant"),
            ("weight decay 0.001", 0.001, "constant"),
            ("weight decay 0.01", 0.01, "constant"),
            ("cosine", 0.0, "cosine"),
            ("cosine, weight decay 0.001", 0.001, "cosine"),
            ("cosine, weight decay 0.01", 0.01, "cosine"),
        )
    ),
)  # fmt: skip
