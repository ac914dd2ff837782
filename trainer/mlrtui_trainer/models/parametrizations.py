"""How initial weights and learning rates of a layer scale with width, by the layer's role and the optimizer.

The tables of Haas, Bordt, von Luxburg and Vankadara (2025), relative to a base width: at width = base width every
parametrization is the standard one. A layer's learning rate is η times its rate; λ is measured with these rates, so
the optimizer's edge stays where it is.
"""

from dataclasses import dataclass

__all__ = ["PARAMETRIZATIONS", "Parametrization"]

Powers = tuple[float, float, float]


@dataclass(frozen=True)
class Parametrization:
    """Powers of width / base width: of the rates of input, hidden and output layer, and of the output's deviation."""

    sgd: Powers  # with momentum, too: its steps are sums of such gradients
    adam: Powers | None  # whose steps have the same size whatever the gradient's; None: not tabulated
    output_std: float

    def rates(self, layers: int, ratio: float, optimizer: str = "sgd") -> tuple[float, ...]:
        """Learning-rate factor of each of ``layers`` weight layers; ratio = width / base width.

        Raises ValueError where there are none for the optimizer.
        """
        powers = self.adam if optimizer == "adam" else self.sgd
        if powers is None:
            raise ValueError("this parametrization has no rates under adam: use sp, mup or sp-full-align")
        if layers == 1:
            return (1.0,)  # no hidden layer, no width
        into, hidden, out = (ratio**power for power in powers)
        return (into, *([hidden] * (layers - 2)), out)

    def output_factor(self, layers: int, ratio: float) -> float:
        """Factor of the output layer's initial standard deviation."""
        return 1.0 if layers == 1 else ratio**self.output_std


PARAMETRIZATIONS = {
    "sp": Parametrization(sgd=(0.0, 0.0, 0.0), adam=(0.0, 0.0, 0.0), output_std=0.0),
    "ntk": Parametrization(sgd=(0.0, -1.0, -1.0), adam=None, output_std=0.0),
    "mup": Parametrization(sgd=(1.0, 0.0, -1.0), adam=(0.0, -1.0, -1.0), output_std=-0.5),
    "sp-full-align": Parametrization(sgd=(0.5, -0.5, -1.0), adam=(0.0, -1.0, -1.0), output_std=0.0),
}
