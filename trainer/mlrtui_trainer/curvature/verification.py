"""Whether λ of a net that we did not write can be trusted: looked at once per net and operator.

Near the initial weights, on some of the samples, in double precision: Hessian products against differences of
gradients, and the gradient against differences of the loss; for Gauss-Newton and the NTK J v against differences of
the outputs, and Jᵀ against J. A net that does not compute in double precision is only asked whether its products are
symmetric, which finds about half of what can be wrong.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mlrtui_trainer.curvature.autograd import AutogradCurvature, PieceByPiece
from mlrtui_trainer.curvature.double_backward import ALARM, ROUNDED, STEP, relative
from mlrtui_trainer.curvature.operators import curvature
from mlrtui_trainer.models.base import Model, Weights
from mlrtui_trainer.models.general import General
from mlrtui_trainer.models.trying import nearby
from mlrtui_trainer.raised import said_in_short
from mlrtui_trainer.samples import Samples
from mlrtui_trainer.seeds import generator

__all__ = ["ASYMMETRIC", "FLAGGED", "VERIFIED_ROWS", "Verdict", "flags", "refusals", "verdict"]

VERIFIED_ROWS = 64
ASYMMETRIC = 1e-3
"""Relative asymmetry of products beyond which they are wrong, where nothing better is at hand; right ones have 2e-6."""

FLAGGED = 1e-4
"""Asymmetry beyond which a person is told."""

REMEDY = (
    "write its backward pass with differentiable operations that start from saved inputs, or use torch's own functions"
)


@dataclass(frozen=True)
class Verdict:
    """Whether products with an operator are right."""

    error: float  # relative: of products, or their asymmetry
    how: str  # "differences in double precision" | "symmetry only" | "not checked"
    refused: str = ""  # why λ must not be measured; "": it may

    @property
    def text(self) -> str:
        """In words."""
        return f"refused: {self.refused}" if self.refused else f"checked by {self.how}, error {self.error:.1e}"


def flags(model: General) -> list[str]:
    """What a person should know of verdicts by symmetry alone, one line for each operator."""
    assert model.made is not None
    worst: dict[str, float] = {}
    for (_, operator, *_), found in model.made.verdicts.items():
        if isinstance(found, Verdict) and found.how == "symmetry only" and not found.refused:
            worst[operator] = max(worst.get(operator, 0.0), found.error)
    return [
        f"{model.made.name}: products of {operator} are asymmetric by {error:.1g}: λ may be wrong by as much"
        for operator, error in worst.items()
        if error > FLAGGED
    ]


def refusals(
    model: Model, weights: Weights, samples: Samples, loss: str, operators: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """Why λ of these operators is refused: by operator, one reason per net of which it is; our own models never are.

    ``weights`` are the initial ones of some lanes, each net of which is looked at once in the life of a model.
    """
    if not isinstance(model, General) or model.made is None:
        return {}
    refused: dict[str, tuple[str, ...]] = {}
    for operator in dict.fromkeys(operators):
        for lane in {net: i for i, net in enumerate(weights.nets)}.values():
            found = verdict(model, weights.lane(lane), samples, loss, operator)
            if found.refused:
                refused[operator] = (*refused.get(operator, ()), found.refused)
    return refused


def verdict(model: General, weights: Weights, samples: Samples, loss: str, operator: str) -> Verdict:
    """Look at one net, of one lane; what was found is kept."""
    made = model.made
    assert made is not None
    key = (weights.nets, operator, "" if operator == "ntk" else loss, samples.x.device)
    if key not in made.verdicts:
        with torch.inference_mode(False):
            made.verdicts[key] = _verdict(model, weights, samples.first(VERIFIED_ROWS), loss, operator)
    found = made.verdicts[key]
    assert isinstance(found, Verdict)
    return found


def _verdict(model: General, weights: Weights, samples: Samples, loss: str, operator: str) -> Verdict:
    assert model.made is not None
    given = tuple(w.clone() for w in weights.to(samples.x.dtype).w)
    at = replace(weights.to(samples.x.dtype), w=tuple(nearby(given, weights.nets[0])))
    if not bool(model.forward(at, samples.x[None]).f.isfinite().all()):
        at = replace(at, w=given)
    try:
        given_precision = _whole(model, at, samples, loss, operator)
        once = _refuses(given_precision, _unit(given_precision.flat, weights.nets[0], 0))
        asymmetry = 0.0 if once or model.made.double else _asymmetry(given_precision, weights.nets[0])
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as raised:
        return Verdict(float("inf"), "", f"torch cannot differentiate it twice: {said_in_short(raised)}")
    layer = model.made.blame
    if once:
        where = layer(weights.nets[0], samples.x)
        return Verdict(float("inf"), "", f"{where} is once_differentiable: it has no second derivatives; {REMEDY}")
    if not model.made.double:
        refused = ""
        if asymmetry > ASYMMETRIC:
            refused = f"its second derivatives are wrong: products are asymmetric by {asymmetry:.1g}; {REMEDY}"
        return Verdict(asymmetry, "symmetry only", refused)
    fine = _whole(model, at.to(torch.float64), samples.to(torch.float64), loss, operator)
    error = _hessian_error(fine, weights.nets[0]) if operator == "hessian" else _jacobian_error(fine, weights.nets[0])
    if error <= ALARM:
        return Verdict(error, "differences in double precision")
    what = "derivatives" if operator == "hessian" else "products with its Jacobian"
    where = layer(weights.nets[0], samples.x)
    return Verdict(
        error, "", f"{what} of {where} are wrong by {error:.1g}, by differences in double precision; {REMEDY}"
    )


def _whole(model: General, at: Weights, samples: Samples, loss: str, operator: str) -> AutogradCurvature:
    """The operator over the samples, or over as many of them as fit into memory."""
    found = curvature(model, at, samples.x, samples.y, loss, operator)
    if isinstance(found, PieceByPiece):
        found = found.parts[0]
    assert isinstance(found, AutogradCurvature)
    return AutogradCurvature(found.model, found.loss, found.flat, found.gauss_newton, True, found.nets)


def _unit(like: Tensor, seed: int, index: int) -> Tensor:
    v = torch.from_numpy(generator(seed, "data", 2, index).standard_normal(tuple(like.shape))).to(like)
    unit: Tensor = v / v.norm()
    return unit


def _asymmetry(operator: AutogradCurvature, seed: int) -> float:
    """|uᵀAv − vᵀAu| over the larger of both."""
    u, v = (_unit(operator.flat, seed, i) for i in range(2))
    a, b = float((u * operator.apply(v)).sum()), float((v * operator.apply(u)).sum())
    size = max(abs(a), abs(b))
    return abs(a - b) / size if size else 0.0


def _refuses(operator: AutogradCurvature, v: Tensor) -> bool:
    """Whether something in the graph says that it cannot be differentiated again; raises what a product raises."""
    operator.apply(v)
    waiting, seen, once = [operator.recorded().grad_fn], set(), False
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        once |= node.name() == "torch::autograd::Error"
        waiting += [parent for parent, _ in node.next_functions]
    return once


def _hessian_error(operator: AutogradCurvature, seed: int) -> float:
    """Of products, against differences of gradients; of gradients, against differences of the loss."""
    flat, g = operator.flat, operator.gradient(operator.flat)

    def loss(at: Tensor) -> Tensor:
        return operator.loss(operator.outputs(at))  # [1]

    directions = [_unit(flat, seed, 2)]
    if float(g.norm()) > 0:
        directions.append(g / g.norm())
    errors = []
    for v in directions:
        up, down = flat + STEP * v, flat - STEP * v
        by_gradients = (operator.gradient(up) - operator.gradient(down)) / (2 * STEP)
        errors.append(relative(operator.apply(v), by_gradients, ROUNDED * float(g.norm())))
        above, below = loss(up), loss(down)
        errors.append(relative((g * v).sum()[None], (above - below) / (2 * STEP), ROUNDED * float(above.abs())))
    return max(errors)


def _jacobian_error(operator: AutogradCurvature, seed: int) -> float:
    """Of J v, against differences of the outputs; of Jᵀ u, against the same J v."""
    flat, f = operator.flat, operator.outputs(operator.flat)
    pulled = operator.pulled_back(_unit(f, seed, 3))
    directions: Sequence[Tensor] = [_unit(flat, seed, 2), *([pulled / pulled.norm()] if float(pulled.norm()) else [])]
    floor = ROUNDED * float(f.norm())
    errors = []
    for v in directions:
        jv = (operator.outputs(flat + STEP * v) - operator.outputs(flat - STEP * v)) / (2 * STEP)
        errors.append(relative(operator.tangent(v), jv, floor))
        if (size := float(jv.norm())) > floor:
            u = jv / size
            errors.append(relative((operator.pulled_back(u) * v).sum()[None], (u * jv).sum()[None], floor))
    return max(errors)
