"""Opening a store to write, and bringing an older one up to date with its phases named by the present rules.

The store knows no rules and the rules know no store, so this is where they meet: nothing else in this package opens a
store to write.
"""

import json
from functools import cache
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING

from mlrtui.errors import MlrtuiError
from mlrtui_db.records import EVIDENCE
from mlrtui_db.relabelling import NewPhase, StoredTrial, Value
from mlrtui_db.store import Store, bring_up_to_date

if TYPE_CHECKING:
    from mlrtui.data import DataSpec

__all__ = ["make_current", "open_store", "second_edition"]


def open_store(path: Path | str, *, ended: bool = False) -> Store:
    """Open a store to write, or make one; an older one is brought up to date first. ``ended``: see `Store.open`.

    Raises:
        StoreError: one of its kinds.
    """
    return Store.open(path, relabel=second_edition, ended=ended)


def make_current(path: Path | str) -> Path | None:
    """Bring an older store up to date; where the copy of it lies, None where nothing was due.

    Raises:
        StoreError: one of its kinds; the store is as it was.
    """
    return bring_up_to_date(path, relabel=second_edition)


def second_edition(stored: StoredTrial) -> NewPhase | None:
    """The phase of an older store's trial by the present rules; None where what is stored does not decide."""
    import numpy as np  # only where something is due: commands start without it

    from mlrtui.data import DataSpec
    from mlrtui_trainer import phases, stored_phases
    from mlrtui_trainer.optimizers import OPTIMIZERS
    from mlrtui_trainer.registry import UnknownNameError

    cell, net, trial, curve = stored.cell, stored.net, stored.trial, stored.curve
    if not len(curve.step) and trial["verdict"] not in ("diverged", "dead"):
        return None  # its steps were pruned
    optimizer = str(cell["optimizer"])
    try:
        named = OPTIMIZERS[optimizer].inertia
    except UnknownNameError:
        return None  # of a package that is not installed here
    beta = json.loads(str(cell["settings"])).get(named) if named else 0.0
    if beta is None:
        return None
    loss_constant, majority = _number(trial.get("loss_constant")), _number(trial.get("majority"))
    if loss_constant != loss_constant:
        loss_constant, majority = _chance(
            DataSpec(*(cell[name] for name in ("data", "samples", "target", "standardize"))),  # type: ignore[arg-type]
            str(cell["data_id"]),
            str(cell["loss"]),
        )
    told = stored_phases.StoredTrial(
        loss_kind=str(cell["loss"]),
        verdict=str(trial["verdict"]),
        batch=int(_number(cell["batch"])),
        samples=int(_number(cell["samples"])),
        loss_initial=_number(trial["loss_initial"]),
        loss_final=_number(trial["loss_final"]),
        eta=_number(trial["eta"]),
        optimizer=optimizer,
        beta=float(beta),
        linear=cell["model"] == "mlp" and cell["depth"] == 0,
        accuracy=_number(trial["final_accuracy"]),
        lambda0=_number(net["lambda0_preconditioned"]),
        has_edge=(net["operator"] != "ntk" or cell["loss"] == "mse") and net["sharpness_samples"] == "all",
        logit_rms_initial=_number(trial["logit_rms_initial"]),
        logit_rms_peak=_number(trial["logit_rms_peak"]),
        logit_growth=_number(trial.get("logit_growth")),
        loss_constant=loss_constant,
        majority=majority,
    )
    steps, flags = (np.frombuffer(column, np.int64) for column in (curve.step, curve.flags))
    loss, sharpness = (np.frombuffer(column, np.float64) for column in (curve.loss, curve.sharpness))
    evidence, missing = stored_phases.evidence_from_steps(told, steps, loss, flags, sharpness)
    phase = stored_phases.label_if_decided(evidence, missing)
    if phase is None:
        return None
    numbers = {name: float(getattr(evidence, name)) for name in EVIDENCE if name not in missing}
    return NewPhase(phase.label, phases.RULE_EDITION, phase.basis, phase.reason, numbers)


@cache
def _chance(wanted: "DataSpec", data_id: str, loss: str) -> tuple[float, float]:
    """What a net that has learnt nothing gets on a cell's data: loss, accuracy. NaN where the data is not to be had.

    Data in files stays closed, since only the sweep file tells where it lies, and held-out samples are not told apart.
    """
    from mlrtui import data
    from mlrtui_trainer.chance import constant_loss, majority_share

    if wanted.name in data.FILES:
        return nan, nan
    try:
        found = data.load(wanted)
    except (MlrtuiError, KeyError, ValueError):  # of another version, or of an extra that is not installed
        return nan, nan
    if found.data_id != data_id:
        return nan, nan
    return constant_loss(found.y, loss), majority_share(found.y, found.kind)


def _number(value: Value) -> float:
    return float(value) if isinstance(value, int | float) else nan
