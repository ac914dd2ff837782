"""Claims about λ and the largest rate along training: the edge of stability, forks, and warm-up.

Bands stand here before the examples are run; they come from runs with seeds below 10 or above 900.
"""

from collections.abc import Callable, Iterable, Sequence
from math import log
from statistics import fmean, linear_regression

from mlrtui.analysis.warmup import suggestions
from mlrtui.claims.check import Claim, Measured, Results, Row
from mlrtui.claims.measures import Measure, average, column, farthest, is_at, number, share
from mlrtui.text.numbers import exact, fixed

__all__ = ["ALONG"]

KALRA = "Kalra and Barkeshli (2024)"
IYER = "Iyer, Hanin and Rolnick (2022)"
COHEN = "Cohen et al. (2021)"
LEWKOWYCZ = "Lewkowycz et al. (2020)"

PEAK_ONE = "warm-up: one hidden relu layer on digits"
PEAK_THREE = "warm-up: three hidden relu layers on digits"
PEAK_TANH = "warm-up: three hidden tanh layers on digits"
PEAK_SHORT = "warm-up: three hidden tanh layers in 120 steps on digits"
FORK_ONE = "warm-up: forks of one hidden relu layer on digits"
FORK_THREE = "warm-up: forks of three hidden relu layers on digits"
FORK_CE = "warm-up: forks under cross-entropy on digits"
FORK_TANH = "warm-up: forks of three hidden tanh layers on digits"
RATES = "edge of stability by learning rate on digits"
MOMENTUM = "edge of stability with momentum on digits"
NESTEROV = "edge of stability with nesterov momentum on digits"
GENTLE = "edge of stability under cross-entropy at small rates on digits"
CROSS = "edge of stability under cross-entropy on digits"
LATE = "eta* at the start and late in training on digits"
LAZY, CATAPULT, SOLVABLE = "forks: a lazy training, CPU", "forks: a catapult, CPU", "forks: the solvable model, CPU"


def _of_nets(values: Sequence[float]) -> Measured:
    """Mean over nets, with the smallest and the largest."""
    if not values:
        return Measured(None, note="no such rows in this store")
    return Measured(fmean(values), min(values), max(values), f"of {len(values)}", is_range=True)


def _of_base(row: Row) -> float | None:
    """λ(t) over λ₀."""
    return None if row["sharpness"] is None else number(row["sharpness"]) / number(row["base_lambda0"])


# Warm-up --------------------------------------------------------------------------------------------------------------


def _peak(row: Row) -> float | None:
    """The largest peak that survives, over 2/λ₀."""
    return None if row["eta_star_lambda0"] is None else 0.5 * number(row["eta_star_lambda0"])


def _peaks(steps: int, **where: object) -> Measure:
    return average("eta_star", _peak, warmup_steps=steps, **where)


def _gain(steps: int, **where: object) -> Measure:
    """The peak after a warm-up of so many steps over that at a constant rate, net by net."""

    def measure(results: Results) -> Measured:
        found = [
            {
                row["seed"]: value
                for row in results.view("eta_star", warmup_steps=length, **where)
                if (value := _peak(row))
            }
            for length in (1, steps)
        ]
        constant, warmed = found
        return _of_nets([warmed[seed] / constant[seed] for seed in warmed.keys() & constant.keys()])

    return measure


def _first_step(results: Results) -> Measured:
    """The step of the warm-up from which on its peak survives in every net."""
    (one, *_), rows = suggestions(results.view("forks")) or (None,), results.view("forks")
    if one is None or one.first is None:
        return Measured(None, note="the peak survives from no step on" if rows else "no such rows in this store")
    return Measured(float(one.first), note=f"of {one.warmup_steps} steps")


def _fork(name: str) -> Callable[[Row], float | None]:
    """A fork's column, but not of its first step, t = 0."""
    return lambda row: None if row[name] is None or not row["step"] else number(row[name])


def _flatter(row: Row) -> float | None:
    """λ(t) over λ₀ where the warm-up ends."""
    return _of_base(row) if row["step"] == row["base_warmup_steps"] else None


def _fails(row: Row) -> bool | None:
    """Whether the peak is too large from a step in the first half of the warm-up, its start left out."""
    asked = 40 < number(row["step"]) <= 120 and row["eta_star"] is not None
    return number(row["eta_star"]) < number(row["base_eta"]) if asked else None


def _changes(row: Row) -> float | None:
    """η*(t) over η*(0): κ₀ at a step in units of the edge at the start."""
    return None if row["kappa0"] is None else number(row["kappa0"])


# Other seeds and other code, each warm-up followed by 100 steps at its peak (here: 340 steps in all), in units of 2/λ₀:
# 1×512 relu 1.7, 1.7, 1.7, 2.0 to 2.3, 5.4 to 6.2 at 1, 5, 20, 80, 240 steps; 3×128 relu 5.4 to 7.1, 16 to 25,
# 66 to 101, above 230; cross-entropy 14 to 16, 14 to 22, 16 to 22, 50 to 66; tanh 2.3, 2.3 to 2.7, 1.5 to 2.0, 1.5 to
# 2.3, 3.5 to 4.0. These files with seed 7: 1.8, 1.8, 1.8, 2.2, 6.8; 7.1, 25, 93, 292; 15, 27, 33, 103; 2.6, 2.6, 2.4,
# 2.6, 4.6.
_WARM_UP = (
    Claim(PEAK_ONE, "one hidden relu layer, mse: largest peak over 2/λ₀ at a constant rate", KALRA, 1.6, 2.0,
          _peaks(1)),
    Claim(PEAK_ONE, "... after 5 steps of warm-up", KALRA, 1.6, 2.0, _peaks(5)),
    Claim(PEAK_ONE, "... after 20", KALRA, 1.6, 2.0, _peaks(20)),
    Claim(PEAK_ONE, "... after 80", KALRA, 1.9, 2.6, _peaks(80)),
    Claim(PEAK_ONE, "... after 240", KALRA, 5.0, 7.5, _peaks(240)),
    Claim(PEAK_THREE, "three hidden relu layers, mse: largest peak over 2/λ₀ at a constant rate", KALRA, 5.0, 8.0,
          _peaks(1, training_loss="mse")),
    Claim(PEAK_THREE, "... after 5 steps of warm-up", KALRA, 14.0, 30.0, _peaks(5, training_loss="mse")),
    Claim(PEAK_THREE, "... after 20", KALRA, 60.0, 120.0, _peaks(20, training_loss="mse")),
    Claim(PEAK_THREE, "... after 80", KALRA, 200.0, 450.0, _peaks(80, training_loss="mse")),
    Claim(PEAK_THREE, "the same under cross-entropy at a constant rate", KALRA, 13.0, 18.0,
          _peaks(1, training_loss="ce")),
    Claim(PEAK_THREE, "... under cross-entropy after 5 steps", KALRA, 13.0, 30.0, _peaks(5, training_loss="ce")),
    Claim(PEAK_THREE, "... under cross-entropy after 20", KALRA, 15.0, 40.0, _peaks(20, training_loss="ce")),
    Claim(PEAK_THREE, "... under cross-entropy after 80", KALRA, 50.0, 130.0, _peaks(80, training_loss="ce")),
    Claim(PEAK_TANH, "three hidden tanh layers, mse: largest peak over 2/λ₀ at a constant rate", KALRA, 2.1, 2.8,
          _peaks(1)),
    Claim(PEAK_TANH, "... after 240 steps of warm-up", KALRA, 3.3, 5.2, _peaks(240)),
    Claim(PEAK_TANH, "a warm-up of 20 steps costs: its peak over that of a constant rate", KALRA, 0.6, 0.97, _gain(20)),
    Claim(PEAK_SHORT, "... in 120 steps instead of 340", KALRA, 0.6, 0.97, _gain(20)),
    # Forks of warm-ups. κ is η*(t) over 2/λ(t): 1.8 ± 0.1 of one hidden layer, along lazy and catapult bases alike.
    Claim(FORK_ONE, "along a warm-up the largest rate follows 2/λ(t): κ, one hidden relu layer", KALRA, 1.61, 1.99,
          average("forks", _fork("kappa"))),
    Claim(FORK_ONE, "... while λ falls: λ over λ₀ at its end", KALRA, 0.2, 0.45, average("forks", _flatter)),
    Claim(FORK_ONE, "the peak, 4 · 2/λ₀, survives from step 72 to 168 of 240 on", KALRA, 72.0, 168.0, _first_step),
    Claim(FORK_THREE, "three hidden relu layers: λ over λ₀ at the end of a warm-up to 40 · 2/λ₀", KALRA, 0.02, 0.3,
          average("forks", _flatter)),
    Claim(FORK_THREE, "... and the peak survives from step 5 to 30 of 40 on", KALRA, 5.0, 30.0, _first_step),
    Claim(FORK_CE, "cross-entropy: λ over λ₀ at the end of a warm-up to 40 · 2/λ₀", KALRA, 0.01, 0.3,
          average("forks", _flatter), digits=3),
    Claim(FORK_CE, "... and the peak survives from step 24 to 56 of 80 on", KALRA, 24.0, 56.0, _first_step),
    Claim(FORK_TANH, "tanh: λ grows along the first part of a warm-up, and η*(60) falls: over 2/λ₀", KALRA, 1.0, 2.1,
          average("forks", _changes, step=60)),
    Claim(FORK_TANH, "... where at the start it is", KALRA, 2.1, 2.8, average("forks", _changes, step=0)),
    Claim(FORK_TANH, "... and a peak of 2.8 · 2/λ₀ fails from steps 60 and 120 of 240: part of them", KALRA, 0.8, 1.0,
          share("forks", _fails)),
)  # fmt: skip


# Forks ----------------------------------------------------------------------------------------------------------------


def _start_apart(results: Results) -> Measured:
    """How far η*(0) of a fork lies from η* of its net's own search: the largest |ln|."""
    own = {(row["width"], row["seed"]): row["eta_star"] for row in results.view("eta_star")}
    forks = [row for row in results.view("forks", step=0) if row["eta_star"] is not None]
    apart = [abs(log(number(row["eta_star"]) / number(own[row["width"], row["seed"]]))) for row in forks]
    if not apart:
        return Measured(None, note="no forks from step 0 in this store")
    return Measured(max(apart), note=f"of {len(apart)}")


def _one_hidden(sweep: str, base: str) -> tuple[Claim, ...]:
    return (
        Claim(sweep, f"1×512 relu, {base}: κ = η*(t)·λ(t)/2 at every t", KALRA, 1.61, 1.99, average("forks", _KAPPA)),
        Claim(
            sweep, "... and a fork from step 0 finds η* itself: largest distance in ln", KALRA, 0.0, 0.0, _start_apart
        ),
    )


def _late(name: str) -> Measure:
    """A fork's column at step 200 over the same at the start, net by net."""

    def measure(results: Results) -> Measured:
        start, late = (
            {(row["cell"], row["seed"]): number(row[name]) for row in results.view("forks", step=step) if row[name]}
            for step in (0, 200)
        )
        return _of_nets([late[net] / start[net] for net in sorted(late.keys() & start.keys(), key=str)])

    return measure


_KAPPA = column("kappa")
_FORKS = (
    *_one_hidden(LAZY, "a lazy base"),
    *_one_hidden(CATAPULT, "a catapult, also in mid-flight"),
    Claim(CATAPULT, "... while λ falls: λ(80) over λ₀", KALRA, 0.4, 0.6, average("forks", _of_base, step=80)),
    # κ = 4/λ(t) over 2/λ(t) is 2, less what 400 steps leave unseen: 1.99 with other seeds, on a grid of 0.02.
    Claim(SOLVABLE, "the solvable model: 4/λ(t) is the largest rate in every state: κ farthest from 1.99", LEWKOWYCZ,
          1.94, 2.04, farthest(1.99, "forks", _KAPPA)),
    # 3×128 in batches of 64 of 512, base at half of 2/λ₀, other seeds: κ 16, at step 200 2.6; η*(200) is 0.7 η*.
    Claim(LATE, "cross-entropy: η* at the start is many times 2/λ₀: κ", IYER, 10.0, 25.0,
          average("forks", _KAPPA, step=0)),
    Claim(LATE, "... later the largest rate lies nearer to the edge: κ at step 200 over that at the start", IYER,
          0.08, 0.4, _late("kappa")),
    Claim(LATE, "... and is not larger than η*: η*(200) over η*", IYER, 0.4, 1.1, _late("eta_star")),
)  # fmt: skip


# The edge of stability ------------------------------------------------------------------------------------------------


def _of_curves(
    column: str, summary: Callable[[list[float]], float], first: int = 0, c: float | None = None, **where: object
) -> Measure:
    """A number of each training from its values at step ``first`` and later; mean and range over trainings.

    ``c`` chooses trainings by η·λ₀.
    """

    def measure(results: Results) -> Measured:
        rows = [row for row in results.view("curves", **where) if c is None or is_at(c, row)]
        return _of_nets([summary(values) for values in _curves(rows, column, first).values()])

    return measure


def _curves(rows: Iterable[Row], column: str, first: int) -> dict[tuple[float, float], list[float]]:
    """Values by seed and rate."""
    found: dict[tuple[float, float], list[float]] = {}
    for row in rows:
        if row[column] is not None and number(row["step"]) >= first:
            found.setdefault((number(row["seed"]), number(row["eta"])), []).append(number(row[column]))
    return found


def _plateau(first: int, **where: object) -> Measure:
    """Exponent of η in the mean λ from step ``first`` on, net by net."""

    def measure(results: Results) -> Measured:
        nets: dict[float, list[tuple[float, float]]] = {}
        for (seed, eta), values in _curves(results.view("curves", **where), "sharpness", first).items():
            nets.setdefault(seed, []).append((log(eta), log(fmean(values))))
        return _of_nets([linear_regression(*zip(*points, strict=True)).slope for points in nets.values()])

    return measure


def _risen(values: Sequence[float]) -> float:
    """The largest over the first."""
    return max(values) / values[0]


def _fallen(values: Sequence[float]) -> float:
    """The last over the largest."""
    return values[-1] / max(values)


_EDGE = (
    *(
        Claim(RATES, f"λη/2 rises from {fixed(c / 2)} at the start to 1 and stays: mean from step 800 on", COHEN,
              0.97, 1.07, _of_curves("sharpness_ratio", fmean, 800, c=c, init_variance=0.5))
        for c in (0.6667, 0.9428, 1.3333)
    ),
    Claim(RATES, "... so that λ there goes like 1/η: exponent", COHEN, -1.05, -0.95, _plateau(800, init_variance=0.5)),
    Claim(RATES, "progressive sharpening: largest λ over λ₀ at the smallest rate", COHEN, 2.8, 3.7,
          _of_curves("sharpness", _risen, c=0.6667, init_variance=0.5)),
    Claim(RATES, "the phase of all of them is the edge: part of the trainings", COHEN, 0.95, 1.0,
          share("phases", lambda row: row["phase"] == "edge", init_variance=0.5)),
    # Seed 7 at the smallest rate: λη/2 stayed at 0.33 for 8000 steps.
    Claim(RATES, "with He's variance of 2 λ hardly rises: largest λ over λ₀", COHEN, 1.0, 1.3,
          _of_curves("sharpness", _risen, init_variance=2.0)),
    *(
        Claim(sweep, f"{name}, β = {exact(beta)}: λη over {edge} rises to 1 and stays: mean from step 500 on", COHEN,
              0.95, 1.07, _of_curves("sharpness_ratio", fmean, 500, momentum=beta))
        for sweep, name, edge in (
            (MOMENTUM, "heavy ball", "2(1 + β)"), (NESTEROV, "Nesterov", "2(1 + β)/(1 + 2β)"),
        )
        for beta in (0.5, 0.9)
    ),
    # Seed 7: 0.95 of the edge at step 50, then less and less.
    Claim(CROSS, "cross-entropy from 2/3 of the edge: the largest λη/2", COHEN, 0.9, 1.3,
          _of_curves("sharpness_ratio", max, c=1.3333)),
    Claim(CROSS, "... then λ falls as the data are fitted: the last over the largest", COHEN, 0.0, 0.4,
          _of_curves("sharpness", _fallen, c=1.3333)),
    Claim(CROSS, "from 1/3 of the edge it falls before it gets there: the largest λη/2", COHEN, 0.3, 0.7,
          _of_curves("sharpness_ratio", max, c=0.6667)),
    # Seed 7: from 0.05 to 0.19 and from 0.10 to 0.38 at step 20, then down to 0.02 at step 600.
    *(
        claim
        for c, high in ((0.1, 0.3), (0.2, 0.55))
        for claim in (
            Claim(GENTLE, f"cross-entropy, λη/2 = {fixed(c / 2)} at the start: λ rises first: the largest λη/2", COHEN,
                  1.25 * c, high, _of_curves("sharpness_ratio", max, c=c)),
            Claim(GENTLE, f"... then falls as the data are fitted: the last over the largest, at {fixed(c / 2)}", COHEN,
                  0.0, 0.4, _of_curves("sharpness", _fallen, c=c)),
        )
    ),
)  # fmt: skip

ALONG = (*_WARM_UP, *_FORKS, *_EDGE)
