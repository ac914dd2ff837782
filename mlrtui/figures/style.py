"""How figures look: sizes, colours with shapes, ticks. The only file of this package that imports matplotlib to draw.

Colours of groups are Okabe and Ito's, in an order whose neighbours differ in lightness; every group has a shape as
well, so that no figure depends on colour. Text is set with the fonts that matplotlib carries and in plain Unicode.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from typing import TYPE_CHECKING, Any

from mlrtui.errors import BadInput

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "DOUBLE",
    "GROUND",
    "GROUPS",
    "INK",
    "MUTED",
    "ORDERED",
    "PALE",
    "PHASES",
    "SHAPES",
    "SINGLE",
    "SIZES",
    "Size",
    "decade_ticks",
    "legend",
    "legend_below",
    "log_axis",
    "new_axes",
    "ordered",
    "plain",
    "spread",
    "styled",
]

INK, MUTED, PALE, GROUND = "#1a1a1a", "#6b6b6b", "#d9d9d9", "#ffffff"
GROUPS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7a5195")
SHAPES = ("o", "s", "^", "D", "v", "P", "X")
ORDERED = (
    "#440154", "#471365", "#482475", "#463480", "#414487", "#3b528b",
    "#355f8d", "#2f6c8e", "#2a788e", "#25848e", "#21918c", "#1e9c89",
)  # fmt: skip
"""viridis from 0 to 0.55: each at least 3:1 on white."""

# phase: colour, shape. Calm ones are circles, those that come back triangles, lost ones crosses.
PHASES = {
    "lazy": ("#4477aa", "o"),
    "stable": ("#4477aa", "o"),
    "edge": ("#228833", "s"),
    "controlled": ("#c77700", "^"),
    "catapult": ("#c77700", "^"),
    "unfinished": ("#6b6b6b", "D"),
    "collapsed": ("#882255", "v"),
    "divergent": ("#aa3377", "x"),
    "catastrophic": ("#aa3377", "x"),
}

_RC: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "axes.titlesize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.facecolor": "none",
    "figure.facecolor": GROUND,
    "savefig.facecolor": GROUND,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "axes.unicode_minus": True,
    "xtick.direction": "out",
    "ytick.direction": "out",
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.size": 1.6,
    "ytick.minor.size": 1.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "lines.linewidth": 1.1,
    "lines.markersize": 4.0,
    "lines.markeredgewidth": 0.4,
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "legend.labelspacing": 0.3,
    "legend.borderaxespad": 0.2,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.02,
    "figure.constrained_layout.w_pad": 0.02,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,  # TrueType: conferences refuse Type 3
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "mlrtui",  # the same file every time
    "text.usetex": False,
    "path.simplify": True,
}


@dataclass(frozen=True)
class Size:
    """Width and height of a figure in inches."""

    width: float
    height: float


SINGLE, DOUBLE = Size(3.25, 2.35), Size(5.5, 2.6)
SIZES = {"single": SINGLE, "double": DOUBLE}
"""One column of a two-column page, and a text width."""


@contextmanager
def styled() -> Iterator[None]:
    """The look of the figures while they are made and saved; whatever was set before is set again after."""
    try:
        import matplotlib
        import matplotlib.style
    except ImportError:
        raise BadInput("figures need matplotlib: install it with `pip install 'mlrtui[plot]'`") from None
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # nothing of the user's own settings decides how a file looks
        matplotlib.rcParams.update(_RC)
        yield


def new_axes(size: Size) -> "Axes":
    """Axes on a new figure, without pyplot, so that no window system is touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(size.width, size.height))
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def plain(value: float) -> str:
    """A tick of a logarithmic axis: 0.5, 20, 1 000, 10⁻⁶."""
    if 1e-3 <= value < 1e5:
        return f"{value:,.0f}".replace(",", "\u2009") if value >= 1000 else f"{value:.6g}"
    power = round(log10(value))
    if abs(value / 10.0**power - 1.0) < 1e-6:
        return "10" + str(power).translate(_RAISED)
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa}·10{str(int(exponent)).translate(_RAISED)}"


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_ONE_TWO_FIVE_BELOW = 2.2  # decades


def decade_ticks(low: float, high: float, most: int = 7) -> tuple[list[float], list[float]]:
    """Ticks with a label, and ticks without, of a logarithmic axis: 1, 2, 5 over few decades, else powers of ten."""
    first, last = floor(log10(low)), ceil(log10(high))
    every = [m * 10.0**k for k in range(first, last + 1) for m in range(1, 10)]
    inside = [value for value in every if low <= value <= high]
    if log10(high / low) < _ONE_TWO_FIVE_BELOW:
        major = [v for v in inside if _mantissa(v) in (1, 2, 5)]
        if len(major) < 2:
            major = inside
    else:
        powers = [v for v in inside if _mantissa(v) == 1]
        major = powers[:: max(1, ceil(len(powers) / most))]
    return major, [v for v in inside if v not in major]


def _mantissa(value: float) -> int:
    return round(value / 10.0 ** floor(log10(value) + 1e-9))


def log_axis(axes: "Axes", which: str, low: float, high: float, at: Sequence[float] = ()) -> None:
    """Make the x or y axis logarithmic from low to high, with ticks at these values or at 1, 2, 5 or powers of ten."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullFormatter

    axis = getattr(axes, f"{which}axis")
    getattr(axes, f"set_{which}scale")("log")
    getattr(axes, f"set_{which}lim")(low, high)
    major, minor = (list(at), []) if at else decade_ticks(low, high)
    axis.set_major_locator(FixedLocator(major))
    axis.set_major_formatter(FixedFormatter([plain(value) for value in major]))
    axis.set_minor_locator(FixedLocator(minor))
    axis.set_minor_formatter(NullFormatter())


def ordered(place: int, count: int) -> str:
    """The colour of one of ``count`` things in an order, from dark to light."""
    return ORDERED[round(place / max(count - 1, 1) * (len(ORDERED) - 1))]


def spread(values: Sequence[float], share: float = 0.06) -> tuple[float, float]:
    """Positive values' range with a margin on a logarithmic axis, at least a third of an octave each side."""
    good = [value for value in values if isfinite(value) and value > 0] or [1.0]
    low, high = log10(min(good)), log10(max(good))
    margin = max(share * (high - low), 0.1)
    return 10.0 ** max(low - margin, -300.0), 10.0 ** min(high + margin, 300.0)


def shifts(groups: int, apart: float = 0.035) -> list[float]:
    """Factors by which groups are moved apart in x, so that none hides another; ``apart`` as a share."""
    return [(1.0 + apart) ** (place - (groups - 1) / 2) for place in range(groups)]


def bounds(axes: "Axes", xs: Sequence[float], ys: Sequence[float] | None, marker: str, colour: str, gid: str) -> None:
    """Open marks of what is no value; without ys on the axis itself."""
    places = axes.get_xaxis_transform() if ys is None else axes.transData
    axes.plot(
        xs, [0.03] * len(xs) if ys is None else ys, transform=places, linestyle="none", marker=marker, markersize=5,
        markerfacecolor="none", markeredgecolor=colour, markeredgewidth=0.9, clip_on=False, gid=gid,
    )  # fmt: skip


def note(axes: "Axes", text: str, marker: str = "None", gid: str | None = None) -> None:
    """An entry of the legend alone: what a mark that is no value means, or what is not drawn."""
    axes.plot([], [], linestyle="none", marker=marker, markerfacecolor="none", markeredgecolor=INK,
              markeredgewidth=0.9, label=text, gid=gid)  # fmt: skip


def legend(axes: "Axes", **where: Any) -> None:
    """A legend of what has a label, if anything has one."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(handles, labels, **where)


def legend_below(axes: "Axes", points: float = 24.0, of: "Axes | None" = None) -> None:
    """A legend under the axes and their label, for entries that are long; ``of``: the panel that has the entries."""
    from matplotlib.transforms import ScaledTranslation

    handles, labels = (axes if of is None else of).get_legend_handles_labels()
    down = ScaledTranslation(0, -points / 72.0, axes.figure.dpi_scale_trans)
    if handles:
        where = {"loc": "upper left", "bbox_to_anchor": (0.0, 0.0), "bbox_transform": axes.transAxes + down}
        axes.legend(handles, labels, **where)
