"""The tables of a sweep file as frozen models. Each key is declared, checked, defaulted and explained in one place.

Every rule is a key's annotation; every help text and example is a row of the reference page, and the example is
the remedy in a message. Axis fields hold tuples, whatever was written.
"""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict

from mlrtui.analysis.quantities import QUANTITIES
from mlrtui.config.forks import ForkSection
from mlrtui.config.maps import MapSection
from mlrtui.config.mistakes import enumerate_words
from mlrtui.config.rules import (
    axis,
    choice,
    either,
    flag,
    listed,
    named,
    number,
    or_word,
    seed_list,
    text,
    texts,
    whole,
)
from mlrtui.config.tables import Reals, Section, Whole, Words, make_key, section_of
from mlrtui.data.images import WHICH
from mlrtui.data.npz import CHANNELS_LAST, LAYOUT_HELP, LAYOUTS
from mlrtui.data.shapes import FILES, SOURCES
from mlrtui.keys import canonical_json, digest
from mlrtui_trainer.losses import LOSS_KINDS
from mlrtui_trainer.measures import ASKED_BY_NAME, BUILT_IN
from mlrtui_trainer.models.kinds import MODEL_KINDS
from mlrtui_trainer.models.parametrizations import PARAMETRIZATIONS
from mlrtui_trainer.models.sources import is_factory
from mlrtui_trainer.optimizers import OPTIMIZERS, owners_of
from mlrtui_trainer.registry import Registry
from mlrtui_trainer.schedules import SCHEDULES

__all__ = [
    "AnySweep",
    "DataSection",
    "FitSection",
    "ForkSection",
    "LayerRates",
    "MapSection",
    "MeasuresSection",
    "ModelSection",
    "RecordSection",
    "ScanSection",
    "SearchSection",
    "Section",
    "SharpnessSection",
    "SweepSection",
    "SweepSpec",
    "TrainingSection",
    "WidthRates",
    "make_key",
    "section_of",
]

HIGHEST_SEED = 4_294_967_295
MANY_SEEDS, FINE, COARSE = 3, 0.05, 0.1
"""From so many seeds on the coarse tolerance: their spread hides what the fine one adds, see numerics.md."""

THING, OWN = '"package.module:thing"', '"package.module:thing" (with --allow-code):'
WRITTEN = '"width^(0.5, 0, -1)"'
"""How a parametrization is named that is not a known one."""
TITLES = {name: source.title for name, source in SOURCES.items()} | FILES


def _texts(registry: Registry[Any]) -> str:
    """What ours are."""
    return "; ".join(f"{name}: {registry[name].text}" for name in registry.ours)


_OURS = {name: OPTIMIZERS[name] for name in OPTIMIZERS.ours}


def _owners(key: str) -> str:
    """The optimizers that have this key."""
    return enumerate_words(owners_of(key, OPTIMIZERS.ours), "and")


def _decaying(how: str) -> str:
    """The optimizers whose decay is of this kind."""
    return enumerate_words((name for name, one in _OURS.items() if one.decay == how), "and")


def _warming() -> str:
    """The schedules that have a warm-up."""
    return enumerate_words(name for name in SCHEDULES.ours if SCHEDULES[name].warms)


_DECAYS = "".join(f"{one.default_decay:g} for {name}, " for name, one in _OURS.items() if one.default_decay)


class SweepSection(Section):
    """What the sweep is called, and how many nets each grid point gets."""

    name: Annotated[str, text(120)] = make_key(
        "Name of the sweep; one sweep of a name in a store.", "digits: first look"
    )
    seeds: Annotated[Whole, seed_list(10_000, HIGHEST_SEED)] = make_key(
        "How many nets per grid point (seeds 0, 1, ...), or their seeds as a list. Never an axis.",
        3,
        (0,),
    )


class DataSection(Section):
    """What is learnt."""

    never: ClassVar[dict[str, str]] = {
        "download": "nothing is ever downloaded; put the files there yourself, and give their path"
    }

    name: Annotated[Words, axis(choice(*SOURCES, *FILES))] = make_key(
        "Data set: " + "; ".join(f"{name}, {title}" for name, title in TITLES.items()) + ".", "digits"
    )
    path: Annotated[str | None, text(1000)] = make_key(
        'For name = "npz" the file, for "torchvision" the folder; relative to the sweep file\'s folder. An npz file '
        "holds x [samples, ...], and y [samples] with class numbers 0, 1, ... without gaps, or real targets [samples(, "
        "outputs)]. Data of more than 2 GB is refused; the environment variable MLRTUI_DATA_GB raises that.",
        "my.npz",
        None,
    )
    layout: Annotated[str | None, choice(*LAYOUTS)] = make_key(LAYOUT_HELP, CHANNELS_LAST, None)
    which: Annotated[str | None, choice(*WHICH)] = make_key(
        'Of the folder of "torchvision", its training part; read from files, nothing is downloaded.', "MNIST", None
    )
    samples: Annotated[tuple[int | Literal["all"], ...], axis(or_word(whole(1, 100_000), "all"))] = make_key(
        "Number of training samples: the first ones of a fixed permutation.", 1024, ("all",)
    )
    target: Annotated[Words, axis(choice("classes", "parity", "tokens"))] = make_key(
        "classes: one output per class, one-hot under mse; parity: one output, +1 for odd class numbers, -1 for even; "
        "tokens: one class for each token of a sample, y [samples, tokens], for language models. Loss and accuracy are "
        "then means over all tokens.",
        "classes",
        ("classes",),
    )
    standardize: Annotated[Words, axis(choice("global", "feature", "none"))] = make_key(
        "global: subtract the mean sample, divide by one standard deviation; feature: by each feature's own.",
        "global",
        ("global",),
    )
    validation: Annotated[float | Literal["test"] | None, or_word(number(0.0, 0.9, above=True), "test")] = make_key(
        'Held out of training, for on = "validation" in [search] or [scan]: a share of the samples, the last ones; or '
        '"test", the arrays x_test and y_test of an npz file, standardised as x is.',
        0.2,
        None,
    )


class LayerRates(Section):
    """Learning-rate multipliers by layer role; 0 freezes a layer."""

    input: Annotated[Reals, axis(number(0.0, 1e4))] = make_key("Of the first layer.", 0.1, (1.0,))
    hidden: Annotated[Reals, axis(number(0.0, 1e4))] = make_key("Of the layers between hidden layers.", 1.0, (1.0,))
    output: Annotated[Reals, axis(number(0.0, 1e4))] = make_key("Of the last layer.", 1.0, (1.0,))


class ModelSection(Section):
    """The networks."""

    kind: Annotated[Words, axis(named(MODEL_KINDS, shown='"package.module:factory"'))] = make_key(
        f"{_texts(MODEL_KINDS)}. "
        '"package.module:factory": called as factory(inputs=, outputs=, depth=, width=), gives a torch.nn.Module of x '
        '[samples, inputs] that returns [samples, outputs], or [samples, tokens, outputs] for target = "tokens"; needs '
        "mlrtui run --allow-code. It is tried on real samples before anything is trained, see "
        "numerics.md.",
        "mlp",
        ("mlp",),
    )
    mode: Annotated[str | None, choice("function", "train")] = make_key(
        "For models of your own. function: outputs depend on weights and sample alone, all else is refused. train: "
        "steps are in training mode, with batch normalisation and dropout, evaluations in evaluation mode; λ is that "
        "of the loss in training mode over whole batches, see numerics.md. Default: function.",
        "train",
        None,
    )
    path: Annotated[str | None, text(1000)] = make_key(
        "Folder in which a factory's package is searched after the installed ones; without it, the sweep file's.",
        "models",
        None,
    )
    code_hash: Annotated[Words | None, texts(64, 100)] = make_key(
        "SHA-256 of the source files of the factories. Filled in when the sweep file is read: a sweep goes on only "
        "with the code that began it.",
        ["0" * 64],
        None,
    )
    depth: Annotated[Whole, axis(whole(1, 1000))] = make_key(
        "Hidden layers (cnn: convolutions; transformer: blocks); a net has one weight layer more. Needed for all but "
        "two-layer-linear, which has 1.",
        [2, 4, 8],
        (),
    )
    width: Annotated[Whole, axis(whole(1, 1_048_576))] = make_key(
        "Units of every hidden layer (cnn: channels; transformer: numbers per token).", [64, 128]
    )
    activation: Annotated[Words, axis(choice("relu", "linear", "tanh", "gelu"))] = make_key(
        "Of hidden layers (mlp, mlp-linearized, cnn); gelu is the exact one (erf). The other kinds have their own.",
        "relu",
        ("relu",),
    )
    bias: Annotated[tuple[bool, ...], axis(flag())] = make_key("Biases, zero at the start.", False, (False,))
    parametrization: Annotated[Words, axis(named(PARAMETRIZATIONS, shown=WRITTEN))] = make_key(
        "sp: normal initial weights of variance 2/fan_in (He; 1/fan_in where linear), one learning rate. The others "
        "scale the layers' rates and the output weights with width / base_width, as tabulated in numerics.md; "
        "a module of yours names its layers' roles (mlrtui_roles). width^(a, b, c): the rates of input, hidden and "
        "output layers go with these powers; width^(a, b, c; d): and the deviation of initial output weights with d.",
        "sp",
        ("sp",),
    )
    base_width: Annotated[Whole, axis(whole(1, 1_048_576))] = make_key(
        "Width at which every parametrization is the standard one.", 64, (64,)
    )
    init_variance: Annotated[Reals | None, axis(number(0.0, 100.0, above=True))] = make_key(
        "Variance of the initial weights of an mlp, times fan_in; without it, He's 2, or 1 where linear.", 0.5, None
    )
    input_lr: Annotated[Reals | None, axis(number(0.0, 1e4))] = make_key(
        "Learning-rate multiplier of the first layer; short for layer_lr.input.", 0.1, None
    )
    layer_lr: LayerRates = make_key(
        "Learning-rate multipliers by layer, as layer_lr = { input = 0.1, hidden = 1.0, output = 1.0 }.",
        {"input": 0.1},
        LayerRates(),
    )


class TrainingSection(Section):
    """How every training goes, whatever its learning rate."""

    loss: Annotated[Words, axis(named(LOSS_KINDS, shown=THING))] = make_key(
        f"{_texts(LOSS_KINDS)}. {OWN} a function of outputs and targets, [samples, outputs] both, that gives the "
        "loss of each sample, [samples].",
        "ce",
    )
    optimizer: Annotated[Words, axis(named(OPTIMIZERS, shown=THING))] = make_key(
        f"{_texts(OPTIMIZERS)}. {OWN} an Optimizer; its edge is not known to the screens.",
        "sgd",
        ("sgd",),
    )
    momentum: Annotated[Reals, axis(number(0.0, 0.9999))] = make_key(
        f"Of the velocity; for {_owners('momentum')}.", 0.9, (0.9,)
    )
    beta1: Annotated[Reals, axis(number(0.0, 0.9999))] = make_key(
        f"Of the mean of gradients; for {_owners('beta1')}.", 0.9, (0.9,)
    )
    beta2: Annotated[Reals, axis(number(0.0, 0.999999))] = make_key(
        f"Of the mean of their squares; for {_owners('beta2')}.", 0.999, (0.999,)
    )
    eps: Annotated[Reals, axis(number(0.0, 1.0, above=True))] = make_key(
        f"Added to the root of the mean square; for {_owners('eps')}.", 1e-8, (1e-8,)
    )
    weight_decay: Annotated[Reals | None, axis(number(0.0, 10.0))] = make_key(
        f"Coupled, g + weight_decay·w in place of the gradient, for {_decaying('coupled')}; decoupled, "
        f"w − η·weight_decay·w beside the step, for {_decaying('decoupled')}. Without it {_DECAYS}0 for the others. λ "
        "is that of the loss without decay.",
        0.001,
        None,
    )
    schedule: Annotated[Words | None, axis(named(SCHEDULES, shown=THING))] = make_key(
        f"The rate of a step; η is the peak. {_texts(SCHEDULES)}. {OWN} a function of warmup_steps, the number of "
        "steps and the step, that gives the rate as a part of η, from 0 to 1. Without it constant.",
        "cosine",
        None,
    )
    warmup_steps: Annotated[Whole | None, axis(whole(1, 10_000_000))] = make_key(
        f"Steps in which the rate grows to η in equal steps; for schedule = {_warming()}. Without it there are none.",
        10,
        None,
    )
    batch: Annotated[tuple[int | Literal["full"], ...], axis(or_word(whole(1, 100_000), "full"))] = make_key(
        "Samples per step; an incomplete last batch is left out.", 64
    )
    epochs: Annotated[Whole | None, axis(whole(1, 1_000_000))] = make_key(
        "Budget in epochs. Give epochs or steps.", 5, None
    )
    steps: Annotated[Whole | None, axis(whole(1, 10_000_000))] = make_key(
        "Budget in steps. Give epochs or steps.", 120, None
    )
    code_hash: Annotated[Words | None, texts(64, 100)] = make_key(
        "SHA-256 of the source files of losses, optimizers and schedules of your own, which are searched like "
        "factories (model.path). Filled in when the sweep file is read.",
        ["0" * 64],
        None,
    )
    clip: Annotated[float | None, number(0.0, 1e6, above=True)] = make_key(
        "Largest norm of the gradient: a longer one is scaled down to it, before any decay, as torch's "
        "clip_grad_norm_. Stored edges are those of unclipped steps. Default: no clipping.",
        1.0,
        None,
    )
    precision: Annotated[str | None, choice("bf16")] = make_key(
        "bf16: forward and backward passes under autocast, for all kinds but mlp and two-layer-linear; weights, "
        "loss and λ stay in float32. Without it everything is in dtype.",
        "bf16",
        None,
    )
    dtype: Annotated[Words, axis(choice("float32", "float64"))] = make_key(
        "Precision of weights and gradients; float64 is for checks.", "float32", ("float32",)
    )


class SearchSection(Section):
    """Find the maximal initial learning rate η* of every net. Give [search] or [scan]."""

    method: Annotated[str, choice("auto", "bisect", "section", "profile")] = make_key(
        "How many rates of a net are trained at once; η* is the same to the bit by every method, see numerics.md. "
        "bisect: one, the fewest trainings; section: up to points, those that may be needed next, in fewer rounds; "
        'profile: up to 16. auto: section with points = "auto" where the sweep is started on a GPU, else bisect; the '
        "choice is stored.",
        "bisect",
        "auto",
    )
    points: Annotated[int | Literal["auto"] | None, or_word(whole(2, 1000), "auto")] = make_key(
        'Rates a round of method = "section"; 8. "auto": as many as a GPU trains beside one another at almost no cost, '
        "3 to 63 by the net's size, the batch and the number of seeds.",
        "auto",
        None,
    )
    success: Annotated[str, choice("accuracy", "loss-below-initial", "finite", "survives")] = make_key(
        "When a training counts: accuracy reaches the threshold at an epoch's end; the loss ends below its start; "
        "nothing overflows; survives: as loss-below-initial, and the net has not collapsed (row 6 of the phases).",
        "accuracy",
        "accuracy",
    )
    threshold: Annotated[float, number(0.0, 1.0, above=True)] = make_key(
        'Accuracy to be reached; for success = "accuracy".', 0.5, 0.5
    )
    on: Annotated[str, choice("train", "validation")] = make_key(
        "Whose accuracy decides, and is stored: the training samples', or that of those held out (data.validation).",
        "train",
        "train",
    )
    tolerance: Annotated[float | None, number(1e-6, 1.0)] = make_key(
        "Spacing of the learning rates: every search tries powers of 1 + tolerance alone. Without it 0.1 for three or "
        "more seeds, which then say more than a finer spacing, else 0.05.",
        0.05,
        None,
    )
    margin: Annotated[int | None, whole(1, 100_000)] = make_key(
        "How many failures in a row end a search above, and successes below. Without it as many as 0.3 in ln η holds, "
        "from 2 to 12: 12 at a tolerance of 0.025, and below it, where the edge is taken to be clean.",
        6,
        None,
    )
    start: Annotated[str | float, either(choice("sharpness", "fit"), number(1e-30, 1e30))] = make_key(
        "Where a search starts. sharpness: at a multiple of 1/λ₀; fit: where a fit through the nets that are done "
        "says, corners of depth and width first; a number: at that learning rate. fit takes fewer trainings; η* is the "
        "same.",
        "sharpness",
        "sharpness",
    )
    give_up: Annotated[float, number(0.0, 0.5)] = make_key(
        "Ends a training at an epoch's end once its chance of still reaching the threshold is below this, as the "
        "finished ones of that depth say. 0: never. Saves steps; what is given up depends on what is done first, and a "
        "training that would have recovered is a success missed: η* may come out lower; see benchmarks.md.",
        0.1,
        0.0,
    )
    eta_min: Annotated[float, number(1e-30, 1e30)] = make_key(
        "The search never goes below: its lowest rate is the smallest power of 1 + tolerance that is not less.",
        1e-5,
        1e-5,
    )
    eta_max: Annotated[float, number(1e-30, 1e30)] = make_key(
        "The search never goes above: its highest rate is the largest power of 1 + tolerance that is not more.",
        1e3,
        1e3,
    )

    def with_method(
        self, method: str, points: int | Literal["auto"] | None, seeds: int, tolerance: float | None = None
    ) -> "SearchSection":
        """See `SweepSpec.with_method`, of which this is the part that depends on the number of seeds alone."""
        changes: dict[str, Any] = {}
        if self.method == "auto":
            changes |= {"method": method, "points": points}
        if self.tolerance is None:
            changes["tolerance"] = tolerance if tolerance is not None else FINE if seeds < MANY_SEEDS else COARSE
        return self.model_copy(update=changes) if changes else self


class WidthRates(Section):
    """Learning rates that follow a power of the width: eta = factor * width^power, one training for each factor."""

    factor: Annotated[Reals, axis(number(1e-30, 1e30))] = make_key("The factors.", [4.0, 8.0])
    power: Annotated[float, number(-4.0, 4.0)] = make_key("The power of the width.", -0.5)


class ScanSection(Section):
    """Train every net at given learning rates. Give [search] or [scan], and in [scan] one of the three."""

    eta: Annotated[Reals | None, axis(number(1e-30, 1e30))] = make_key("Learning rates.", [0.01, 0.02], None)
    eta_lambda0: Annotated[Reals | None, axis(number(0.0, 1e6, above=True))] = make_key(
        "Learning rates as multiples of 1/λ₀ of each net: eta = c / lambda0.", [0.5, 1.9, 2.1, 4.5], None
    )
    eta_width: WidthRates | None = make_key(
        "Learning rates that follow a power of the width, as eta_width = { factor = [4.0, 8.0], power = -0.5 }.",
        {"factor": [4.0, 8.0], "power": -0.5},
        None,
    )
    on: Annotated[str | None, choice("validation")] = make_key(
        "validation: the accuracy that is stored is that of the samples held out (data.validation), not of those of "
        "training, as without it.",
        "validation",
        None,
    )

    def etas(self, width: int, lambda0: float | None) -> tuple[float, ...] | None:
        """Learning rates of a net; None where they need a λ₀ that it has not."""
        if self.eta is not None:
            return self.eta
        if self.eta_width is not None:
            return tuple(factor * width**self.eta_width.power for factor in self.eta_width.factor)
        return None if lambda0 is None else tuple(c / lambda0 for c in self.eta_lambda0 or ())

    @property
    def count(self) -> int:
        """Trainings of each net."""
        return len(self.eta or self.eta_lambda0 or (self.eta_width.factor if self.eta_width else ()))


class SharpnessSection(Section):
    """How λ, the largest eigenvalue of the loss's curvature, is measured."""

    operator: Annotated[Words, listed(choice("gauss-newton", "hessian", "ntk"))] = make_key(
        "Whose largest eigenvalue. Of a list, the first is λ, the others are stored beside it (view spectra).",
        "gauss-newton",
        ("gauss-newton",),
    )
    every: Annotated[int, whole(0, 1_000_000)] = make_key(
        "Steps between measurements along training; 0: at initialisation only.", 1, 0
    )
    rest_every: Annotated[int, whole(0, 1_000_000)] = make_key(
        "Steps between measurements while λ and the loss of a trial rest, see numerics.md; 0: always every.", 25, 0
    )
    tolerance: Annotated[float, number(1e-8, 0.1)] = make_key("Relative error of λ that is aimed at.", 1e-3, 1e-3)
    exact: Annotated[bool, flag()] = make_key(
        "In double precision, to a residual of 1e-8; slow, for checks.", False, False
    )
    top: Annotated[int, whole(1, 20)] = make_key(
        "How many of the largest eigenvalues are stored along training (view spectra).", 3, 1
    )
    samples: Annotated[int | Literal["all"], or_word(whole(1, 100_000), "all")] = make_key(
        "On which training samples. A number: the first so many, a fixed probe set, and then the λ of another loss.",
        256,
        "all",
    )


class RecordSection(Section):
    """What is stored of each training."""

    every: Annotated[int, whole(1, 1_000_000)] = make_key(
        "Steps between stored rows; the first 100 and every extreme are always kept.", 1, 1
    )
    layers: Annotated[bool, flag()] = make_key(
        "Sizes of every layer's activations and updates at the first ten steps (view layers), see numerics.md.",
        True,
        False,
    )


class MeasuresSection(Section):
    """What is measured along training beside loss, accuracy and λ (view measures). Changes no training."""

    names: Annotated[Words, texts(64, 20)] = make_key(
        "Which: "
        + "; ".join(
            f"{name}: {measure.text.rstrip('.')}"
            for name, measure in BUILT_IN.items()
            if measure.asked_by == ASKED_BY_NAME
        )
        + "; or the name of one that an installed package adds.",
        ["grad_norm"],
    )
    every: Annotated[int, whole(1, 1_000_000)] = make_key("Steps between measurements.", 10, 1)


class FitSection(Section):
    """A scaling law to be fitted; repeat the table for more. Without any, sensible fits are made."""

    y: Annotated[str, choice(*QUANTITIES)] = make_key(
        "What is explained. " + "; ".join(f"{name}: {quantity.text}" for name, quantity in QUANTITIES.items()) + ".",
        "eta_star",
    )
    x: Annotated[Words, texts(200, 5)] = make_key(
        "By what: one expression gives one exponent, several give one each.", ["depth*width"]
    )
    where: Annotated[str, text(500, shortest=0)] = make_key(
        "Which cells: a condition; without it, all.", "width >= 16 * depth", ""
    )
    censored: Annotated[str, choice("drop", "bound")] = make_key(
        "What becomes of a cell whose nets succeed at every rate tried. drop: it is left out and named. bound: it "
        "enters as a lower bound, in a censored regression (Tobit); leaving out many such cells bends the exponent.",
        "bound",
        "drop",
    )
    mixed_rules: Annotated[bool, flag()] = make_key(
        "Fit η* although some nets have it by an older rule (column eta_rule): the largest success lies above the area "
        "where edges are ragged. Otherwise such a fit is refused.",
        True,
        False,
    )


class AnySweep(BaseModel):
    """What every sweep says. Exactly one of ``search`` and ``scan`` is there, but for a map, which is neither."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sweep: SweepSection
    search: SearchSection | None = None
    scan: ScanSection | None = None
    record: RecordSection = RecordSection()
    fit: tuple[FitSection, ...] = ()

    def canonical(self) -> str:
        """Canonical JSON of all settings, defaults included; `from_canonical` reads it back."""
        return canonical_json(self.model_dump(exclude_none=True))

    @classmethod
    def from_canonical(cls, text: str) -> Self:
        """The spec whose `canonical` text this is. Raises pydantic.ValidationError for any other text."""
        return cls.model_validate_json(text)

    @property
    def settled(self) -> Self:
        """The same sweep; a search that was started without a choice of its method is one by bisection."""
        return self.with_method("bisect", None)

    def with_method(self, method: str, points: int | Literal["auto"] | None, tolerance: float | None = None) -> Self:
        """The same sweep, its searches by this method and tolerance where it has not chosen them itself.

        Without ``tolerance`` by that which suits the number of seeds.
        """
        if self.search is None:
            return self
        search = self.search.with_method(method, points, len(self.sweep.seeds), tolerance)
        return self if search is self.search else self.model_copy(update={"search": search})

    @property
    def boundary_map(self) -> MapSection | None:
        """Its table [map], where it has one; trainings of the user's own have none."""
        return None

    @property
    def code(self) -> list[tuple[str, str]]:
        """Things of the user's own code that it names, each with its key."""
        return []

    @property
    def sweep_key(self) -> str:
        """SHA-256 of `canonical`: equal for files that mean the same."""
        return digest(self.canonical())

    @property
    def mode(self) -> Literal["search", "scan"]:
        """What is done with every net; of a map: "scan"."""
        return "scan" if self.search is None else "search"


class SweepSpec(AnySweep):
    """A whole sweep file over nets that we train, checked."""

    data: DataSection
    model: ModelSection
    training: TrainingSection
    sharpness: SharpnessSection = SharpnessSection()
    measures: MeasuresSection | None = None
    fork: ForkSection | None = None
    map: MapSection | None = None

    @property
    def boundary_map(self) -> MapSection | None:
        """Its table [map], where it has one."""
        return self.map

    @property
    def code(self) -> list[tuple[str, str]]:
        """Things of the user's own code that it names, each with its key."""
        how = self.training
        named = {"model.kind": self.model.kind, "training.loss": how.loss, "training.optimizer": how.optimizer}
        named["training.schedule"] = how.schedule or ()
        return [(key, name) for key, names in named.items() for name in names if is_factory(name)]
