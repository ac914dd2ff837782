"""Claims about layers: best rates with one rate or one for each (Everett et al. 2024), a transformer's outputs."""

from math import inf
from statistics import fmean

from mlrtui.claims.check import Claim, Measured, Results, Row
from mlrtui.claims.measures import Measure, column, controlled, difference, exponent, number, power, smallest

__all__ = ["BY_LAYER"]

EVERETT = "Everett et al. (2024)"
HAAS = "Haas, Bordt, von Luxburg and Vankadara (2025)"
NORMED = "controlled divergence: a LayerNorm net on digits"
NORMED_MSE = "controlled divergence: a LayerNorm net under the squared loss on digits"
SOFTMAX = "controlled divergence: a transformer under the softmax's squared loss at eta = 16 / sqrt(width)"
SQUARED = "controlled divergence: a transformer under the squared loss"
TRANSFORMER = "controlled divergence: a transformer at eta = 16 / sqrt(width)"
SGD, ADAM = ("width scaling: per-layer rates of sgd on digits", "width scaling: per-layer rates of adam on digits")


def _best(parametrization: str) -> Measure:
    return exponent("width", f"parametrization == '{parametrization}'", "best_rate")


def _lowest(results: Results, parametrization: str, width: int) -> float:
    """The lowest mean final loss over the rates of a scan; infinite without one."""
    rates: dict[float, list[float]] = {}
    for row in results.view("phases", parametrization=parametrization, width=width):
        loss = inf if row["loss_final"] is None else number(row["loss_final"])
        rates.setdefault(number(row["eta"]), []).append(loss)
    return min(map(fmean, rates.values()), default=inf)


def _compared(results: Results) -> Measured:
    """The lowest loss of sp with rates of each layer over that of muP, at the largest width."""
    own, other = (_lowest(results, name, 512) for name in ("sp-full-align", "mup"))
    if inf in (own, other):
        return Measured(None, note="no such rows in this store")
    return Measured(own / other, note="of means over the nets")


# Seed 7, 96 steps: RMS of the outputs 1.5, 2.1, 6.0, 9.6 at widths 16 to 128, accuracy 0.50 to 0.75; the attention's
# output grew from 2.2 to 19, other layers' activations less.
_TRANSFORMER = (
    Claim(TRANSFORMER, "a transformer, cross-entropy: outputs grow with width at η = 16/√width: exponent", HAAS,
          0.3, 1.3, power("width_growth", column("logit_rms"))),
    Claim(TRANSFORMER, "... the last hidden layer does not: exponent", HAAS, -0.2, 0.2,
          power("width_growth", column("hidden_growth"))),
    Claim(TRANSFORMER, "... and training succeeds: smallest accuracy", HAAS, 0.5, 1.0,
          smallest("phases", column("final_accuracy"))),
    Claim(TRANSFORMER, "... controlled divergence, as a statement about widths: 1", HAAS, 0.5, 1.0, controlled("ce")),
    *(
        Claim(TRANSFORMER, f"activations after 10 steps, {name}: exponent of width", HAAS, -0.25, 0.25,
              power("layers", column("activation_rms"), step=10, layer=layer))
        for layer, name in (
            (2, "queries, keys and values"), (3, "the attention's output"), (4, "the block's net, first"),
            (5, "the block's net, second"),
        )
    ),
)  # fmt: skip


# Guesses from plain nets; no runs were made before.
_CONTROLS = (
    Claim(SOFTMAX, "a transformer, the softmax's squared loss: outputs grow with width at η = 16/√width: exponent",
          HAAS, 0.2, 1.3, power("width_growth", column("logit_rms"))),
    Claim(SOFTMAX, "... the last hidden layer does not: exponent", HAAS, -0.2, 0.2,
          power("width_growth", column("hidden_growth"))),
    Claim(SOFTMAX, "... and training succeeds: smallest accuracy", HAAS, 0.4, 1.0,
          smallest("phases", column("final_accuracy"))),
    Claim(SQUARED, "a transformer, the squared loss at 1/(4√width): outputs grow with width: exponent", HAAS, 0.2, 0.9,
          power("width_growth", column("logit_rms"))),
    Claim(SQUARED, "... and so does the peak of the loss: exponent", HAAS, 0.3, 2.0,
          power("phases", column("peak_smoothed"))),
    Claim(SQUARED, "... which is no controlled divergence, at any width: 0", HAAS, 0.0, 0.5, controlled("mse")),
)  # fmt: skip


def _early_gradient(row: Row) -> float | None:
    """Its norm at the first ten updates."""
    return number(row["value"]) if 1 <= number(row["step"]) <= 10 else None


def _normed(loss: str, name: str, growth: tuple[float, float], accuracy: float) -> tuple[Claim, ...]:
    gradient = power("measures", _early_gradient, measure="grad_norm", training_loss=loss)
    return (
        Claim(NORMED, f"layer normalisation, {name}: outputs grow with width at η = 4/√width: exponent", HAAS, *growth,
              power("width_growth", column("logit_rms"), training_loss=loss)),
        Claim(NORMED, f"... {name}: and training succeeds: smallest accuracy", HAAS, accuracy, 1.0,
              smallest("phases", column("final_accuracy"), training_loss=loss)),
        Claim(NORMED, f"... {name}: the gradient grows no faster than the root of the width: exponent", HAAS, 0.0, 0.7,
              gradient),
        *(
            Claim(NORMED, f"... {name}: activations of hidden layer {layer} after 10 steps: exponent", HAAS,
                  -0.25, 0.25, power("layers", column("activation_rms"), step=10, layer=layer, training_loss=loss))
            for layer in (2, 3)
        ),
    )  # fmt: skip


# Guesses from plain nets; no runs were made before. A gradient with a bounded signal goes like the root of the width.
_NORMED = (
    *_normed("ce", "cross-entropy", (0.2, 0.9), 0.9),
    *_normed("mse-softmax", "the softmax's squared loss", (0.1, 0.8), 0.8),
    Claim(NORMED_MSE, "layer normalisation, squared loss at 1/(4√width): outputs grow with width: exponent", HAAS,
          0.2, 0.9, power("width_growth", column("logit_rms"))),
    Claim(NORMED_MSE, "... and so does the peak of the loss: exponent", HAAS, 0.3, 2.0,
          power("phases", column("peak_smoothed"))),
    Claim(NORMED_MSE, "... and the gradient, faster than the root of the width: exponent", HAAS, 0.6, 2.5,
          power("measures", _early_gradient, measure="grad_norm")),
)  # fmt: skip

# Near runs had: adamw under sp -0.70 (4 epochs), under muP -0.13; sgd under sp -0.26, under muP 0.03. Nothing was run
# before of sp with rates of each layer.
BY_LAYER = (
    *_TRANSFORMER,
    *_CONTROLS,
    *_NORMED,
    Claim(ADAM, "adam: one rate for all layers falls with the width: exponent", EVERETT, -1.1, -0.4, _best("sp")),
    Claim(ADAM, "... rates of each layer make sp transfer", EVERETT, -0.3, 0.3, _best("sp-full-align")),
    Claim(ADAM, "... as they do muP", EVERETT, -0.3, 0.3, _best("mup")),
    Claim(ADAM, "... a gap between the two kinds of sp", EVERETT, 0.3, 1.2,
          difference(_best("sp-full-align"), _best("sp"))),
    Claim(ADAM, "... and sp with them is no worse than muP: lowest loss over muP's at width 512", EVERETT, 0.0, 1.05,
          _compared),
    Claim(SGD, "sgd: one rate for all layers falls with the width: exponent", EVERETT, -0.7, -0.1, _best("sp")),
    Claim(SGD, "... rates of each layer make sp transfer", EVERETT, -0.3, 0.3, _best("sp-full-align")),
    Claim(SGD, "... as they do muP", EVERETT, -0.3, 0.3, _best("mup")),
    Claim(SGD, "... and sp with them is no worse than muP: lowest loss over muP's at width 512", EVERETT, 0.0, 1.05,
          _compared),
)  # fmt: skip
