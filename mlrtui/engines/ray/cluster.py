"""Joining a running cluster, or starting one on this machine. Imports Ray only when it is called."""

import os
import secrets
import socket
from pathlib import Path
from typing import Any

import mlrtui_trainer
from mlrtui.errors import BadInput

__all__ = ["join", "refuse_unreachable", "start"]

_OBJECT_STORE_BYTES = 200_000_000
"""Shared memory for records and data; by itself Ray takes 30 % of the machine's."""

_HEAD_GONE_SECONDS = "10"
"""After which Ray ends a process whose head does not answer; by itself it waits for a minute."""

_REACH_SECONDS = 5.0

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",  # else workers starve on a machine where others compute, too
    "RAY_agent_register_timeout_ms": "120000",  # on a busy machine Ray's own processes take a while
    "RAY_gcs_rpc_server_reconnect_timeout_s": _HEAD_GONE_SECONDS,
    "RAY_RUNTIME_ENV_IGNORE_GITIGNORE": "1",  # a file of ours that some .gitignore names must not be missing
}


def start(folder: Path, cpus: int, gpus: int) -> None:
    """A cluster of this machine alone. It listens on the machine's address, to who has the token in its folder."""
    token = folder / "token"
    with os.fdopen(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(token))
    for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN"):
        os.environ.pop(name, None)
    _init(
        num_cpus=cpus,
        num_gpus=gpus,
        include_dashboard=False,
        object_store_memory=_OBJECT_STORE_BYTES,
        _temp_dir=str(folder),
    )


def join(address: str, *, ships: bool = True) -> None:
    """The cluster at this address, "auto" or "HOST:PORT", of which this machine must be a part.

    ``ships``: send the trainer's package there. Our own cluster has it: and what is compiled there, beside it.
    """
    refuse_unreachable(address)
    package = str(Path(mlrtui_trainer.__file__).parent)
    _init(address=address, runtime_env={"py_modules": [package], "excludes": ["**/__pycache__"]} if ships else None)


def refuse_unreachable(address: str) -> None:
    """Say at once what Ray says after a while, and at length.

    Raises:
        BadInput: it is no address, or nothing listens there.
    """
    if address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdecimal() and 0 < int(port) < 1 << 16) or "//" in host:
        raise BadInput(f"--ray-address {address}: no address; use auto or HOST:PORT, as `ray start` prints it")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_SECONDS).close()
    except OSError as error:
        why = (error.strerror or str(error) or type(error).__name__).lower()
        raise BadInput(f"--ray-address {address}: no Ray cluster answers there ({why}); is its head running?") from None


def _init(**how: Any) -> None:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray

    ray.init(log_to_driver=False, logging_level="warning", **how)
