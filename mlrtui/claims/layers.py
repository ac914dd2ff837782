"""Claims about layers: best rates with one rate or one for each (Everett et al. 2024), a transformer's outputs."""

from math import inf
from statistics import fmean

from mlrtui.claims.check import Claim, Measured, Results
from mlrtui.claims.measures import Measure, column, controlled, difference, exponent, number, power, smallest

__all__ = ["BY_LAYER"]

EVERETT = "Everett et al. (2024)"
HAAS = "Haas, Bordt, von Luxburg and Vankadara (2025)"
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

# Near runs had: adamw under sp -0.70 (4 epochs), under muP -0.13; sgd under sp -0.26, under muP 0.03. Nothing was run
# before of sp with rates of each layer.
BY_LAYER = (
    *_TRANSFORMER,
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
