"""From `--devices` and `--ray-address` to the slots of the engine of Ray."""

import re
from collections.abc import Sequence
from importlib.util import find_spec

from mlrtui.engines import devices
from mlrtui.engines.apart import ProcessDied, asked_apart
from mlrtui.errors import BadInput

__all__ = ["resolve"]

_USAGE = "with --engine ray use auto, cpu, cpu:8 (eight workers), cuda (every GPU) or gpu:8 (eight GPUs)"


def resolve(text: str, useful: int | None, address: str | None) -> Sequence[str]:
    """ "cpu" or "cuda" for every slot; asks a running cluster what it has.

    Raises:
        BadInput: Ray is missing, there is no cluster, or it lacks such devices.
    """
    wanted = text.strip().lower()
    match = re.fullmatch(r"(auto|cpu|cuda)|(cpu|gpu):([1-9][0-9]{0,3})", wanted)
    if match is None:
        raise BadInput(f"--devices {text}: {_USAGE}")
    if find_spec("ray") is None:
        raise BadInput("--engine ray: Ray is not installed here; install it with: pip install 'mlrtui[ray]'")
    there = _has(address)
    if match[3]:
        return ("cuda" if match[2] == "gpu" else "cpu",) * int(match[3])
    if wanted != "cpu" and there["GPU"]:
        return ("cuda",) * there["GPU"]
    if wanted == "cuda":
        raise BadInput("--devices cuda: Ray has no GPU; use --devices cpu")
    return ("cpu",) * max(1, min(there["CPU"], useful or there["CPU"]))


def _has(address: str | None) -> dict[str, int]:
    """Devices of the cluster, or of this machine."""
    if address is None:
        return {"CPU": devices.cpu_cores(), "GPU": devices.count_cuda()}
    try:
        found = asked_apart("mlrtui.engines.ray.probe", {"address": address})
    except ProcessDied as died:
        raise BadInput(f"--ray-address {address}: the process that asked the cluster {died}") from None
    if found["error"]:
        raise BadInput(found["error"])
    return {"CPU": int(found["CPU"]), "GPU": int(found["GPU"])}
