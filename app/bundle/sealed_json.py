"""JSON that holds its own checksum: with one byte changed it is refused, unparsed.

The last field is ``seal``, the SHA-256 of every byte before it. It guards against
accidents and careless hands; whoever means harm can compute it anew.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

_TAIL: Final = re.compile(rb'\n  "seal": "([0-9a-f]{64})"\n}\n\Z')


def sealed(fields: Mapping[str, Any]) -> bytes:
    """Return some fields as indented JSON with their seal.

    Args:
        fields: at least one, none of them called ``seal``.
    """
    body = orjson.dumps(dict(fields), option=orjson.OPT_INDENT_2)
    head = body.removesuffix(b"\n}") + b","
    seal = hashlib.sha256(head).hexdigest().encode()
    return head + b'\n  "seal": "' + seal + b'"\n}\n'


def is_sealed(data: bytes) -> bool:
    """Whether these are bytes that `sealed` returned, every one of them.

    Example:
        >>> whole = sealed({"a": 1})
        >>> is_sealed(whole), is_sealed(whole.replace(b"1,", b"2,"))
        (True, False)
    """
    tail = _TAIL.search(data)
    if tail is None:
        return False
    found = hashlib.sha256(data[: tail.start()]).hexdigest()
    return tail[1] == found.encode()
