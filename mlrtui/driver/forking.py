"""Forks of a sweep: when they may begin, at which rate their bases train, and which of them say nothing.

A fork waits until its net's search is done: η* says where the fork's own search starts, so that it takes fewer
trainings, and the base may train at a share of it. Then the rate of the base is stored, and the fork is measured and
searched like any other net.
"""

from collections.abc import Callable, Iterable
from math import isfinite, nan
from typing import NamedTuple

from mlrtui.config import SweepSpec
from mlrtui.config.forks import ForkSection
from mlrtui.driver.sweep_run import Draft, NetRun, SweepRun, sound_lambda0
from mlrtui.planning import CellPlan
from mlrtui_db.records import BoundaryRecord
from mlrtui_db.store import Store
from mlrtui_trainer.search import ETA_RULE
from mlrtui_trainer.spec import Fork, Probe

__all__ = ["base_eta_of", "begin_forks", "fork_of", "give_up", "is_answered", "probe_of"]


class _NoBase(NamedTuple):
    """Why a base has no rate."""

    reason: str
    failed: bool = True  # else it is an answer, which may change when the sweep grows


def begin_forks(run: SweepRun, store: Store, commit: Callable[[Callable[[], None]], None]) -> Iterable[tuple[str, str]]:
    """Give bases their rates where these have become known since the last call; level and line of each without one."""
    if not run.forks_due:
        return ()
    due, run.forks_due = sorted(run.forks_due, key=lambda net: net.net_id), set()
    nets = [net for net in due if not net.closed and net.base_eta is None]
    assert isinstance(run.spec, SweepSpec)
    section = run.spec.fork
    assert section is not None
    rates: dict[NetRun, float] = {}
    refused: dict[NetRun, _NoBase] = {}
    for net in nets:
        assert net.base is not None
        rate = _rate(section, net.base)
        if isinstance(rate, _NoBase):
            refused[net] = rate
        elif rate is not None:
            rates[net] = rate
    if not rates and not refused:
        return ()

    def write() -> None:
        for net, rate in rates.items():
            assert net.base is not None
            store.set_base(net.net_id, rate, sound_lambda0(net.base.lambdas))
        for net, why in refused.items():
            if why.failed:
                store.fail_net(net.net_id, why.reason)
            else:
                store.close_net(net.net_id, _unanswered(net, None, why.reason))

    commit(write)
    for net, rate in rates.items():
        net.base_eta = rate
    for net, why in refused.items():
        if why.failed:
            run.fail(net)
        else:
            run.close(net)
    run.changed(rates)
    return [
        ("error" if why.failed else "warning", f"{run.cell_of[net.net_id].plan.label} seed {net.seed}: {why.reason}")
        for net, why in refused.items()
    ]


def _unanswered(net: NetRun, censored: str | None, reason: str) -> BoundaryRecord:
    """Of a fork that is done without an η*."""
    nothing = dict.fromkeys(("eta_star", "first_failure", "eta_area", "zone_octaves"))
    return BoundaryRecord(net.net_id, **nothing, reversals=0, censored=censored, reason=reason, eta_rule=ETA_RULE)


def fork_of(cell: CellPlan) -> Fork | None:
    """Where trainings of a cell start; None: at initialisation."""
    return None if cell.fork is None else cell.fork.start


def base_eta_of(net: NetRun) -> float:
    """The rate of a fork's base; NaN of other nets."""
    return nan if net.base_eta is None else net.base_eta


def probe_of(task_id: int, draft: Draft) -> Probe:
    """The task that measures where the nets of a draft start."""
    cell = draft.cell.plan
    assert isinstance(cell, CellPlan)
    nets = tuple((net.net_id, net.seed) for net in draft.probe)
    fork = fork_of(cell)
    bases = () if fork is None else tuple(map(base_eta_of, draft.probe))
    return Probe(task_id, cell.data_id, cell.net, cell.train, cell.sharpness, nets, fork, bases)


def is_answered(net: NetRun) -> bool:
    """Whether a net that asks nothing is a measured fork, of which that is an answer; any other net has failed."""
    return net.base is not None and net.lambdas is not None


def give_up(store: Store, net: NetRun, reason: str) -> None:
    """Store that a net asks nothing, see `is_answered`.

    From a base that has diverged or died no rate survives. From one that has fitted its data it is not known which do.
    """
    known = net.lambdas
    if not is_answered(net) or known is None:
        store.fail_net(net.net_id, reason)
        return
    fitted = isfinite(known.loss) and known.preconditioned != 0.0
    store.close_net(net.net_id, _unanswered(net, None if fitted else "none", reason))


def _rate(section: ForkSection, base: NetRun) -> float | _NoBase | None:
    """Of a base; why it has none; None: not known yet."""
    if base.failed:
        return _NoBase("no forks: the net itself has failed")
    if not base.closed:
        return None
    if section.base_eta is not None:
        return section.base_eta
    if section.base_eta_lambda0 is not None:
        lambda0 = sound_lambda0(base.lambdas)
        if lambda0 is None:
            return _NoBase("no forks: the base needs λ₀, which is no positive number")
        return section.base_eta_lambda0 / lambda0
    if base.eta_star is None:
        return _NoBase("no forks: the base needs η* of its net, which is censored", failed=False)
    assert section.base_eta_star is not None
    return section.base_eta_star * base.eta_star
