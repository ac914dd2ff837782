"""How initial weights and learning rates of a layer scale with width, by the layer's role and the optimizer.

The tables of Haas, Bordt, von Luxburg and Vankadara (2025), relative to a base width: at width = base width every
parametrization is the standard one. The powers of the rates stand with each optimizer (`optimizers`). A layer's
learning rate is η times its rate; λ is measured with these rates, so the optimizer's edge stays where it is.
"""

from dataclasses import dataclass

from mlrtui_trainer.optimizers import OPTIMIZERS

__all__ = ["PARAMETRIZATIONS", "Parametrization"]


@dataclass(frozen=True)
class Parametrization:
    """A parametrization by its name, and what it does to the initial weights."""

    name: str
    output_std: float  # power of width / base width of the output layer's deviation

    def rates(self, layers: int, ratio: float, optimizer: str = "sgd") -> tuple[float, ...]:
        """Learning-rate factor of each of ``layers`` weight layers; ratio = width / base width.

        Raises ValueError where there are none for the optimizer.
        """
        table = OPTIMIZERS[optimizer].powers
        if self.name not in table:
            raise ValueError(f"{self.name} has no rates under {optimizer}: use one of {', '.join(table)}")
        if layers == 1:
            return (1.0,)  # no hidden layer, no width
        into, hidden, out = (ratio**power for power in table[self.name])
        return (into, *([hidden] * (layers - 2)), out)

    def output_factor(self, layers: int, ratio: float) -> float:
        """Factor of the output layer's initial standard deviation."""
        return 1.0 if layers == 1 else ratio**self.output_std


PARAMETRIZATIONS = {
    one.name: one
    for one in (
        Parametrization("sp", output_std=0.0),
        Parametrization("ntk", output_std=0.0),
        Parametrization("mup", output_std=-0.5),
        Parametrization("sp-full-align", output_std=0.0),
    )
}
