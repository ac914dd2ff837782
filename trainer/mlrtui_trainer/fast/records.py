"""Arguments of compiled code by name, and the columns of a step's numbers.

numba takes NamedTuples of arrays and numbers as they are. Nothing here imports numba. A field that is an array says its
shape; addresses are integers.
"""

from typing import Any, NamedTuple

__all__ = [
    "ACCURACY",
    "CENTRED",
    "COLUMNS",
    "DEAD",
    "HIDDEN",
    "LOSS",
    "OUTPUTS",
    "SIZES",
    "Answers",
    "Basis",
    "Before",
    "Data",
    "Extent",
    "Lane",
    "Lanes",
    "Net",
    "Operator",
    "Piece",
    "Ritz",
    "Rows",
    "Rules",
    "Signals",
    "Span",
    "Stopping",
    "Strided",
    "Update",
]


LOSS, ACCURACY, DEAD = 0, 1, 2
OUTPUTS, CENTRED, HIDDEN = 3, 4, 5
"""RMS of the outputs, of the outputs less their mean over classes (themselves under mse), of the last hidden layer."""

SIZES = slice(OUTPUTS, HIDDEN + 1)  # the three RMS
COLUMNS = 6


class Extent(NamedTuple):
    """How large the matrices of a product C = A B are."""

    rows: int  # of A and C
    columns: int  # of B and C
    terms: int  # of every sum: columns of A, rows of B; from 1 on


class Strided(NamedTuple):
    """Where the numbers of a matrix are; strides count numbers."""

    at: int  # address of the first one
    row: int  # from one row to the next
    column: int  # from one column to the next


class Rows(NamedTuple):
    """Where the rows of a matrix are, each without gaps; the stride counts numbers."""

    at: int  # address of the first number
    row: int  # from one row to the next


class Operator(NamedTuple):
    """One lane's operator as compiled code reads it, and the memory that its products work in."""

    layout: Any  # int64 [layers, COLUMNS]: where everything of a layer lies
    weights: Any  # int64 [layers]: addresses of the lane's matrices
    scale: Any  # [layers], in the precision of λ
    constants: Any  # [numbers]: what all products share, by ``layout``
    samples: int
    piece: int  # samples that go through a product at a time, so that they stay in the cache
    loss_ce: bool  # whether the loss is ce; else mse
    scratch: Any  # [numbers], by ``layout`` and ``spare``
    spare: Any  # int64 [SPARE]: places in the scratch that belong to no layer
    multiply: int  # address of the compiled product, see `tiles.multiply_at`


class Signals(NamedTuple):
    """What is needed of one lane beside its `Operator`, to write its constants."""

    biases: Any  # int64 [layers]: addresses; [0] of a net without biases
    activation: int  # its number in `fast.route.ACTIVATIONS`
    full: bool  # for the Hessian of the loss; else for its Gauss-Newton part
    y: Any  # [samples · outputs]


class Piece(NamedTuple):
    """Samples that go through a product together."""

    start: int  # the first one's number
    samples: int


class Stopping(NamedTuple):
    """When a solve stops."""

    tolerance: float
    wanted: int  # values
    noise: float  # part of the operator's norm below which β, or a residual, is rounding


class Answers(NamedTuple):
    """Where one lane's answers are written."""

    values: Any  # [wanted]
    residuals: Any  # [wanted], relative
    vectors: Any  # [rows, size]: Ritz vectors, the largest value's first


class Before(NamedTuple):
    """What is known of one lane's last solve, and how a value is judged by it; see `curvature.stopping`."""

    along: bool  # whether there was one: whether this is along a training
    value: float  # its largest value
    audit: bool
    fall: float  # `FALL`
    fallen: int  # `FALLEN`, a place in the table
    audited: int  # `AUDITED`, the same


class Basis(NamedTuple):
    """Vectors of one solve; rows are padded."""

    vectors: Any  # [products + 2, padded size]; the last two rows are at hand
    pulled: Any  # [products, padded size]: the operator times these


class Ritz(NamedTuple):
    """Ritz pairs in a basis, and space for the weights of one."""

    basis: Any
    pulled: Any
    vectors: Any  # [products, products], by columns
    order: Any  # their places, the largest value's first
    theta: Any  # [products], values, falling
    weight: Any  # [products]


class Net(NamedTuple):
    """An architecture as compiled steps read it, and the memory that they work in."""

    shapes: Any  # int64 [layers, 2], (out, in)
    scale: Any  # [layers], in the training's precision
    rate: Any  # [layers]
    places: Any  # int64, in the scratch: z of every layer, then what `fast.training` names
    activation: int  # its number in `fast.route.ACTIVATIONS`
    scratch: Any  # [numbers]
    multiply: int  # address of the compiled product, see `tiles.multiply_at`


class Rules(NamedTuple):
    """What a training asks of its outputs and of its optimizer, by their numbers."""

    loss: int  # as `fast.losses` has them
    kind: int  # of the data, the same
    optimizer: int  # as `fast.training` has them
    full: bool  # whether all samples are in a batch


class Lane(NamedTuple):
    """One lane while it trains."""

    weights: Any  # int64 [layers]: addresses of its matrices
    biases: Any  # int64 [layers], the same; [0] of a net without biases
    states: Any  # int64 [2, states, layers]: addresses of what an optimizer remembers of matrices and of biases
    inertia: Any  # float64 [4]: numbers of the optimizer; 1 - β loses half of its digits in single precision
    factor: Any  # what the samples' gradients are multiplied by: -η/batch or 1/batch
    limit: float  # of the sum of a step's losses


class Lanes(NamedTuple):
    """The lanes of a round while they train: the fields of `Lane`, each with a dimension of lanes before its own."""

    weights: Any
    biases: Any
    states: Any
    inertia: Any
    factor: Any
    limit: Any
    slots: Any  # int64 [lanes]: each lane's order of the samples


class Data(NamedTuple):
    """Samples in the order in which they are taken; of several orders, each field has a dimension before its own."""

    x: Any  # [rows · inputs]
    y: Any  # [rows, outputs]
    labels: Any  # int64 [rows]


class Span(NamedTuple):
    """Which steps are taken."""

    first: int  # row of the first step's first sample
    samples: int  # in a batch
    steps: int
    watched: int  # steps, from the first on, whose outputs' sizes are wanted
    before: int  # steps that were taken before


class Update(NamedTuple):
    """By what one step of an optimizer moves parameters."""

    optimizer: int  # as `fast.training` has them
    inertia: Any  # float64 [4], see `Lane`
    step: int  # counted from 1
