"""Runs the commands that it is told, one JSON line each: {"folder", "words", "seconds", "data"}, within limits.

Each runs in a fork of this process, which has imported everything: it may use so many seconds of CPU time, and so many
bytes of its own memory. The answer is a JSON line: exit code (negative: the signal that ended it), what it printed, the
peak of its memory in bytes.
"""

import io
import json
import os
import resource
import sys
import tempfile
import traceback
from typing import Any, NoReturn

from mlrtui import cli
from mlrtui.commands import claims, copies, doctor, export, follow, look, resume, run, show

IMPORTED = (claims, copies, export, follow, look, resume, run, show)


def work(job: dict[str, Any], out: int, err: int) -> NoReturn:
    """The command, in a fork."""
    os.setpgid(0, 0)
    os.chdir(job["folder"])
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin, sys.stdout, sys.stderr = (
        io.TextIOWrapper(io.FileIO(number, mode), encoding="utf-8", write_through=True)
        for number, mode in enumerate("rww")
    )
    resource.setrlimit(resource.RLIMIT_CPU, (job["seconds"], job["seconds"] + 1))
    resource.setrlimit(resource.RLIMIT_DATA, (job["data"], job["data"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    doctor.machine = tuple  # type: ignore[assignment]  # it takes seconds, and is not what is tried here
    sys.argv = ["mlrtui", *job["words"]]
    code: object = 0
    try:
        cli.main()
    except SystemExit as left:
        code = left.code or 0
    except BaseException:
        traceback.print_exc()
        code = 99
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 98)


def main() -> None:
    """Answer until stdin ends."""
    for line in sys.stdin:
        job = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if child == 0:
                work(job, out.fileno(), err.fileno())
            _, status, used = os.wait4(child, 0)
            printed = []
            for stream in (out, err):
                stream.seek(0)
                printed.append(stream.read(10_000_000).decode(errors="backslashreplace"))
        answer = {"code": os.waitstatus_to_exitcode(status), "out": printed[0], "err": printed[1]}
        print(json.dumps(answer | {"memory": used.ru_maxrss * 1024}), flush=True)


if __name__ == "__main__":
    main()
