"""The preview of Browse: what the sweep under the cursor is about, its fits, how long it took and where.

What the list of sweeps knows is there at once; fits and devices follow when they have been read.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlrtui.reading.comparing import flat, spec_of
from mlrtui.text.lines import Line, clean, line
from mlrtui.text.numbers import counted, moment, span
from mlrtui.text.phrases import condition, fit_groups, fit_sentence, setting
from mlrtui.text.working import doing
from mlrtui.tui.browse.filtering import Entry
from mlrtui.tui.ports import StoreReader
from mlrtui.tui.state import Look, Preview, headline
from mlrtui.tui.widgets.rows import RowsPane, sentence
from mlrtui_db.models import FitRow, MachineRow, SweepRow

__all__ = ["PreviewPane", "axes_of", "grid_sentence", "read_preview", "settings_of"]

_MANY = 100_000  # trainings; looking through the devices of more of them takes most of a second
_FITS = 4  # so many are in the preview; Exponents has them all
_NO_AXES = ("fit", "sweep.seeds", "sweep.etas")
_NEVER = ("sweep.name", "fit")


def read_preview(reader: StoreReader, store: int, sweep: SweepRow) -> Preview:
    """What the list does not know of a sweep."""
    machines = tuple(reader.machines(sweep.sweep_id)) if sweep.trials <= _MANY else None
    return Preview(store, sweep.sweep_id, tuple(reader.fits(sweep.sweep_id)), machines)


def axes_of(spec: Mapping[str, Any]) -> list[tuple[str, Sequence[Any]]]:
    """The settings that have several values, with these: the axes of the grid."""
    return [
        (name, value)
        for name, value in flat("", spec)
        if isinstance(value, list)
        and len(value) > 1
        and not name.startswith(_NO_AXES)
        and not any(isinstance(one, list | dict) for one in value)
    ]


def grid_sentence(spec: Mapping[str, Any]) -> str:
    """The grid in words: depth 2, 3, 4 × width 64, 128 × 2 seeds; "" for one net."""
    parts = [f"{name.rpartition('.')[2]} {setting(values)}" for name, values in axes_of(spec)]
    seeds = spec.get("sweep", {}).get("seeds", []) if isinstance(spec.get("sweep"), dict) else []
    if isinstance(seeds, list) and len(seeds) > 1:
        parts.append(counted(len(seeds), "seed"))
    return " × ".join(parts)


def settings_of(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The settings that are no axes, by key; what is empty is left out."""
    axes = {name for name, _ in axes_of(spec)}
    for name, value in flat("", spec):
        if name not in axes and not name.startswith(_NEVER) and value not in (None, "", [], {}):
            yield name, setting(value)


class PreviewPane(RowsPane):
    """The sweep that the screen gives it."""

    def __init__(self, look: Look) -> None:
        super().__init__(look, id="preview", classes="pane")
        self.can_focus = False  # the keys are the list's
        self.entry: Entry | None = None

    def title(self) -> Line:
        """Which sweep."""
        return line("preview" if self.entry is None else clean(self.entry.sweep.name), "title")

    def rows(self, width: int) -> Sequence[Line]:
        """Grid, duration, time left, devices, fits, settings."""
        entry, reading = self.entry, self.reading
        if entry is None or reading is None:
            return []
        sweep, spec = entry.sweep, spec_of(entry.sweep)
        known = reading.preview
        if known is not None and (known.store, known.sweep_id) != (entry.store, sweep.sweep_id):
            known = None
        rows: list[Line] = []
        for words in filter(None, (self._head(sweep), grid_sentence(spec))):
            rows += sentence(words, "", width)
        rows += sentence(_duration(sweep, known), "", width)
        if entry.driver_died and sweep.status == "open":
            rows += sentence("! its driver died; R resumes it", "failed", width)
        work = reading.work if entry.store == reading.wanted.store else None
        if work is not None and work.sweep_id == sweep.sweep_id:
            rows += sentence(doing(work), "value", width)
        if known is not None and known.machines is None:
            rows += sentence(
                "devices are not looked up for so many trainings; `mlrtui report` lists them", "dim", width
            )
        for machine in () if known is None or known.machines is None else known.machines:
            rows += sentence(_machine(machine), "dim", width)
        rows += [*self._fits(entry.fit, known, width), ()]
        settings = [*settings_of(spec)]
        label = min(max((len(name) for name, _ in settings), default=0), max(width // 2, 8))
        rows += [
            ((f" {clean(name)[:label]:<{label}}  ", "dim"), (clean(value)[: max(width - label - 4, 4)], ""))
            for name, value in settings
        ]
        return rows

    def _head(self, sweep: SweepRow) -> str:
        failed = f", {sweep.trials_failed} failed" if sweep.trials_failed else ""
        part = f", shard {sweep.shard}" if sweep.shard else ""
        cells = counted(sweep.cells, "cell")
        return (
            f"{sweep.mode}, {sweep.status}{part}: {cells}, {sweep.nets_done} of {sweep.nets} nets, "
            f"{sweep.trials_done} of {sweep.trials} trainings{failed}"
        )

    def _fits(self, main: FitRow | None, known: Preview | None, width: int) -> list[Line]:
        """The main fit, then the others once they have been read."""
        fits = () if known is None else known.fits
        first = headline(fits) or main
        groups = fit_groups(fits) or ([[main]] if main is not None else [])
        groups.sort(key=lambda terms: first is None or terms[0].fit != first.fit)
        rows: list[Line] = []
        for at, terms in enumerate(groups[:_FITS]):
            cells = counted(terms[0].cells, "cell")
            text = " ".join(filter(None, (fit_sentence(terms), cells, condition(terms[0]))))
            rows += sentence(text, "dim" if at else "value", width)
        if len(groups) > _FITS:
            rows += sentence(f"and {counted(len(groups) - _FITS, 'other fit')}", "dim", width)
        return rows


def _duration(sweep: SweepRow, known: Preview | None) -> str:
    """From the first start of a training to the last end; before that is known, since when the sweep is there."""
    machines = () if known is None or known.machines is None else known.machines
    ends = [machine.ended_at for machine in machines if machine.ended_at is not None]
    began = min((machine.started_at for machine in machines), default=sweep.created_at)
    last = max(ends, default=sweep.finished_at or sweep.heartbeat_at)
    if sweep.status == "open" or last is None:
        return f"begun {moment(began)}" + ("" if last is None else f", {span(max(last - began, 0.0))} to the last sign")
    return f"took {span(max(last - began, 0.0))}, from {moment(began)} to {moment(last)}"


def _machine(machine: MachineRow) -> str:
    """Where trainings ran: host, device, how many."""
    try:
        env = json.loads(machine.env)
    except ValueError:
        env = {}
    name = env.get("name") if isinstance(env, dict) else None
    called = f" ({name})" if isinstance(name, str) and name and name != machine.device else ""
    return f"{machine.host} {machine.device}{called}: {counted(machine.trials, 'training')}"
