"""`mlrtui examples` and `mlrtui doctor`."""

import shutil
from pathlib import Path

from mlrtui import doctor as checks
from mlrtui import examples as shipped
from mlrtui.errors import BadInput, StoreTrouble
from mlrtui.plain import one_line

__all__ = ["doctor", "examples"]


def examples(copy: Path | None) -> None:
    """List the shipped sweep files, or copy them into a folder; nothing that is there is replaced."""
    found = shipped.available()
    if copy is None:
        width = max(len(example.name) for example in found)
        for example in found:
            print(f"{example.name:<{width}}  {example.title}")
            print(f"{'':<{width}}  mlrtui run {example.path}")
        return
    places = [(example.path, copy / f"{example.name}.toml") for example in found]
    taken = [place for _, place in places if place.exists()]
    if taken:
        raise BadInput(f"--copy {copy}: {taken[0]} is there already; choose another folder")
    try:
        for path, place in places:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
            print(place)
    except OSError as error:
        raise StoreTrouble(f"--copy {copy}: cannot write there ({error.strerror})") from None


def doctor(store: Path | None) -> int:
    """Print every check; exit code 1 when one asks for something to be done."""
    findings = [*checks.machine(), *(checks.store(store) if store is not None else ())]
    for finding in findings:
        print(f"{'ok ' if finding.fine else '!! '} {finding.subject}: {one_line(finding.text)}")
    return 0 if all(finding.fine for finding in findings) else 1
