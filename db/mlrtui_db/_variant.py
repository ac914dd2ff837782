"""Short names for what varies among the cells of a sweep beside depth and width."""

from collections.abc import Mapping, Sequence

_PLAIN = ("data", "model", "target", "standardize", "activation", "parametrization", "loss", "optimizer", "dtype")
_SHORT = {"input_lr": "in", "samples": "N", "batch": "batch", "max_steps": "steps", "bias": "bias"}
_DERIVED = frozenset({"depth", "width", "n_params", "data_id", "steps_per_epoch", "label", "position"})

VARIANT_COLUMNS = (*_PLAIN, *_SHORT)

Settings = Mapping[str, object]


def variants(cells: Sequence[tuple[Settings, Settings]]) -> list[str]:
    """One short text per cell, such as "ce in=0.1"; "" where only depth and width vary.

    Each cell is given by depth, width and its `VARIANT_COLUMNS`, and by all its ``settings``. Settings without a
    column of their own count too, by their full name, unless what is said already determines them.
    """
    columns = [settings for settings, _ in cells]
    others = [_flat(more) for _, more in cells]
    varying = [name for name in VARIANT_COLUMNS if _varies(columns, name)]
    said = [tuple(repr(cell[name]) for name in ("depth", "width", *varying)) for cell in columns]
    known = {*VARIANT_COLUMNS, *_DERIVED}
    names = sorted({name for flat in others for name in flat if name.rpartition(".")[2] not in known})
    extra = [name for name in names if _varies(others, name) and not _follows(others, name, said)]
    return [
        " ".join([*(_show(name, cell[name]) for name in varying), *(f"{name}={flat.get(name)}" for name in extra)])
        for cell, flat in zip(columns, others, strict=True)
    ]


def _varies(cells: Sequence[Settings], name: str) -> bool:
    return len({repr(cell.get(name)) for cell in cells}) > 1


def _follows(others: Sequence[Settings], name: str, said: Sequence[tuple[str, ...]]) -> bool:
    values = [repr(flat.get(name)) for flat in others]
    return len(set(said)) == len(set(zip(said, values, strict=True)))


def _show(name: str, value: object) -> str:
    if name in _PLAIN:
        return str(value)
    return f"{_SHORT[name]}={value:g}" if isinstance(value, int | float) else f"{_SHORT[name]}={value}"


def _flat(settings: Settings, prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
