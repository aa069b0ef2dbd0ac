from nextvec.app.bundle.index import INDEX_KINDS
from nextvec.app.bundle.index_kinds import INDEX_KIND_NAMES


def test_the_kinds_that_help_shows_are_those_there_are() -> None:
    assert tuple(INDEX_KINDS) == INDEX_KIND_NAMES
