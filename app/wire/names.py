"""Names of members: each is there once in an object.

RFC 8259 leaves open what a name means that is there twice, and readers differ: whoever
checks a body before us may see another one than we do.
"""

import re
from typing import Any, Final

import orjson

from nextvec.app.errors import MalformedBodyError
from nextvec.app.steps import Steps
from nextvec.app.wire.quoting import quoted

_SPACED: Final = (b" :", b"\t:", b"\n:", b"\r:")
_TOKENS: Final = re.compile(
    rb'("[^"\\]*+(?:\\.[^"\\]*+)*+")([ \t\n\r]*+:)?|[{}]', re.DOTALL
)
_AT_ONCE: Final = 500


def refuse_twice(text: bytes | bytearray, value: Any) -> Steps[None]:  # noqa: ANN401 - JSON
    """Refuse a JSON text in which two members of an object have one name.

    orjson keeps the last of them and says nothing. There are at most as many members
    as quotes before colons: where the outermost object has as many, nothing more needs
    to be read.

    Args:
        text: what was decoded, and is JSON.
        value: what came of it.

    Raises:
        MalformedBodyError: there are two; says of which name.
    """
    is_plain = not any(spaced in text for spaced in _SPACED)
    if is_plain and isinstance(value, dict) and text.count(b'":') == len(value):
        return
    objects: list[set[bytes]] = []
    for place, token in enumerate(_TOKENS.finditer(text)):
        string, colon = token.groups()
        if string is None:
            if token[0] == b"{":
                objects.append(set())
            else:
                objects.pop()
        elif colon is not None:
            # one that is escaped is the same name
            name = string if b"\\" not in string else orjson.dumps(orjson.loads(string))
            if name in objects[-1]:
                told = quoted(orjson.loads(name))
                detail = f"expected each name of an object once, got {told} twice"
                raise MalformedBodyError(detail)
            objects[-1].add(name)
        if place % _AT_ONCE == 0:
            yield
