import gc

import pytest

from nextvec.app.commands.collector import uncollected


def test_what_is_made_meanwhile_is_never_looked_through() -> None:
    before = gc.get_freeze_count()
    made: list[list[int]] = []

    with uncollected():
        assert not gc.isenabled()
        made = [[] for _ in range(10_000)]

    try:
        assert gc.isenabled()
        assert gc.get_freeze_count() >= before + len(made)
    finally:
        gc.unfreeze()


def test_an_error_leaves_the_collector_on() -> None:
    with pytest.raises(RuntimeError), uncollected():
        raise RuntimeError

    assert gc.isenabled()
    gc.unfreeze()
