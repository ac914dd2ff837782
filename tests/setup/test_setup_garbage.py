"""The search for cyclic garbage is left out while much is made, and goes on after that."""

import gc

import pytest

from mlrtui.garbage import uncollected


def test_it_is_left_out_meanwhile_and_goes_on_even_after_an_error() -> None:
    @uncollected()
    def made() -> bool:
        return gc.isenabled()

    assert gc.isenabled()
    assert not made()
    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError), uncollected():
        assert 1 / 0
    assert gc.isenabled()


def test_who_has_switched_it_off_finds_it_off() -> None:
    gc.disable()
    try:
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
