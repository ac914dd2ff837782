"""The same products by an independent library; `pip install -e ".[oracle]"` brings it."""

from itertools import pairwise, product

import pytest
import torch
from torch import Tensor, nn

from mlrtui_trainer.curvature.operators import curvature
from mlrtui_trainer.models.mlp import Mlp, Weights
from mlrtui_trainer.spec import NetSpec

curvlinops = pytest.importorskip("curvlinops", reason='curvlinops is not installed: pip install -e ".[oracle]"')

# what it imports is older than torch's newest deprecations
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

F64 = torch.float64
SIZES = (5, 7, 7, 3)
SAMPLES = 12
ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU, "linear": nn.Identity}


def network(activation: str, bias: bool) -> nn.Sequential:
    torch.manual_seed(3)
    layers: list[nn.Module] = []
    for fan_in, out in pairwise(SIZES):
        layers += [nn.Linear(fan_in, out, bias=bias), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1]).to(F64)


def of_peer(operator: str, model: nn.Sequential, loss: str, x: Tensor, labels: Tensor, v: Tensor) -> Tensor:
    """A v of the library's operator, in two batches of unequal length."""
    y = nn.functional.one_hot(labels, SIZES[-1]).to(F64)
    # its mean over samples and outputs of the squares is 2/outputs times our loss
    of, target, factor = (nn.CrossEntropyLoss(), labels, 1.0) if loss == "ce" else (nn.MSELoss(), y, SIZES[-1] / 2)
    kind = curvlinops.HessianLinearOperator if operator == "hessian" else curvlinops.GGNLinearOperator
    batches = [(x[:5], target[:5]), (x[5:], target[5:])]
    return factor * (kind(model, of, list(model.parameters()), batches) @ v)


@pytest.mark.parametrize(("activation", "loss", "bias"), product(ACTIVATIONS, ("ce", "mse"), (False, True)))
@pytest.mark.parametrize("operator", ["gauss-newton", "hessian"])
def test_products_are_those_of_curvlinops(activation: str, loss: str, bias: bool, operator: str) -> None:
    gen = torch.Generator().manual_seed(7)
    x = torch.randn(SAMPLES, SIZES[0], generator=gen, dtype=F64)
    labels = torch.randint(0, SIZES[-1], (SAMPLES,), generator=gen)
    model = network(activation, bias)
    linear = [layer for layer in model if isinstance(layer, nn.Linear)]
    weights = Weights(
        tuple(layer.weight.detach()[None] for layer in linear),
        tuple(layer.bias.detach()[None, None] for layer in linear) if bias else (),
    )
    mlp = Mlp.of(NetSpec("mlp", SIZES[0], SIZES[-1], 2, SIZES[1], activation, bias))
    y = nn.functional.one_hot(labels, SIZES[-1]).to(F64)
    v = torch.randn(mlp.n_params, generator=gen, dtype=F64)
    ours = curvature(mlp, weights, x, y, loss, operator).apply(v[None])[0]
    torch.testing.assert_close(ours, of_peer(operator, model, loss, x, labels, v), rtol=1e-9, atol=1e-11)
