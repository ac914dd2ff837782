"""Two stored sweeps of one name as one: the larger of them, or what holds both.

One sweep contains another where the other may grow into it (`growth`). Where neither contains the other and all that
differs is added by one or the other, they make a sweep that asks for everything; nets that it lacks are trained by a
plain run, as those of a lost shard are.
"""

import json

from pydantic import ValidationError

from mlrtui import planning
from mlrtui.config import AnySweep, read_sweep
from mlrtui.config.changes import Difference, differences
from mlrtui.driver.growth import ASKED_ANEW, FREE, RANGE, Growth, growth, is_added_to, listed
from mlrtui.errors import BadInput
from mlrtui.keys import canonical_json
from mlrtui_db.merging import Held, Joined

__all__ = ["join"]

PART = "part"
"""`sweep.shard` of a merged sweep of which nets are missing, though no shard is."""


def join(one: Held, other: Held) -> Joined:
    """What two stored sweeps of one name and other settings come to.

    That their searches asked in other ways is no difference: η* does not depend on it, and shards that start on
    different devices choose their methods apart. Settings that this version does not know cannot be compared.
    """
    try:
        specs = read_sweep(one.spec), read_sweep(other.spec)
    except ValidationError:
        return Joined(conflicts=("settings of another version",))
    found = [each for each in differences(one.spec, specs[1]) if each.key not in FREE]
    if not found:
        return Joined()
    if others := [each for each in found if each.key not in RANGE and not is_added_to(each.key)]:
        return Joined(conflicts=tuple(map(str, others)))
    try:
        return _larger(one, other, specs, found)
    except BadInput as error:  # the data or code of a grid is not here
        return Joined(conflicts=(*map(str, found), *error.messages))


def _larger(one: Held, other: Held, specs: tuple[AnySweep, AnySweep], found: list[Difference]) -> Joined:
    anew = any(each.key in ASKED_ANEW for each in found)
    candidates = [spec for spec, less in (specs, specs[::-1]) if _fits(less) <= _fits(spec)]
    contains = [(spec, both) for spec in candidates if (both := _both(spec, one, other)) is not None]
    if contains:
        spec, both = min(contains, key=lambda each: each[0].sweep_key)
    else:
        union = _union(specs, found)
        both = None if union is None else _both(union, one, other)
        if union is None or both is None:
            return Joined(conflicts=tuple(map(str, found)))
        spec = union
    plan, known = both
    wanted = {(record.position, net.seed) for record in plan.sweep.cells for net in record.nets}
    cells = [(position, cell) for each in known for position, cell in each.known.items()]
    held = {(position, seed) for position, cell in cells for seed in cell.seeds}
    labels = {cell.position: cell.label for cell in plan.cells}
    whole = "" if not contains else "known" if spec is specs[0] else "added"
    return Joined(
        spec=spec.canonical(),
        sweep_key=spec.sweep_key,
        places={cell.settings: (position, labels[position]) for position, cell in cells},
        shard=None if wanted <= held else PART,
        answered=("known", "added") if not anew else (whole,) if whole else (),
        changes=tuple(map(str, found)),
    )


def _both(spec: AnySweep, one: Held, other: Held) -> tuple[planning.Plan, list[Growth]] | None:
    """The plan of a sweep into which both may grow, with what they have of it; None where one may not."""
    plan = planning.plan(spec, None)
    known = [growth(each.spec, each.cells, plan) for each in (one, other)]
    fine = not any(each.refused or each.threshold for each in known)
    return (plan, known) if fine else None


def _fits(spec: AnySweep) -> frozenset[str]:
    return frozenset(canonical_json(fit.model_dump(exclude_none=True)) for fit in spec.fit)


def _union(specs: tuple[AnySweep, AnySweep], found: list[Difference]) -> AnySweep | None:
    """The settings that ask for what both ask for; None where there are none."""
    document = json.loads(specs[0].canonical())
    for one in found:
        if one.key.startswith("fit#"):
            tables = {canonical_json(fit): fit for spec in specs for fit in json.loads(spec.canonical()).get("fit", ())}
            document["fit"] = [tables[text] for text in sorted(tables)]
            continue
        if one.old is None or one.new is None:
            return None
        values = _joined(one)
        if values is None:
            return None
        table, _, name = one.key.rpartition(".")
        inside = document
        for part in table.split("."):
            inside = inside[part]
        inside[name] = values
    try:
        return read_sweep(canonical_json(document))
    except ValidationError:
        return None


def _joined(one: Difference) -> object:
    """All values of a key, or the wider end of a range: the same whichever comes first.

    None where they share none: those are two sweeps, and not one that grew apart.
    """
    if one.key in RANGE:
        return one.new if RANGE[one.key](one.new, one.old) else one.old
    old, new = ({canonical_json(value): value for value in listed(each)} for each in (one.old, one.new))
    if not old.keys() & new.keys():
        return None
    return sorted({**old, **new}.values(), key=lambda value: (isinstance(value, str), value))
