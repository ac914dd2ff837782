"""Why a measurement of somebody's model is refused. Each text names the place and the remedy, on one line."""

__all__ = [
    "AsymmetricCurvature",
    "MeasureError",
    "NotReproducible",
    "NotTwiceDifferentiable",
    "ShardedParameters",
    "WrongBatch",
]


class MeasureError(Exception):
    """A measurement that would give a wrong number is refused."""


class NotTwiceDifferentiable(MeasureError):
    """Some operation has no second derivative, or a wrong one."""


class AsymmetricCurvature(NotTwiceDifferentiable):
    """Products are not those of a symmetric matrix: some second derivative is wrong."""


class NotReproducible(MeasureError):
    """The loss of the same weights, batch and random state is another at each call: there is no function to measure."""


class ShardedParameters(MeasureError):
    """Parameters are spread over processes, and double backward does not reach them."""


class WrongBatch(MeasureError):
    """The loss is not finite, no number, or does not depend on the parameters."""
