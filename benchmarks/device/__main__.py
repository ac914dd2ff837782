"""Run the stages one after the other, print their tables, and keep everything as JSON.

python -m benchmarks.device                            # on a GPU, ten minutes at most
python -m benchmarks.device --device cpu               # a rehearsal of every stage, some minutes
python -m benchmarks.device --stages 1,2,4 --out figures
python -m benchmarks.device --resume                   # the stages that --out has no whole figures of
python -m benchmarks.device --page figures             # put the tables into docs/benchmarks.md
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.device.page import as_text, renew
from benchmarks.device.stages import SIZES, STAGES, Report, Setting, Skip, Stage, stage_of

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 600.0
LEAST = 5.0  # seconds with which a stage is still begun


def main() -> None:
    """Parse the command line; see the module's text."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.device", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", help="cpu, or cuda:0; default: the first GPU, else the CPU")
    parser.add_argument("--stages", default=",".join(str(stage.number) for stage in STAGES), help="such as 1,2,4")
    parser.add_argument("--size", choices=SIZES, help="default: full on a GPU, small on a CPU")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for all stages together (600)")
    parser.add_argument("--out", type=Path, default=Path("device-figures"), help="folder of the JSON files")
    parser.add_argument(
        "--page", type=Path, metavar="FOLDER", help="measure nothing; put a folder's tables into the docs"
    )
    parser.add_argument("--resume", action="store_true", help="keep the stages of --out that are done")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.page is not None:
        renew(ROOT / "docs" / "benchmarks.md", options.page)
        return
    device = options.device or _first_device()
    size = options.size or ("full" if device.startswith("cuda") else "small")
    if options.child is not None:
        _work(stage_of(options.child), Setting(device, size, time.monotonic() + options.limit), options.out)
        return
    try:
        stages = [stage_of(int(number)) for number in options.stages.split(",")]
    except ValueError as error:
        parser.error(f"--stages {options.stages}: {error}")
    if options.resume:
        stages = [stage for stage in stages if not _is_done(options.out / f"stage-{stage.number}.json")]
    sys.exit(run(stages, device, size, options.limit, options.out))


def run(stages: list[Stage], device: str, size: str, limit: float, out: Path) -> int:
    """All stages within ``limit`` seconds; the number of those that failed, were stopped or were skipped."""
    out.mkdir(parents=True, exist_ok=True)
    for stage in stages:
        (out / f"stage-{stage.number}.json").unlink(missing_ok=True)
    ends_at = time.monotonic() + limit
    unwell = 0
    for stage in stages:
        found = _stage(stage, device, size, ends_at, out)
        unwell += found["status"] not in ("done", "cut short")
        print(as_text(found), flush=True)
    print(f"{len(stages) - unwell} of {len(stages)} stages done, {limit - ends_at + time.monotonic():.0f} s")
    return min(unwell, 100)


def _stage(stage: Stage, device: str, size: str, ends_at: float, out: Path) -> dict[str, Any]:
    """One stage in a process of its own; what it found, also where it was stopped."""
    path = out / f"stage-{stage.number}.json"
    left = ends_at - time.monotonic()
    slower = 1.0 if device.startswith("cuda") else 2.0  # a rehearsal is not what the limits are made for
    limit = min(stage.seconds * slower, left)
    begun = time.monotonic()
    if left < LEAST:
        Report(path, stage.number, stage.title, "skipped", notes=["no time was left"]).write()
        return _read(path)
    Report(path, stage.number, stage.title).write()
    command = [sys.executable, "-m", "benchmarks.device", "--child", str(stage.number), "--device", device]
    command += ["--size", size, "--limit", f"{limit:.1f}", "--out", str(out.resolve())]
    child = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        code, ended = child.wait(limit + 5.0), True  # a stage stops by itself where it looks at the clock
    except subprocess.TimeoutExpired:
        code, ended = 0, False
    finally:
        _kill(child)
    found = _read(path)
    if found["status"] == "running":
        found["status"] = "failed" if ended else "timed out"
        found["notes"].append(f"its process ended with status {code}" if ended else f"stopped after {limit:.0f} s")
    found["seconds"] = time.monotonic() - begun
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
    return found


def _kill(child: "subprocess.Popen[bytes]") -> None:
    """A stage's process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _work(stage: Stage, setting: Setting, out: Path) -> None:
    """Do a stage in this process."""
    report = Report(out / f"stage-{stage.number}.json", stage.number, stage.title, echoes=True)
    try:
        stage.load()(setting, report)
    except Skip as reason:
        report.status = "skipped"
        report.note(str(reason))
        return
    except BaseException as error:
        report.status = "failed"
        report.fault(f"{type(error).__name__}: {' '.join(str(error).split())[:500]}")
        raise
    report.close()


def _is_done(path: Path) -> bool:
    """Whether a stage left whole figures there."""
    return path.exists() and bool(_read(path)["status"] == "done")


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _first_device() -> str:
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"


if __name__ == "__main__":
    main()
