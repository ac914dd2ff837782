"""What the time left knows a cell by: the features over which `forecast.Pace` and `needs.Needs` learn."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from mlrtui.driver.planes import Features
from mlrtui.driver.sharing import Cost

__all__ = ["Traits", "traits_of"]


class Traits(NamedTuple):
    """What the planes know a cell by.

    ``kinds``: the words of its label beside depth and width, such as "mse": cells that share one are alike.
    """

    cell: int
    cost: Cost
    kinds: tuple[str, ...] = ()

    @property
    def shape(self) -> Features:
        """Its features for `Needs`; the plane is for nets of width 128 and depth 3."""
        found = {"width": math.log(self.cost.width / 128), "depth": math.log((self.cost.depth + 1) / 4)}
        return {"all": 1.0} | found | dict.fromkeys(self.kinds, 1.0)

    def work(self, probe: bool) -> Features:
        """Its features for `Pace`; ``probe``: of measuring λ₀, else of training. The planes are for 0.1 s of work."""
        guess = self.cost.probe if probe else self.cost.training
        size = math.log(guess / 0.1) if guess else 0.0
        if probe:
            return {"machine": 1.0, "probe": 1.0, "probe size": size}
        return {"machine": 1.0, "training": 1.0, "size": size} | dict.fromkeys(self.kinds, 1.0)


def traits_of(cells: Sequence[tuple[int, Cost, str]]) -> list[Traits]:
    """Of cells by number, cost and label. A word that one cell alone has says nothing of others."""
    words = [label.split()[1:] for _, _, label in cells]
    shared = Counter(word for own in words for word in own)
    return [
        Traits(number, cost, tuple(word for word in own if 1 < shared[word] < len(cells)))
        for (number, cost, _), own in zip(cells, words, strict=True)
    ]
