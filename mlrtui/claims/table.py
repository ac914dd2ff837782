"""What the papers claim, as bands for the numbers that the shipped examples measure.

The bands stand here before the examples are run. Sources: the papers where they give numbers, else small runs with
other code and other seeds, said as "near ...".
"""

from collections.abc import Callable
from math import log

from mlrtui.claims.along import ALONG
from mlrtui.claims.catapults import MORE_CATAPULTS
from mlrtui.claims.check import Claim, Row
from mlrtui.claims.layers import BY_LAYER
from mlrtui.claims.measures import (
    Measure,
    average,
    best_in_catapult,
    column,
    controlled,
    difference,
    distance,
    elsewhere,
    end_at,
    exponent,
    farthest,
    first_catapult,
    is_at,
    largest,
    number,
    power,
    r2,
    settles,
    share,
    smallest,
    time_to_peak,
)

__all__ = ["CLAIMS"]

IYER = "Iyer, Hanin and Rolnick (2022)"
LEWKOWYCZ = "Lewkowycz et al. (2020)"
HAAS = "Haas, Bordt, von Luxburg and Vankadara (2025)"
KALRA = "Kalra and Barkeshli (2023)"
COHEN = "Cohen et al. (2021)"
BJORCK = "Bjorck et al. (2024)"

CATAPULT = "quick start: catapult on digits"
ETA_STAR = "quick start: eta* on digits"
LAW = "eta* against depth and width on digits"
MSE = "eta* under mse on digits"
LOW, HIGH = "eta* at threshold 0.3 on digits", "eta* at threshold 0.8 on digits"
GAUSSIANS = "eta* on two Gaussians"
SHARPNESS = "sharpness against depth and width on raw and centred digits"
RAGGED = "ragged edges on digits"
INPUT_RATE = "input rate on mnist5k"
SOLVABLE = "catapult: solvable model"
EDGE = "catapult: edge of the solvable model"
ONE_HIDDEN = "catapult: one hidden layer on digits"
DEEPER = "catapult: two and three hidden layers on digits"
FOUR_HIDDEN = "catapult: four hidden layers on digits"
LINEAR_TANH = "catapult: linear and tanh networks on digits"
ONSETS = "catapult: onsets within ten steps on digits"
ACCURACY = "catapult: accuracy on digits"
SP = "width scaling: standard parametrization on digits"
MUP = "width scaling: mup and full alignment on digits"
GRID_RULE = "width scaling: grid rule on digits"
OPTIMIZERS = "width scaling: adam and momentum on digits"
TEACHER = "width scaling: two classes of a teacher"
BEST_RATE = "width scaling: best rate of adamw on digits"
SOFTMAX = "width scaling: squared loss of the softmax on digits"
ROOT, INVERSE = "controlled divergence: eta = 6 / sqrt(width)", "controlled divergence: eta = 16 / width"
CONTROL = "controlled divergence: the squared loss at eta = 1 / (4 sqrt(width))"
MOVES_ROOT, MOVES_INVERSE = "coordinate check: eta = 0.48 / sqrt(width)", "coordinate check: eta = 7.68 / width"
TANH = "edge of stability on digits"
LINEARIZED = "catapult: networks and their linearization on digits"

MEAN_SQUARE = {"none": 59.76, "global": 1.0}
"""Of a pixel, over the 128 digits, by how they are standardised."""

_PRODUCT = "depth*width"
_WIDE = "width >= 16 * depth"


def _rate(rate: str, where: str = "") -> str:
    return f"input_lr == {rate}" + (f" and {where}" if where else "")


def _peak_loss(row: Row) -> float | None:
    return None if row["peak_ratio"] is None else number(row["peak_ratio"]) * number(row["loss_initial"])


def _per_size(mean_square: float) -> Callable[[Row], float | None]:
    """λ₀ over q × depth × width, of wide nets; q is the mean square of an input."""

    def ratio(row: Row) -> float | None:
        depth, width = number(row["depth"]), number(row["width"])
        measured = number(row["lambda0_preconditioned_mean"]) / (mean_square * depth * width)
        return measured if width >= 32 * depth else None

    return ratio


def _late_edge(row: Row) -> float | None:
    late = number(row["step"]) >= 800 and row["sharpness_ratio"] is not None
    return number(row["sharpness_ratio"]) if late else None


def _turns_back(row: Row) -> bool | None:
    deep = number(row["depth"]) >= 4 and row["reversals"] is not None
    return number(row["reversals"]) > 0 if deep else None


def _wide_solvable(row: Row) -> float | None:
    return number(row["c_loss"]) if number(row["width"]) >= 64 and row["c_loss"] is not None else None


_C_MAX, _FINAL = column("c_max"), column("eta_final_sharpness")
_QUICK = (
    Claim(CATAPULT, "catapults begin just above η·λ₀ = 2", LEWKOWYCZ, 2.0, 2.15, first_catapult()),
    Claim(CATAPULT, "one hidden layer survives to η·λ₀ near 4", LEWKOWYCZ, 3.2, 4.2, average("onsets", _C_MAX)),
    Claim(CATAPULT, "from η·λ₀ = 2.1 training ends at η·λ near 1.90", LEWKOWYCZ, 1.87, 1.93, end_at(2.1)),
    Claim(CATAPULT, "from η·λ₀ = 2.3 it ends flatter", LEWKOWYCZ, 1.61, 1.71, end_at(2.3)),
    Claim(CATAPULT, "from η·λ₀ = 2.6 flatter still", LEWKOWYCZ, 1.17, 1.33, end_at(2.6)),
    Claim(ETA_STAR, "η* is a power of depth × width where width ≫ depth", IYER, -0.9, -0.55, exponent(_PRODUCT, _WIDE)),
    Claim(ETA_STAR, "... and the power explains it: R²", IYER, 0.8, 1.0, r2(_PRODUCT, _WIDE)),
    Claim(ETA_STAR, "η* is related to λ₀, but not its inverse", IYER, -0.9, -0.4, exponent("lambda0")),
)


def _sharpness(how: str, what: str) -> tuple[Claim, ...]:
    """λ₀ against depth × width. The bands come from raw images; centred ones are held against the same."""
    frozen, trained = (f"standardize == '{how}' and input_lr == {rate} and width >= 32 * depth" for rate in (0.0, 1.0))
    y = "lambda0_preconditioned"
    return (
        Claim(SHARPNESS, f"{what}: λ₀ without the input layer is a power of depth × width (width ≥ 32 depth)", IYER,
              0.83, 1.03, exponent(_PRODUCT, frozen, y)),
        Claim(SHARPNESS, f"{what}: ... and the power explains it: R²", IYER, 0.95, 1.0, r2(_PRODUCT, frozen, y)),
        Claim(SHARPNESS, f"{what}: the input layer flattens it: exponent", IYER, 0.6, 0.85,
              exponent(_PRODUCT, trained, y)),
        Claim(SHARPNESS, f"{what}: λ₀ is about 0.6 q depth × width without the input layer", IYER, 0.5, 0.7,
              average("grid", _per_size(MEAN_SQUARE[how]), input_lr=0.0, standardize=how)),
    )  # fmt: skip


_SLOW, _SLOW_WIDE = _rate("0.1"), _rate("0.1", _WIDE)
_MAXIMAL = (
    Claim(LAW, "η* is a power of depth × width where width ≥ 16 depth", IYER, -0.9, -0.55,
          exponent(_PRODUCT, _SLOW_WIDE)),
    Claim(LAW, "... and the power explains it: R²", IYER, 0.8, 1.0, r2(_PRODUCT, _SLOW_WIDE)),
    Claim(LAW, "... less well on all networks: R² gained by the wide ones", IYER, 0.05, 1.0,
          difference(r2(_PRODUCT, _SLOW_WIDE), r2(_PRODUCT, _SLOW))),
    Claim(LAW, "a slow input layer makes the law: R² gained from input rate 12.25 to 0.1", IYER, 0.2, 1.0,
          difference(r2(_PRODUCT, _SLOW), r2(_PRODUCT, _rate("12.25")))),
    Claim(LAW, "a frozen input layer keeps it: exponent", IYER, -0.9, -0.4, exponent(_PRODUCT, _rate("0.0", _WIDE))),
    Claim(LAW, "η* is related to λ₀, but not its inverse", IYER, -0.9, -0.4, exponent("lambda0", _SLOW_WIDE)),
    Claim(MSE, "the law under the squared loss: exponent", IYER, -1.05, -0.5, exponent(_PRODUCT, _WIDE)),
    Claim(MSE, "η* against λ₀ under the squared loss, still not its inverse", IYER, -0.95, -0.6,
          exponent("lambda0", _WIDE)),
    Claim(LOW, "a low threshold keeps the law: exponent", IYER, -1.0, -0.45, exponent(_PRODUCT, _WIDE)),
    Claim(HIGH, "a high threshold keeps the law: exponent", IYER, -1.0, -0.45, exponent(_PRODUCT, _WIDE)),
    Claim(GAUSSIANS, "η* falls with depth × width on two Gaussians too", IYER, -1.0, -0.2, exponent(_PRODUCT, _WIDE)),
    *(claim for how, what in (("none", "raw"), ("global", "centred")) for claim in _sharpness(how, what)),
    Claim(RAGGED, "successes above failures in 30 to 90 % of deep networks", IYER, 0.3, 0.9,
          share("eta_star", _turns_back)),
    Claim(RAGGED, "profile and bisection agree: median distance in ln η*", IYER, 0.0, 0.1, distance(LAW, "eta_star")),
    Claim(INPUT_RATE, "the law needs a slow input layer: R² gained from rate 1 to 0.1", IYER, 0.2, 1.0,
          difference(r2(_PRODUCT, _SLOW), r2(_PRODUCT, _rate("1.0")))),
)  # fmt: skip
_CATAPULTS = (
    Claim(SOLVABLE, "at every width training survives below η·λ₀ = 4 and not above", LEWKOWYCZ, 3.97, 4.0,
          farthest(3.98, "onsets", _C_MAX)),
    Claim(SOLVABLE, "the loss first exceeds its start just above 2 (width ≥ 64)", LEWKOWYCZ, 2.0, 2.15,
          farthest(2.1, "onsets", _wide_solvable)),
    Claim(SOLVABLE, "every catapult ends below the edge: largest η·λ", LEWKOWYCZ, 0.0, 2.0,
          largest("phases", _FINAL, phase="catapult")),
    Claim(SOLVABLE, "the loss peaks in proportion to width: exponent at η·λ₀ = 3", LEWKOWYCZ, 0.95, 1.02,
          power("phases", lambda row: _peak_loss(row) if is_at(3.0, row) else None)),
    Claim(SOLVABLE, "... after 1/(2 ln 2) = 0.72 steps for each unit of ln width, at η·λ₀ = 3", LEWKOWYCZ, 0.65, 0.79,
          time_to_peak(3.0)),
    Claim(EDGE, "the largest rate is 4/λ₀ at every width", LEWKOWYCZ, 3.999, 4.001,
          farthest(4.0, "eta_star", column("eta_star_lambda0")), digits=4),
    Claim(ONE_HIDDEN, "relu: catapults begin just above η·λ₀ = 2", LEWKOWYCZ, 2.0, 2.15,
          first_catapult(activation="relu")),
    Claim(ONE_HIDDEN, "relu: survives to η·λ₀ near 4", LEWKOWYCZ, 3.2, 4.2,
          average("onsets", _C_MAX, activation="relu")),
    Claim(ONE_HIDDEN, "linear: survives to η·λ₀ = 4", LEWKOWYCZ, 3.6, 4.4,
          average("onsets", _C_MAX, activation="linear")),
    Claim(ONE_HIDDEN, "tanh: survives to η·λ₀ near 4", LEWKOWYCZ, 3.4, 4.5,
          average("onsets", _C_MAX, activation="tanh")),
    Claim(ONE_HIDDEN, "relu: from η·λ₀ = 2.1 training ends at η·λ near 1.90", LEWKOWYCZ, 1.87, 1.93,
          end_at(2.1, activation="relu")),
    Claim(ONE_HIDDEN, "relu: from 2.3 flatter", LEWKOWYCZ, 1.61, 1.71, end_at(2.3, activation="relu")),
    Claim(ONE_HIDDEN, "relu: from 2.6 flatter still", LEWKOWYCZ, 1.17, 1.33, end_at(2.6, activation="relu")),
    Claim(ONE_HIDDEN, "catapults end below the edge: part with η·λ < 2.15", LEWKOWYCZ, 0.95, 1.0,
          share("phases", settles, phase="catapult")),
    Claim(DEEPER, "three hidden relu layers survive far longer: c_max", LEWKOWYCZ, 8.0, 14.0,
          average("onsets", _C_MAX, depth=3)),
    # Small runs with other code: 15 at width 128 with one output, 20 at 256 with ten; from 18 or 22 on no net learns.
    Claim(DEEPER, "two hidden relu layers that learn survive to η·λ₀ between 12 and 20: c_max", LEWKOWYCZ, 12.0, 20.0,
          average("onsets", _C_MAX, depth=2)),
    Claim(DEEPER, "catapults of three layers end below the edge: part with η·λ < 2.15", LEWKOWYCZ, 0.95, 1.0,
          share("phases", settles, phase="catapult", depth=3)),
    # Small runs with four layers of width 128 and ten outputs: first rise at 3.5 to 8, survival up to 14 to 16; with
    # three and four layers together 10 to 16. The paper: about 12.
    Claim(FOUR_HIDDEN, "four hidden relu layers (width 128, ten outputs): c_max near 12", LEWKOWYCZ, 10.0, 16.0,
          average("onsets", _C_MAX, target="classes", width=128)),
    Claim(FOUR_HIDDEN, "... and their catapults begin well above 2", LEWKOWYCZ, 3.5, 8.0,
          first_catapult(target="classes", width=128)),
    Claim(FOUR_HIDDEN, "catapults of four layers end below the edge: part with η·λ < 2.15", LEWKOWYCZ, 0.95, 1.0,
          share("phases", settles, phase="catapult")),
    # Small runs on 512 digits, ten outputs, 60 steps, widths 256 and 512: linear 5.28, 4.76 (two layers), 6.28, 5.47
    # (three), tanh 4.92, 4.76 (two); others, width 128, two layers: linear 4 to 5, tanh 5. None of more layers.
    Claim(LINEAR_TANH, "two hidden linear layers survive beyond 4: c_max", LEWKOWYCZ, 4.0, 5.8,
          average("onsets", _C_MAX, activation="linear", depth=2)),
    Claim(LINEAR_TANH, "three hidden linear layers: c_max", LEWKOWYCZ, 5.3, 7.2,
          average("onsets", _C_MAX, activation="linear", depth=3)),
    Claim(LINEAR_TANH, "... further than two", LEWKOWYCZ, 0.2, 2.0,
          difference(average("onsets", _C_MAX, activation="linear", depth=3),
                     average("onsets", _C_MAX, activation="linear", depth=2))),
    Claim(LINEAR_TANH, "two hidden tanh layers survive beyond 4: c_max", LEWKOWYCZ, 4.2, 5.7,
          average("onsets", _C_MAX, activation="tanh", depth=2)),
    Claim(LINEAR_TANH, "catapults of linear networks end below the edge: part with η·λ < 2.15", LEWKOWYCZ, 0.95, 1.0,
          share("phases", settles, phase="catapult", activation="linear")),
    Claim(ONSETS, "c_loss <= c_sharp <= c_max: part of the networks", KALRA, 0.95, 1.0,
          share("onsets", lambda row: None if row["ordered"] is None else bool(row["ordered"]))),
    Claim(ONSETS, "c_loss of one wide hidden layer (512) is near 2", KALRA, 2.0, 2.6,
          average("onsets", column("c_loss"), depth=1, width=512)),
    Claim(ONSETS, "... and grows as networks get narrower: 64 against 512, three layers", KALRA, 0.1, 20.0,
          difference(average("onsets", column("c_loss"), depth=3, width=64),
                     average("onsets", column("c_loss"), depth=3, width=512))),
    Claim(ACCURACY, "the best accuracy lies in the catapult phase: part of the networks", LEWKOWYCZ, 0.99, 1.0,
          share("onsets", best_in_catapult)),
)  # fmt: skip


def _loss(kind: str, parametrization: str = "") -> str:
    return (f"parametrization == '{parametrization}' and " if parametrization else "") + f"loss == '{kind}'"


def _adam(parametrization: str) -> Measure:
    return exponent("width", f"optimizer == 'adam' and parametrization == '{parametrization}'")


def _best(parametrization: str, decay: int) -> Measure:
    where = f"parametrization == '{parametrization}' and weight_decay == {decay} and epochs == 4"
    return exponent("width", where, "best_rate")


def _horizon(parametrization: str) -> Measure:
    return exponent("epochs", f"parametrization == '{parametrization}' and weight_decay == 0", "best_rate", alone=False)


_SP_MSE, _SP_CE = (exponent("width", _loss(kind)) for kind in ("mse", "ce"))
_GRID_MSE, _GRID_CE = (power("onsets", column("eta_unstable"), training_loss=kind) for kind in ("mse", "ce"))

# Outputs' exponents in small runs with other seeds, widths 64 to 512, three seeds each: at 6/√width 0.46 to 0.82 under
# cross-entropy (of 13 seeds; with other code 0.67) and 0.39 (0.50) under the softmax's squared loss, at 16/width -0.10
# to 0.00; under the squared loss at 1/(4√width) 0.51 (0.61). The last hidden layer's: -0.06 to 0.11.


def _growing(
    loss: str, name: str, logits: tuple[float, float], at_root: tuple[float, float], at_inverse: tuple[float, float]
) -> tuple[Claim, ...]:
    """Controlled divergence under a bounded loss at 6/√width, and none at 16/width."""
    exponents = [power("width_growth", column(y), training_loss=loss) for y in ("logit_rms", "hidden_growth")]
    outputs, hidden = exponents
    accuracy = smallest("phases", column("final_accuracy"), training_loss=loss)
    return (
        Claim(ROOT, f"{name}: outputs grow with width at η = 6/√width: exponent of their RMS", HAAS, *logits, outputs),
        Claim(ROOT, f"{name}: ... the last hidden layer does not: exponent", HAAS, -0.2, 0.2, hidden),
        Claim(ROOT, f"{name}: ... and training succeeds: smallest accuracy", HAAS, *at_root, accuracy),
        Claim(ROOT, f"{name}: controlled divergence, as a statement about widths: 1", HAAS, 0.5, 1.0, controlled(loss)),
        Claim(INVERSE, f"{name}: outputs do not grow at η = 16/width: exponent", HAAS, -0.2, 0.2, outputs),
        Claim(INVERSE, f"{name}: training succeeds at η = 16/width: smallest accuracy", HAAS, *at_inverse, accuracy),
        Claim(INVERSE, f"{name}: no controlled divergence at η = 16/width: 0", HAAS, 0.0, 0.5, controlled(loss)),
    )


_WIDTHS = (
    Claim(SP, "largest trainable rate falls like 1/width under mse", HAAS, -1.25, -0.8, _SP_MSE),
    Claim(SP, "... and about like its root under cross-entropy", HAAS, -0.7, -0.3, _SP_CE),
    Claim(SP, "... a gap between the two exponents", HAAS, 0.3, 1.0, difference(_SP_CE, _SP_MSE)),
    Claim(MUP, "muP: no width dependence, mse", HAAS, -0.25, 0.25, exponent("width", _loss("mse", "mup"))),
    Claim(MUP, "muP: no width dependence, cross-entropy", HAAS, -0.25, 0.25, exponent("width", _loss("ce", "mup"))),
    Claim(MUP, "full alignment: no width dependence, cross-entropy", HAAS, -0.25, 0.25,
          exponent("width", _loss("ce", "sp-full-align"))),
    Claim(GRID_RULE, "by the paper's grid rule: mse", HAAS, -1.15, -0.8, _GRID_MSE),
    Claim(GRID_RULE, "by the paper's grid rule: cross-entropy", HAAS, -0.5, -0.1, _GRID_CE),
    Claim(GRID_RULE, "... a gap between the two exponents", HAAS, 0.4, 1.2, difference(_GRID_CE, _GRID_MSE)),
    # Adam: small runs had -0.65 [-0.75, -0.50] and, under muP, 0.18 [0.08, 0.25]. The limit of infinite width is -1.
    Claim(OPTIMIZERS, "adam: the largest trainable rate falls with width under the standard parametrization", HAAS,
          -0.75, -0.5, _adam("sp")),
    Claim(OPTIMIZERS, "adam, muP: no width dependence", HAAS, -0.25, 0.25, _adam("mup")),
    Claim(OPTIMIZERS, "... a gap between the two exponents", HAAS, 0.5, 1.0, difference(_adam("mup"), _adam("sp"))),
    # Best rates: the bands are guesses around the limits, -1 under sp and 0 under muP; no runs were made before.
    Claim(BEST_RATE, "adamw: the best rate falls with width under the standard parametrization", HAAS,
          -1.25, -0.4, _best("sp", 0)),
    Claim(BEST_RATE, "... with weight decay, too: it falls", HAAS, -1.25, -0.4, _best("sp", 1)),
    Claim(BEST_RATE, "adamw, muP: the best rate does not depend on the width", HAAS, -0.25, 0.25, _best("mup", 0)),
    Claim(BEST_RATE, "... with weight decay, too: it does not", HAAS, -0.25, 0.25, _best("mup", 1)),
    Claim(BEST_RATE, "... a gap between the two parametrizations", HAAS, 0.3, 1.25,
          difference(_best("mup", 0), _best("sp", 0))),
    Claim(BEST_RATE, "the longer the training, the smaller the best rate: exponent of the epochs, muP", BJORCK,
          -1.0, 0.0, _horizon("mup")),
    Claim(BEST_RATE, "... and under the standard parametrization", BJORCK, -1.0, 0.0, _horizon("sp")),
    # The authors' code draws CIFAR-10 with -1/2 (and a teacher's classes with -1); the band is that of cross-entropy.
    Claim(SOFTMAX, "the largest rate falls about like the root of the width", HAAS, -0.7, -0.3, exponent("width")),
    Claim(SOFTMAX, "... less steeply than under the squared loss itself: the gap", HAAS, 0.3, 1.0,
          difference(exponent("width"), elsewhere(SP, _SP_MSE))),
    # The authors' code draws -1 for the teacher under the softmax's squared loss; two other seeds had -0.60 and -1.36.
    Claim(TEACHER, "a teacher's classes, cross-entropy: about like the root of the width", HAAS, -0.75, -0.3,
          exponent("width", "loss == 'ce'")),
    Claim(TEACHER, "... the softmax's squared loss: like the width", HAAS, -1.4, -0.75,
          exponent("width", "loss == 'mse-softmax'")),
    Claim(TEACHER, "... the gap between the two", HAAS, 0.3, 1.0,
          difference(exponent("width", "loss == 'ce'"), exponent("width", "loss == 'mse-softmax'"))),
    *_growing("ce", "cross-entropy", (0.3, 1.0), (0.95, 1.0), (0.95, 1.0)),
    *_growing("mse-softmax", "the softmax's squared loss", (0.2, 0.8), (0.9, 1.0), (0.75, 1.0)),
    Claim(CONTROL, "the squared loss: outputs grow with width too: exponent of their RMS", HAAS, 0.3, 0.9,
          power("width_growth", column("logit_rms"))),
    Claim(CONTROL, "... and so does the peak of the loss: exponent", HAAS, 0.6, 2.0,
          power("phases", column("peak_smoothed"))),
    Claim(CONTROL, "... which is no controlled divergence, at any width: 0", HAAS, 0.0, 0.5, controlled("mse")),
)  # fmt: skip


def _moves(sweep: str, alpha: float) -> tuple[Claim, ...]:
    """Exponents of the layers' own updates after one step at η = c·width^-alpha."""
    expected = {"input": (-0.5 - alpha, 0.25), "hidden": (0.5 - alpha, 0.25), "output": (1.0 - alpha, 0.35)}
    return tuple(
        Claim(sweep, f"first update of the {role} layer{'s' * (role == 'hidden')}: exponent of width", HAAS,
              middle - band, middle + band, power("layers", column("effective_rms"), step=1, role=role))
        for role, (middle, band) in expected.items()
    )  # fmt: skip


_EDGE = (
    Claim(TANH, "λη/2 lies at the edge from step 800 on: the value farthest from it", COHEN, 0.97, 1.07,
          farthest(1.02, "curves", _late_edge)),
)  # fmt: skip


def _ln_loss(rate: float, width: int, model: str) -> Measure:
    """ln of the final loss of nets of this width at this η·λ₀."""

    def loss(row: Row) -> float | None:
        return log(number(row["loss_final"])) if is_at(rate, row) else None

    return average("phases", loss, model=model, width=width)


def _beside(rate: float, width: int) -> Measure:
    return difference(_ln_loss(rate, width, "mlp"), _ln_loss(rate, width, "mlp-linearized"))


def _is(phase: str) -> Callable[[Row], bool | None]:
    """Whether trainings above 2/λ₀ are in this phase."""
    return lambda row: row["phase"] == phase if number(row["eta_lambda0"]) > 2.05 else None


# Guesses: a factor 1.65 for the widest nets; no runs were made before.
_LINEAR = (
    Claim(LINEARIZED, "at η·λ₀ = 0.5 nets of width 2048 train like their linearization: ln ratio of final losses",
          LEWKOWYCZ, -0.5, 0.5, _beside(0.5, 2048)),
    Claim(LINEARIZED, "... at 1.5, too", LEWKOWYCZ, -0.5, 0.5, _beside(1.5, 2048)),
    Claim(LINEARIZED, "above 2 the linearization diverges: part of its trainings", LEWKOWYCZ, 0.99, 1.0,
          share("phases", _is("divergent"), model="mlp-linearized")),
    Claim(LINEARIZED, "... and the nets themselves survive by a catapult: part of theirs", LEWKOWYCZ, 0.95, 1.0,
          share("phases", _is("catapult"), model="mlp")),
    Claim(LINEARIZED, "no linearization ever has a catapult: their part", LEWKOWYCZ, 0.0, 0.0,
          share("phases", lambda row: row["phase"] == "catapult", model="mlp-linearized")),
)  # fmt: skip

CLAIMS = (
    *_QUICK,
    *_MAXIMAL,
    *_CATAPULTS,
    *_WIDTHS,
    *_moves(MOVES_ROOT, 0.5),
    *_moves(MOVES_INVERSE, 1.0),
    *_EDGE,
    *ALONG,
    *MORE_CATAPULTS,
    *BY_LAYER,
    *_LINEAR,
)
