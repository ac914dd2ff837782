"""A child process that reads data files from strangers, so that a crash or a hunger for memory is seen from outside.

Takes length-prefixed contents on standard input, and answers each with a line: "read", "refused: ..." or "broke: ...".
"""

import resource
import sys
from pathlib import Path

from mlrtui.data import cifar, npz
from mlrtui.data.sources import DataTrouble

MEMORY = 1 << 30  # bytes more than what is taken at the start


def main() -> None:
    kind, file = sys.argv[1], Path(sys.argv[2])
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    while size := sys.stdin.buffer.read(4):
        content = sys.stdin.buffer.read(int.from_bytes(size, "little"))
        try:
            if kind == "pickle":
                x, labels = cifar.python_batch(content)
                answer = f"read {x.dtype} {x.shape} {labels.dtype} {labels.shape}"
            else:
                file.write_bytes(content)
                source = npz.describe(str(file))
                x, y = npz.read(str(file))
                answer = f"read {source.raw_shape} {x.shape} {y.shape}"
        except DataTrouble as trouble:
            answer = f"refused: {trouble}"
        except ValueError as error:
            answer = f"refused: {error}" if kind == "pickle" else f"broke: {error!r}"
        except BaseException as error:
            answer = f"broke: {error!r}"
        print(answer.encode("unicode_escape").decode(), flush=True)


if __name__ == "__main__":
    main()
