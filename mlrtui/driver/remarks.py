"""What a person is told of nets that they made themselves: λ that was refused, seeds that give one net."""

from collections.abc import Iterator

from mlrtui.driver.sweep_run import SweepRun
from mlrtui.planning import CellPlan
from mlrtui_trainer.spec import SAME_NETS, LambdaAtInit

__all__ = ["remarks"]


def remarks(run: SweepRun, measured: LambdaAtInit) -> list[str]:
    """One line each, for the log; what was said before in this run is not said again."""
    fresh = [text for text in _lines(run, measured) if text not in run.remarked]
    run.remarked.update(fresh)
    return fresh


def _lines(run: SweepRun, measured: LambdaAtInit) -> Iterator[str]:
    cell = run.cell_of[measured.net_id].plan
    assert isinstance(cell, CellPlan)
    for operator, why in measured.refused:
        yield f"{cell.label}: λ ({operator}) is refused and stays empty: {why}"
    for remark in measured.remarks:
        if remark != SAME_NETS:
            yield f"{cell.label}: {remark}"
        elif len(run.plan.seeds) > 1:
            differ = "in nothing" if cell.train.batch == cell.samples else "in the order of their batches alone"
            yield (
                f"{cell.label}: {cell.net.kind}: {remark} (does it call torch.manual_seed?); "
                f"its {len(run.plan.seeds)} trainings at a rate differ {differ}"
            )
