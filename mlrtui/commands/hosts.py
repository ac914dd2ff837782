"""`mlrtui browse` over stores of several machines: one list, made of what `mlrtui browse --json` prints on each."""

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlrtui.commands import look
from mlrtui.errors import MlrtuiError
from mlrtui.reading import documents
from mlrtui.remote.address import Address
from mlrtui.remote.ssh import Question, hand_over
from mlrtui.report import sweep_line
from mlrtui.text.escape import one_line
from mlrtui.text.printing import needs_ascii, show
from mlrtui_db.reader import Reader

if TYPE_CHECKING:
    from mlrtui.commands.look import How

__all__ = ["browse_several"]


def browse_several(stores: Sequence[Address | Path], how: "How") -> int:
    """The list as a screen, as text or as JSON. A machine that cannot be reached is a row with the reason.

    Raises:
        BadInput: there is no ssh.
        StoreError: a store on this machine cannot be read.
    """
    look.printed_size(how)
    places: list[Address | Path] = []
    for one in stores:
        places += [one] if isinstance(one, Address) else look.in_folders([one])
    for one in places:
        if isinstance(one, Path):
            Reader.open(one).close()
    questions = {one: Question(one, ["browse", "--json"]) for one in places if isinstance(one, Address)}
    try:
        if how.as_json:
            print(documents.text({"stores": [*_documents(places, questions)]}))
            return 0
        return _shown(places, questions, how)
    finally:
        for question in questions.values():
            question.stop()


def _answers(questions: dict[Address, Question]) -> dict[Address, str | MlrtuiError]:
    """Of all machines at once."""

    def ask(question: Question) -> str | MlrtuiError:
        try:
            return question.ask()
        except MlrtuiError as error:
            return error

    with ThreadPoolExecutor(max(len(questions), 1)) as pool:
        return dict(zip(questions, pool.map(ask, questions.values()), strict=True))


def _documents(places: Sequence[Address | Path], questions: dict[Address, Question]) -> list[dict[str, Any]]:
    """What each store says; of one that cannot be asked its address and why."""
    answers, found = _answers(questions), []
    for one in places:
        if isinstance(one, Path):
            found.append(look.store_object(one))
            continue
        answer = answers[one]
        try:
            there = json.loads(answer)["stores"] if isinstance(answer, str) else None
        except (ValueError, KeyError, TypeError):
            there, answer = None, MlrtuiError("no answer of mlrtui browse --json")
        found += [{"store": str(one), "trouble": str(answer), "sweeps": []}] if there is None else [
            store | {"store": str(Address(one.host, str(store["store"]), one.port))} for store in there
        ]  # fmt: skip
    return found


def _shown(places: Sequence[Address | Path], questions: dict[Address, Question], how: "How") -> int:
    from mlrtui.tui.browse.hosts import Host
    from mlrtui.tui.modes import read_choices
    from mlrtui.tui.once import read_once, render_once
    from mlrtui.tui.starting import run_app, store_source
    from mlrtui.tui.state import Wanted

    choices = read_choices("browse", how.shown)
    hosts = {one: Host(str(one), question.ask, _entering(one, how)) for one, question in questions.items()}
    sources = [store_source(one) if isinstance(one, Path) else hosts[one].source() for one in places]
    if how.once or not sys.stdout.isatty():
        with ThreadPoolExecutor(max(len(hosts), 1)) as pool:
            [*pool.map(Host.look, hosts.values())]
        reading = read_once(sources, "browse", Wanted(), choices=choices)
        if how.once:
            print(render_once(reading, "browse", look.printed_size(how), needs_ascii(how.ascii_only), choices))
            return 0
        for state in reading.stores:
            lines = [f"  {one_line(state.trouble)}"] if state.trouble else []
            lines += [f"  {sweep_line(row, None)}" for row in state.sweeps]
            show("\n".join([f"{state.place or state.label}:", *lines]), how.ascii_only)
        return 0
    try:
        return run_app(
            sources,
            start="browse",
            refresh=how.refresh,
            ascii=how.ascii_only or None,
            mouse=how.mouse,
            choices=choices,
        )
    finally:
        for host in hosts.values():
            host.stop()


def _entering(address: Address, how: "How") -> Any:
    """What shows a sweep of a store there, on this terminal."""
    options = [*(["--ascii"] if how.ascii_only else []), *([] if how.mouse else ["--no-mouse"])]

    def enter(store: str, sweep: str) -> int:
        there = Address(address.host, store, address.port)
        return hand_over(there, ["watch", f"--sweep={sweep}", *options, "--store"], terminal=True)

    return enter
