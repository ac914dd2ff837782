"""Optimizers by name: ours in the table below, those of other packages by entry points of ``mlrtui.optimizers``.

    [project.entry-points."mlrtui.optimizers"]
    mine = "my_package:MINE"          # an `Optimizer`

What each is stands in its own file, as one `Optimizer`. Nothing here imports torch; `stepping` does.
"""

from mlrtui_trainer.optimizers.adam import ADAM, ADAMW
from mlrtui_trainer.optimizers.base import OPTIMIZERS, Compiled, Optimizer, owners_of
from mlrtui_trainer.optimizers.momentum import MOMENTUM, NESTEROV
from mlrtui_trainer.optimizers.muon import MUON
from mlrtui_trainer.optimizers.rmsprop import RMSPROP
from mlrtui_trainer.optimizers.sgd import SGD

__all__ = ["OPTIMIZERS", "Compiled", "Optimizer", "owners_of"]

OPTIMIZERS.register("sgd", SGD)
OPTIMIZERS.register("momentum", MOMENTUM)
OPTIMIZERS.register("adam", ADAM)
OPTIMIZERS.register("nesterov", NESTEROV)
OPTIMIZERS.register("adamw", ADAMW)
OPTIMIZERS.register("rmsprop", RMSPROP)
OPTIMIZERS.register("muon", MUON)
