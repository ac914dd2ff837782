"""A data set in one line, as it is understood: what `--dry-run` prints."""

from pathlib import Path

from mlrtui.data.npz import CHANNELS_FIRST, layout_of
from mlrtui.data.shapes import FILES, DataSpec, describe, source_of
from mlrtui.text.escape import one_line

__all__ = ["data_line"]


def data_line(spec: DataSpec) -> str:
    """Samples, inputs, how images lie, and targets. Raises as `describe`."""
    shape, raw = describe(spec), source_of(spec).raw_shape
    name = spec.name if spec.name not in FILES else " ".join(filter(None, (spec.which, Path(spec.path).name)))
    parts = [f"{shape.samples} samples" + (f" and {shape.held_out} held out" if shape.held_out else "")]
    layout = (spec.layout or layout_of(raw)) if len(raw) == 4 else CHANNELS_FIRST
    if len(shape.image) == 3 and (spec.layout or layout == CHANNELS_FIRST):  # else only inputs, in the file's order
        channels, rows, columns = shape.image
        told = f" ({layout} in the file)" if len(raw) == 4 else ""
        noun = "channel" if channels == 1 else "channels"
        parts.append(f"images of {channels} {noun}, {rows} rows, {columns} columns{told}")
    else:
        parts.append(f"{shape.inputs} inputs")
    if raw:
        parts.append(f"x {list(raw)} in the file")
    if shape.kind == "tokens":
        parts.append(f"one of {shape.classes} classes for each of {shape.tokens} tokens")
    elif shape.classes and shape.kind == "classes":
        parts.append(f"{shape.classes} classes")
    elif shape.kind == "sign":
        parts.append("classes by parity, one output")
    else:
        parts.append(f"{shape.outputs} real targets a sample" if shape.outputs > 1 else "one real target a sample")
    return one_line(f"{name}: {', '.join(parts)}")
