"""How initial weights and learning rates of a layer scale with width, by the layer's role and the optimizer.

The tables of Haas, Bordt, von Luxburg and Vankadara (2025), relative to a base width: at width = base width every
parametrization is the standard one. The powers of the rates stand with each optimizer (`optimizers`). A layer's
learning rate is η times its rate; λ is measured with these rates, so the optimizer's edge stays where it is.

    [project.entry-points."mlrtui.parametrizations"]
    mine = "my_package:MINE"          # a `Parametrization`
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mlrtui_trainer.optimizers import OPTIMIZERS
from mlrtui_trainer.optimizers.base import Powers
from mlrtui_trainer.registry import Registry

__all__ = ["PARAMETRIZATIONS", "Parametrization", "with_rates"]


@dataclass(frozen=True)
class Parametrization:
    """A parametrization by its name, and what it does to the initial weights.

    One of another package gives its own powers, for optimizers that have no others for its name.

    >>> PARAMETRIZATIONS["mup"].rates(3, 4.0)
    (4.0, 1.0, 0.25)
    """

    name: str
    output_std: float  # power of width / base width of the output layer's deviation
    powers: Powers | None = None  # of the rates of input, hidden and output layer; None: as each optimizer has them

    def powers_under(self, optimizer: str) -> Powers | None:
        """Powers of the layers' rates under an optimizer; None: it has none."""
        return OPTIMIZERS[optimizer].powers.get(self.name, self.powers)

    def rates(self, layers: int, ratio: float, optimizer: str = "sgd") -> tuple[float, ...]:
        """Learning-rate factor of each of ``layers`` weight layers; ratio = width / base width.

        Raises ValueError where there are none for the optimizer.
        """
        powers = self.powers_under(optimizer)
        if powers is None:
            raise ValueError(
                f"{self.name} has no rates under {optimizer}: use one of {', '.join(with_rates(optimizer))}"
            )
        if layers == 1:
            return (1.0,)  # no hidden layer, no width
        into, hidden, out = (ratio**power for power in powers)
        return (into, *([hidden] * (layers - 2)), out)

    def output_factor(self, layers: int, ratio: float) -> float:
        """Factor of the output layer's initial standard deviation."""
        return 1.0 if layers == 1 else ratio**self.output_std


_POWER = r"(-?\d+(?:\.\d+)?)"
_WRITTEN = re.compile(rf"width\^\({_POWER}, {_POWER}, {_POWER}(?:; {_POWER})?\)")
_STEEPEST = 10.0


def _powers(name: str) -> tuple[float, ...] | None:
    """The powers that a name writes out, that of the output deviation last; None where it is no such name."""
    match = _WRITTEN.fullmatch(name)
    if match is None:
        return None
    powers = tuple(float(text or 0.0) + 0.0 for text in match.groups())
    *rates, deviation = (f"{power:g}" for power in powers)
    plain = f"width^({', '.join(rates)}{f'; {deviation}' if deviation != '0' else ''})"
    return powers if name == plain and max(map(abs, powers)) <= _STEEPEST else None  # one spelling: names are keys


def _written(name: str) -> Parametrization:
    powers = _powers(name)
    assert powers is not None, name
    into, hidden, out, deviation = powers
    return Parametrization(name, deviation, (into, hidden, out))


PARAMETRIZATIONS = Registry[Parametrization](
    "parametrization", group="mlrtui.parametrizations", own=_written, is_own=lambda name: _powers(name) is not None
)
"""All parametrizations by their names in sweep files, and those that a name writes out.

It does so by powers of width / base width.

"width^(0.5, 0, -1)" has these powers for the rates of input, hidden and output layers. "width^(1, 0, -1; -0.5)" has one
for the initial deviation of the output layer, too: it is muP under sgd.

>>> PARAMETRIZATIONS["width^(1, 0, -1; -0.5)"].rates(3, 4.0), PARAMETRIZATIONS["width^(1, 0, -1; -0.5)"].output_std
((4.0, 1.0, 0.25), -0.5)
"""


def with_rates(optimizer: str, among: Iterable[str] | None = None) -> list[str]:
    """The parametrizations that have rates under an optimizer.

    >>> with_rates("adam", PARAMETRIZATIONS.ours)
    ['sp', 'mup', 'sp-full-align']
    """
    names = PARAMETRIZATIONS if among is None else among
    return [name for name in names if PARAMETRIZATIONS[name].powers_under(optimizer) is not None]


for _one in (
    Parametrization("sp", output_std=0.0),
    Parametrization("ntk", output_std=0.0),
    Parametrization("mup", output_std=-0.5),
    Parametrization("sp-full-align", output_std=0.0),
):
    PARAMETRIZATIONS.register(_one.name, _one)
