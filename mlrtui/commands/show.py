"""`mlrtui examples` and `mlrtui doctor`."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from mlrtui.commands import doctor as checks
from mlrtui.commands import examples as shipped
from mlrtui.errors import BadInput, StoreTrouble
from mlrtui.reading import documents
from mlrtui.text.escape import one_line

__all__ = ["doctor", "examples"]


def examples(copy: Path | None) -> None:
    """List the example sweep files, or copy them into a folder; existing files are never replaced."""
    found = shipped.available()
    if copy is None:
        width = max(len(example.name) for example in found)
        for example in found:
            print(f"{example.name:<{width}}  {example.title}")
            print(f"{'':<{width}}  mlrtui run {example.path}{' --allow-code' if example.runs_code else ''}")
        for path, title in shipped.cluster():
            print(f"{path.relative_to(shipped.folder()).as_posix():<{width}}  {title}")
            print(f"{'':<{width}}  {path}")
        return
    for place in _copied(found, copy):
        print(place)


def _copied(found: Sequence[shipped.Example], copy: Path) -> list[Path]:
    """Copy the files into a folder. Nothing is replaced, and no symbolic link below it is followed.

    Raises:
        BadInput: a file or link is in the way; nothing was copied.
        StoreTrouble: the folder cannot be written.
    """
    sources = [*(example.path for example in found), *shipped.code()]
    places = [copy / path.relative_to(shipped.folder()) for path in sources]
    for place in places:
        # a dangling link "does not exist", and would be written through
        inner = [copy / part for part in reversed(place.relative_to(copy).parents) if part != Path()]
        links = [path for path in (*inner, place) if path.is_symlink()]
        if links:
            raise BadInput(f"--copy {copy}: {links[0]} is a symbolic link, which is not followed; remove it first")
        if place.exists():
            raise BadInput(f"--copy {copy}: {place} already exists; choose another folder")
    if copy.is_symlink() and not copy.exists():
        raise BadInput(f"--copy {copy}: a symbolic link to nothing, which is not followed; remove it first")
    try:
        for source, place in zip(sources, places, strict=True):
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as file:  # "x": fails where something has appeared since, links included
                file.write(source.read_bytes())
    except OSError as error:
        raise StoreTrouble(f"--copy {copy}: cannot write there ({error.strerror})") from None
    return places


def doctor(store: Path | None, *, as_json: bool = False) -> int:
    """Print every check, as lines or as JSON; exit code 1 if one failed."""
    findings = [*checks.machine(), *(checks.store(store) if store is not None else ())]
    if as_json:
        found = [asdict(finding) for finding in findings]
        print(documents.text({"store": None if store is None else str(store), "findings": found}))
    for finding in findings if not as_json else ():
        print(f"{'ok ' if finding.fine else '!! '} {finding.subject}: {one_line(finding.text)}")
    return 0 if all(finding.fine for finding in findings) else 1
