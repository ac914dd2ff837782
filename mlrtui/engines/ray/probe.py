"""A process that asks a cluster what it has, and says it in one line of JSON: Ray must not touch who asks.

Started by `mlrtui.engines.apart` as ``python -P -m mlrtui.engines.ray.probe FD`` with the job on standard input.
"""

import json
import os
import sys

from mlrtui.engines.ray import cluster
from mlrtui.engines.ray.reasons import reason_of
from mlrtui.errors import BadInput

__all__ = ["main"]


def _asked(address: str) -> dict[str, object]:
    try:
        cluster.join(address, ships=False)
    except BadInput as error:
        return {"error": str(error)}
    except Exception as error:
        return {"error": f"--ray-address {address}: {reason_of(error)}"}
    import ray

    found = ray.cluster_resources()
    ray.shutdown()
    return {"error": "", "CPU": int(found.get("CPU", 0)), "GPU": int(found.get("GPU", 0))}


def main() -> None:
    """Entry point of the process."""
    answer = json.dumps(_asked(json.load(sys.stdin)["address"]))
    with os.fdopen(int(sys.argv[1]), "w") as pipe:
        pipe.write(answer)


if __name__ == "__main__":
    main()
