import re
from dataclasses import dataclass

import pytest

from nextvec.training.checked import from_json
from nextvec.training.models.config import ModelConfig


@dataclass(frozen=True)
class Part:
    names: list[str]
    size: float = 1.0


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"size": 2}', "names: Field required"),
        (b'{"names": 3}', "names: Input should be a valid array, got 3"),
        (
            b'{"names": [], "size": "2"}',
            "size: Input should be a valid number, got '2'",
        ),
        (b'{"names": [true], "a": 1}', "names: 0: Input should be a valid string, got"),
        (b"[]", "Input should be an object"),
        (b"{", "Invalid JSON: EOF while parsing an object at line 1 column 1"),
    ],
)
def test_what_is_wrong_is_said_with_place_expectation_and_value(
    data: bytes, said: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(said)}") as refused:
        from_json(Part, data)

    assert len(str(refused.value).splitlines()) == 1


def test_every_fault_is_named() -> None:
    with pytest.raises(ValueError, match=r"size: .*; a: Unexpected keyword .*, got 1"):
        from_json(Part, b'{"names": [], "size": "2", "a": 1}')


def test_a_check_of_several_fields_speaks_in_its_own_words() -> None:
    with pytest.raises(ValueError, match=r"^2 rates but 1 weights$"):
        from_json(ModelConfig, b'{"dim": 3, "base": {"rates": [1, 0.5]}}')


def test_a_long_value_is_cut() -> None:
    with pytest.raises(ValueError, match="names: ") as refused:
        from_json(Part, b'{"names": "%s"}' % (b"x" * 1000))

    assert len(str(refused.value)) < 200


def test_what_is_right_comes_back() -> None:
    assert from_json(Part, b'{"names": ["a"], "size": 2}') == Part(["a"], 2.0)
