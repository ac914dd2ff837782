"""`mlrtui certify`: whether the rate of small nets holds at a size that was not trained; on request it is trained."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mlrtui.analysis.prediction import Refusal
from mlrtui.analysis.transfer import FACTOR, Certificate
from mlrtui.commands import predict
from mlrtui.commands.predict import refuse_several, train_alike
from mlrtui.commands.resume import stored_spec
from mlrtui.commands.run import RunOptions
from mlrtui.reading import documents
from mlrtui.reading.certifying import certificates, finished_cells, measured_of, refuse_factor
from mlrtui.reading.fitting import chosen
from mlrtui.reading.predicting import grouped_where, refuse_sizes
from mlrtui.text.escape import one_line
from mlrtui.text.numbers import counted, exact, power
from mlrtui_db.reader import Reader

__all__ = ["Asked", "certify"]

_Key = tuple[str, str]


@dataclass(frozen=True)
class Asked(predict.Asked):
    """What is asked for."""

    within: float = FACTOR


def certify(names: Sequence[str], asked: Asked, options: RunOptions) -> int:
    """Print a certificate for every group of cells that agree in all but their sizes.

    Returns 0 if all hold, else 1; the code of the run where a training to confirm did not come to its end.

    Raises:
        BadInput: an option, or nothing to judge by.
        StoreError: the store cannot be used.
    """
    refuse_sizes(asked.depth, asked.width, asked.level, "--{}".format)
    refuse_factor(asked.within)
    target = {"depth": asked.depth, "width": asked.width}
    with Reader.open(options.store) as reader:
        found = certificates(reader, names, target, asked.where, asked.level, asked.within)
    trained: dict[_Key, str] = {}
    if asked.confirm:
        refuse_several(found)
        ((key, answer),) = found.items()
        if isinstance(answer, Certificate):
            ended = _confirmed(key, answer, asked, options)
            if isinstance(ended, int):
                return ended
            trained[key], found[key] = ended
    if asked.as_json:
        print(documents.text({"certificates": [_as_json(key, one, trained) for key, one in found.items()]}))
    else:
        for key, one in found.items():
            _print(key, one, asked, trained.get(key))
    return 0 if all(isinstance(one, Certificate) and one.verdict == "holds" for one in found.values()) else 1


def _confirmed(key: _Key, answer: Certificate, asked: Asked, options: RunOptions) -> tuple[str, Certificate] | int:
    with Reader.open(options.store) as reader:
        (row,) = chosen(reader, [key[0]])
        groups = grouped_where(finished_cells(reader, row), asked.where)
    name, code = train_alike(stored_spec(row), groups[key[1]][0], asked.depth, asked.width, options)
    if code not in (0, 1):
        return code
    with Reader.open(options.store) as reader:
        (row,) = (row for row in reader.sweeps() if row.name == name)
        measured = measured_of(reader, row)
    return name, answer.confirmed(measured)


def _print(key: _Key, one: Certificate | Refusal, asked: Asked, trained: str | None) -> None:
    name, group = key
    print(f"{one_line(name)}{f'  [{one_line(group)}]' if group else ''}: depth {asked.depth}, width {asked.width}")
    for line in _lines(one, trained):
        print(f"  {one_line(line)}")


def _lines(one: Certificate | Refusal, trained: str | None) -> Iterator[str]:
    if isinstance(one, Refusal):
        yield f"undecided: {one.reason}"
        return
    at = f" at {one.along} {exact(one.fails_at, 4)}" if one.fails_at is not None else ""
    yield f"{one.verdict}{at}: {one.reason}; limit a factor {exact(one.factor, 3)}"
    yield f"{one.what} {exact(one.base_value, 3)} at {one.along} {exact(one.base[one.along], 4)}"
    if not isinstance(one.prediction, Refusal):
        found = one.prediction
        law = " · ".join(f"{size}^{power(slope)}" for size, slope in found.terms)
        span = f"[{exact(found.low, 3)}, {exact(found.high, 3)}]"
        made_of = f"∝ {law}, {counted(found.cells, 'cell')}"
        yield f"predicted {exact(found.eta_star, 3)} {span}, {exact(100 * found.level)} %, {made_of}"
    if trained is not None:
        inside = {True: "inside the predicted interval", False: "outside the predicted interval", None: "not decided"}
        value = "has no such rate" if one.measured is None else f"{one.measured.bound} {exact(one.measured.value, 3)}"
        yield f"trained as {trained!r}: {value.strip()}, {inside[one.inside]}"
    if not one.layers:
        yield "coordinate check: not recorded; [record] layers = true records it"
    for layer in one.layers:
        part = layer.part.removesuffix("_rms")
        if layer.term is None:
            yield f"coordinate check: {layer.role} {part}: no fit"
            continue
        ends = [layer.term.low, layer.term.high]
        span = "" if None in ends else f" [{', '.join(power(end) for end in ends if end is not None)}]"
        yield f"coordinate check: {layer.role} {part} ∝ {one.along}^{power(layer.term.exponent)}{span}: {layer.verdict}"


def _as_json(key: _Key, one: Certificate | Refusal, trained: Mapping[_Key, str]) -> dict[str, Any]:
    head: dict[str, Any] = {"sweep": key[0], "group": key[1]}
    if isinstance(one, Refusal):
        return head | {"verdict": "undecided", "reason": one.reason}
    found, moved = one.prediction, one.drift
    return head | {
        "verdict": one.verdict,
        "reason": one.reason,
        "fails_at": one.fails_at,
        "what": one.what,
        "along": one.along,
        "base": dict(one.base) | {"value": one.base_value},
        "target": dict(one.target),
        "within": one.factor,
        "predicted": None
        if isinstance(found, Refusal)
        else {"value": found.eta_star, "low": found.low, "high": found.high, "level": found.level},
        "drift": None if isinstance(moved, Refusal) else {"ratio": moved.ratio, "low": moved.low, "high": moved.high},
        "layers": [
            {"role": layer.role, "part": layer.part, "verdict": layer.verdict, **_term(layer.term)}
            for layer in one.layers
        ],
        "diverges_at": list(one.lost),
        "trained": None
        if key not in trained
        else {
            "sweep": trained[key],
            "value": one.measured and one.measured.value,
            "bound": one.measured and one.measured.bound,
            "inside": one.inside,
        },
    }


def _term(term: Any) -> dict[str, float | None]:
    if term is None:
        return {"exponent": None, "low": None, "high": None}
    return {name: value for name, value in asdict(term).items() if name != "expression"}
