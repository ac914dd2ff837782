"""How initial weights and learning rates of a layer scale with width, by the layer's role.

The tables of Haas, Bordt, von Luxburg and Vankadara (2025), relative to a base width: at width = base width every
parametrization is the standard one. A layer's learning rate is η times its rate; λ is measured with these rates, so
2/η stays the edge.
"""

from dataclasses import dataclass

__all__ = ["PARAMETRIZATIONS", "Parametrization"]


@dataclass(frozen=True)
class Parametrization:
    """Powers of width / base width: of the learning rate by role, and of the output layer's initial deviation."""

    rate_input: float
    rate_hidden: float
    rate_output: float
    output_std: float

    def rates(self, layers: int, ratio: float) -> tuple[float, ...]:
        """Learning-rate factor of each of ``layers`` weight layers; ratio = width / base width."""
        if layers == 1:
            return (1.0,)  # no hidden layer, no width
        powers = (self.rate_input, *([self.rate_hidden] * (layers - 2)), self.rate_output)
        return tuple(ratio**power for power in powers)

    def output_factor(self, layers: int, ratio: float) -> float:
        """Factor of the output layer's initial standard deviation."""
        return 1.0 if layers == 1 else ratio**self.output_std


PARAMETRIZATIONS = {
    "sp": Parametrization(0.0, 0.0, 0.0, 0.0),
    "ntk": Parametrization(0.0, -1.0, -1.0, 0.0),
    "mup": Parametrization(1.0, 0.0, -1.0, -0.5),
    "sp-full-align": Parametrization(0.5, -0.5, -1.0, 0.0),
}
