"""What a file over a training of the user's must not say: keys of the other kind, widths that it does not have."""

from collections.abc import Iterator
from pathlib import Path

from mlrtui.analysis.quantities import QUANTITIES
from mlrtui.config.checks.known import Check, Known
from mlrtui.config.loops import IN_SCRIPT, NOT_HERE
from mlrtui.config.mistakes import NO_VALUE, Mistake
from mlrtui_trainer.models.sources import module_of, source_of

__all__ = ["CHECKS"]


def _other_kind(known: Known) -> Iterator[Mistake]:
    for key, text in NOT_HERE.items():
        if key in known.given:
            yield Mistake(key, NO_VALUE, text)


def _code(known: Known) -> Iterator[Mistake]:
    """Only whether the module is there: nothing of it is run here."""
    loop, path = known.one("training.loop"), known.one("training.path")
    if loop == IN_SCRIPT:
        text = 'stands for the function of a script; write e.g. loop = "my_training:train"'
        yield Mistake("training.loop", loop, text)
    elif loop is not None and path is not None and source_of(module_of(loop), path) is None:
        remedy = (
            f"no module {module_of(loop)} in the folder {Path(path).name} or installed; set training.path to its folder"
        )
        yield Mistake("training.loop", loop, remedy)


def _widths(known: Known) -> Iterator[Mistake]:
    """Rates by the width need widths."""
    widths = known.arguments.get("width", ())
    numbers = [width for width in widths if isinstance(width, int) and not isinstance(width, bool) and width > 0]
    if "scan.eta_width" in known.given and (not widths or len(numbers) < len(widths)):
        yield Mistake("scan.eta_width", NO_VALUE, "needs widths; write e.g. width = [64, 128] under [arguments]")


def _fits(known: Known) -> Iterator[Mistake]:
    for where, fit in known.fits.items():
        if QUANTITIES[fit.y].of_our_nets:
            known_here = "best_rate" if "scan" in known.given else "eta_star"
            yield Mistake(f"{where}.y", fit.y, f'is not measured of a training of yours; use y = "{known_here}"')
        for text in fit.x:
            if "n_params" in text or "lambda0" in text:
                yield Mistake(f"{where}.x", list(fit.x), "n_params and lambda0 of a training of yours are not known")


CHECKS: tuple[Check, ...] = (_other_kind, _code, _widths, _fits)
