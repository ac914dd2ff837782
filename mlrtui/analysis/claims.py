"""What three lines of work claim, as bands that a finished sweep's own rows are held against.

A claim names the shipped example that measures it, by the sweep's name, and where its band comes from. Bands were
fixed from the literature and from small runs with other seeds; a miss is reported as a miss.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["CLAIMS", "Claim", "Finding", "Rows", "check"]

IYER = "Iyer, Hanin and Rolnick (2022)"
LEWKOWYCZ = "Lewkowycz et al. (2020)"
HAAS = "Haas, Bordt, von Luxburg and Vankadara (2025)"

CATAPULT = "quick start: catapult on digits"
ETA_STAR = "quick start: eta* on digits"
WIDTHS = "width scaling: sp against mup on digits"
INPUT_RATE = "input rate on mnist5k"

Row = Mapping[str, object]


@dataclass(frozen=True)
class Rows:
    """A sweep's rows of the views `exponents` and `phases`."""

    exponents: Sequence[Row]
    phases: Sequence[Row]


@dataclass(frozen=True)
class Measured:
    """A number and how well it is known; no value: the rows do not hold it, and ``note`` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Claim:
    """One claim: a number that ``measure`` takes from a sweep's rows lies in [low, high]."""

    sweep: str
    text: str
    source: str
    low: float
    high: float
    measure: Callable[[Rows], Measured]


@dataclass(frozen=True)
class Finding:
    """A claim held against a sweep. ``verdict``: "holds", "misses" or "not measured"."""

    claim: Claim
    measured: Measured
    verdict: str


def check(sweep: str, rows: Rows) -> list[Finding]:
    """Every claim that this sweep can speak to."""
    found = []
    for claim in CLAIMS:
        if claim.sweep == sweep:
            measured = claim.measure(rows)
            found.append(Finding(claim, measured, _verdict(claim, measured)))
    return found


def _verdict(claim: Claim, measured: Measured) -> str:
    if measured.value is None:
        return "not measured"
    return "holds" if claim.low <= measured.value <= claim.high else "misses"


def _exponent(term: str, where: str = "", y: str = "eta_star", alone: bool = True) -> Callable[[Rows], Measured]:
    """The exponent of ``term`` in the fit with this condition; ``alone``: in a fit of one term."""

    def measure(rows: Rows) -> Measured:
        row = _fit(rows, term, where, y, alone)
        if row is None:
            return Measured(None, note="no such fit in this store")
        return Measured(_float(row["exponent"]), _float(row["low"]), _float(row["high"]), f"{row['cells']} cells")

    return measure


def _r2(term: str, where: str = "") -> Callable[[Rows], Measured]:
    def measure(rows: Rows) -> Measured:
        row = _fit(rows, term, where, "eta_star", True)
        return Measured(None, note="no such fit in this store") if row is None else Measured(_float(row["r2"]))

    return measure


def _difference(first: Callable[[Rows], Measured], second: Callable[[Rows], Measured]) -> Callable[[Rows], Measured]:
    """First minus second."""

    def measure(rows: Rows) -> Measured:
        a, b = first(rows).value, second(rows).value
        return Measured(None, note="a fit is missing") if a is None or b is None else Measured(a - b)

    return measure


def _onset(rows: Rows) -> Measured:
    """The smallest c = η·λ₀ labelled catapult."""
    risen = [_number(row["eta_lambda0"]) for row in rows.phases if row["phase"] == "catapult"]
    return Measured(min(risen)) if risen else Measured(None, note="no catapult in this scan")


def _survives(rows: Rows) -> Measured:
    """The largest c of the scan that did not diverge."""
    alive = [_number(row["eta_lambda0"]) for row in rows.phases if row["phase"] in ("lazy", "catapult")]
    return Measured(max(alive), note="largest rate of the scan that survives") if alive else Measured(None)


def _end(c: float) -> Callable[[Rows], Measured]:
    """η·λ at the end of the run at c, mean over seeds."""

    def measure(rows: Rows) -> Measured:
        ends = [
            _number(row["eta_final_sharpness"])
            for row in rows.phases
            if abs(_number(row["eta_lambda0"]) - c) < 1e-6 * c and row["eta_final_sharpness"] is not None
        ]
        if not ends:
            return Measured(None, note=f"no run at η·λ₀ = {c:g} in this scan")
        return Measured(sum(ends) / len(ends), min(ends), max(ends), f"{len(ends)} nets")

    return measure


def _fit(rows: Rows, term: str, where: str, y: str, alone: bool) -> Row | None:
    for row in rows.exponents:
        terms = sum(other["fit"] == row["fit"] for other in rows.exponents)
        same = (row["term"], row["y"], _squeezed(str(row["where_expr"]))) == (term, y, _squeezed(where))
        if same and (terms == 1) == alone:
            return row
    return None


def _squeezed(text: str) -> str:
    return text.replace(" ", "")


def _float(value: object) -> float | None:
    return None if value is None else _number(value)


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


_WIDE = "width >= 16 * depth"
_POWER = _exponent("depth*width", _WIDE)
_SP_MSE = _exponent("width", "parametrization == 'sp' and loss == 'mse'")
_SP_CE = _exponent("width", "parametrization == 'sp' and loss == 'ce'")
_MUP_MSE = _exponent("width", "parametrization == 'mup' and loss == 'mse'")
_MUP_CE = _exponent("width", "parametrization == 'mup' and loss == 'ce'")
_R2_GAIN = _difference(_r2("depth*width", "input_lr == 0.1"), _r2("depth*width", "input_lr == 1.0"))

CLAIMS = (
    Claim(CATAPULT, "catapults begin just above η·λ₀ = 2", LEWKOWYCZ, 2.0, 2.15, _onset),
    Claim(CATAPULT, "one hidden layer survives to η·λ₀ near 4", LEWKOWYCZ, 3.2, 4.2, _survives),
    Claim(CATAPULT, "from η·λ₀ = 2.1 training ends at η·λ near 1.90", LEWKOWYCZ, 1.87, 1.93, _end(2.1)),
    Claim(CATAPULT, "from η·λ₀ = 2.3 it ends flatter", LEWKOWYCZ, 1.61, 1.71, _end(2.3)),
    Claim(CATAPULT, "from η·λ₀ = 2.6 flatter still", LEWKOWYCZ, 1.17, 1.33, _end(2.6)),
    Claim(ETA_STAR, "η* is a power of depth × width where width ≫ depth", IYER, -0.9, -0.55, _POWER),
    Claim(ETA_STAR, "... and the power explains it: R²", IYER, 0.8, 1.0, _r2("depth*width", _WIDE)),
    Claim(ETA_STAR, "η* is related to λ₀, but not its inverse", IYER, -0.9, -0.4, _exponent("lambda0")),
    Claim(WIDTHS, "largest trainable rate falls like 1/width under mse (sp)", HAAS, -1.25, -0.8, _SP_MSE),
    Claim(WIDTHS, "... and about like its root under cross-entropy (sp)", HAAS, -0.7, -0.3, _SP_CE),
    Claim(WIDTHS, "... a gap between the two exponents", HAAS, 0.3, 1.0, _difference(_SP_CE, _SP_MSE)),
    Claim(WIDTHS, "muP: no width dependence, mse", HAAS, -0.25, 0.25, _MUP_MSE),
    Claim(WIDTHS, "muP: no width dependence, cross-entropy", HAAS, -0.25, 0.25, _MUP_CE),
    Claim(INPUT_RATE, "the law needs a slow input layer: R² gained from rate 1 to 0.1", IYER, 0.2, 1.0, _R2_GAIN),
)
