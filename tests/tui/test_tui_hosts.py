"""Stores of other machines in Browse: what their answers become, and what happens without one."""

import json
from collections.abc import Callable
from dataclasses import asdict

import pytest
from tui_fakes import both_sweeps
from tui_rows import make_fit, make_sweep

from mlrtui.errors import BadInput, ConnectionLost
from mlrtui.tui.browse.filtering import entries_of
from mlrtui.tui.browse.hosts import Host, Unreachable, rows_of_answer
from mlrtui.tui.once import read_once, render_once
from mlrtui.tui.state import StoreState


def answer(*stores: str, without: str = "") -> str:
    sweep = asdict(make_sweep(7, "far away", "search")) | {"spec": {"model": {"depth": [1, 2]}}}
    sweep["fits"] = [asdict(make_fit())]
    sweep.pop(without, None)
    return json.dumps({"schema": 1, "stores": [{"store": store, "new": 1, "sweeps": [sweep]} for store in stores]})


def host(ask: Callable[[], str], entered: list[tuple[str, str]] | None = None) -> Host:
    def enter(store: str, sweep: str) -> int:
        assert entered is not None
        entered.append((store, sweep))
        return 0

    return Host("box:runs", ask, enter)


def state(one: Host) -> StoreState:
    return read_once([one.source()], "browse").stores[0]


def test_sweeps_of_one_number_in_two_stores_are_two_rows_and_each_is_entered_in_its_own() -> None:
    entered: list[tuple[str, str]] = []
    one = host(lambda: answer("/a.db", "/b.db"), entered)
    one.look()
    rows = state(one).sweeps
    assert [row.name for row in rows] == ["far away"] * 2
    for row in rows:
        assert one.enter(row.sweep_id) == 0
    assert entered == [("/a.db", "far away"), ("/b.db", "far away")]
    assert state(one).is_afar
    assert [fit.exponent for _, fit in state(one).headlines] == [make_fit().exponent] * 2


def test_an_answer_of_another_version_is_read_as_far_as_it_goes() -> None:
    ((store, sweep, fits),) = rows_of_answer(answer("/a.db", without="trials_failed"))
    assert (store, sweep.name, sweep.trials_failed) == ("/a.db", "far away", None)
    assert fits == (make_fit(),)


def test_notes_and_tags_of_another_machine_are_shown_and_found() -> None:
    document = json.loads(answer("/a.db"))
    document["stores"][0]["sweeps"][0] |= {"tags": ["paper"], "notes": [{"number": 1, "at": 5.0, "text": "odd"}]}
    one = host(lambda: json.dumps(document))
    one.look()
    (entry,) = entries_of([state(one)])
    assert entry.words == "far away\n#paper\nodd"
    assert "#paper" in render_once(read_once([one.source()], "browse"), "browse", (120, 36))


def test_a_sweep_that_is_gone_there_is_a_sentence() -> None:
    one = host(lambda: answer("/a.db"), [])
    one.look()
    with pytest.raises(BadInput, match="no longer there"):
        one.enter(99)


@pytest.mark.parametrize(
    "text",
    ["no JSON", "{}", '{"stores": [{"store": "a"}]}', "[]", '{"stores": [{"store": "a", "sweeps": [{"notes": 1}]}]}'],
)
def test_what_is_no_answer_is_a_sentence(text: str) -> None:
    one = host(lambda: text)
    one.look()
    assert one.trouble
    with pytest.raises(ValueError, match=r".+"):
        rows_of_answer(text)


@pytest.mark.parametrize(("field", "value"), [("name", 5), ("created_at", "now"), ("cells", [1]), ("nets_done", True)])
def test_an_answer_of_other_types_is_a_sentence(field: str, value: object) -> None:
    document = json.loads(answer("/a.db"))
    document["stores"][0]["sweeps"][0][field] = value
    one = host(lambda: json.dumps(document))
    one.look()
    assert f"an answer whose {field} is" in one.trouble


def test_a_machine_that_is_lost_keeps_its_reason_and_comes_back() -> None:
    answers: list[str | ConnectionLost] = [answer("/a.db"), ConnectionLost("box cannot be reached: no route")]

    def ask() -> str:
        found = answers.pop(0)
        if isinstance(found, ConnectionLost):
            raise found
        return found

    one = host(ask)
    one.look()
    reader = one.source().open()
    one.look()
    with pytest.raises(Unreachable, match="no route"):
        reader.data_version()
    assert state(one).trouble == "box cannot be reached: no route"
    answers.append(answer("/a.db"))
    one.look()
    assert state(one).trouble == ""
    assert len(state(one).sweeps) == 1


def test_a_machine_without_an_answer_is_a_row_beside_the_sweeps() -> None:
    def fails() -> str:
        raise ConnectionLost("box cannot be reached: no route")

    one = host(fails)
    one.look()
    one.stop()
    text = render_once(read_once([both_sweeps().source(), one.source()], "browse"), "browse", (120, 36))
    assert "2 sweeps" in text
    assert "! box:runs  box cannot be reached: no route" in text
