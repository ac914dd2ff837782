"""How large a grid may be."""

from collections.abc import Iterator

from mlrtui.config.checks.known import MAX_CELLS, MAX_NETS, MAX_TRAININGS, Check, Known
from mlrtui.config.mistakes import NO_VALUE, Mistake

__all__ = ["CHECKS"]


def _size(known: Known) -> Iterator[Mistake]:
    lengths, cells = known.lengths, known.cells
    spelled = " x ".join(f"{length} {key}" for key, length in lengths.items() if length > 1)
    nets = cells * max(len(known.axis("sweep.seeds")), 1)
    trainings = nets * max(known.scan_rates, 1)
    if cells > MAX_CELLS:
        yield Mistake("grid", NO_VALUE, f"{cells} cells ({spelled}); at most {MAX_CELLS}, shorten an axis")
    elif nets > MAX_NETS:
        yield Mistake("grid", NO_VALUE, f"{nets} nets ({cells} cells x seeds); at most {MAX_NETS}, use fewer")
    elif trainings > MAX_TRAININGS:
        many = f"{trainings} trainings ({nets} nets x rates)"
        yield Mistake("grid", NO_VALUE, f"{many}; at most {MAX_TRAININGS}, use fewer")


CHECKS: tuple[Check, ...] = (_size,)
