"""Bodies of JSON that are made to cost much."""

from collections.abc import Iterator
from typing import Final

SIZE: Final = 8 << 20
"""Bytes of each: as many as the service takes by default."""

_NUMBERS: Final = b"0," * 40 + b"0"
_REPEATED: Final = {
    "empty lists": (b'{"context":[', b"[],", b"[]]}"),
    "empty lists, no commas": (b'{"context":[', b"[]", b"]}"),
    "lists of two numbers": (b'{"context":[', b"[0,0],", b"[0]]}"),
    "lists of 41 numbers": (b'{"context":[', b"[" + _NUMBERS + b"],", b"[0]]}"),
    "the same, no commas": (b'{"context":[', b"[" + _NUMBERS + b"]", b"]}"),
    "brackets opened": (b'{"context":', b"[", b""),
    "brackets closed": (b'{"context":[', b"]", b""),
    "objects opened": (b"", b'{"a":', b""),
    "objects": (b'{"context":[', b'{"id":"a"},', b'{"id":"a"}]}'),
    "objects, no commas": (b'{"context":[', b"{}", b"]}"),
    "members": (b"{", b'"a":1,', b'"b":1}'),
    "members of long names": (b"{", b'"' + b"a" * 130_000 + b'":1,', b'"b":1}'),
    "strings": (b'{"context":[', b'"a",', b'"a"]}'),
    "strings, no commas": (b'{"context":[', b'"a"', b"]}"),
    "strings of 4 kB": (b'{"ids":[', b'"' + b"a" * 4000 + b'",', b'"a"]}'),
    "strings of escapes": (b'{"ids":[', b'"' + b"\\u0101" * 660 + b'",', b'"a"]}'),
    "one string": (b'{"ids":["', b"a", b'"]}'),
    "one string of quotes": (b'{"ids":["', b'\\"', b'"]}'),
    "one string of backslashes": (b'{"ids":["', b"\\\\", b'"]}'),
    "one vector": (b'{"context":[[', b"0,", b"0]]}"),
    "one integer": (b'{"k":', b"1", b"}"),
    "one number of a vector": (b'{"context":[[', b"1", b"]]}"),
    "spaces": (b'{"context":', b" ", b"}"),
    "lines": (b'{"context":', b"\n", b"x}"),
    "no UTF-8": (b'{"ids":[', b'"' + b"\xff" * 3000 + b'",', b'"a"]}'),
    "a fault at the end": (b'{"ids":[', b'"' + b"\xc3\xa9" * 1500 + b'",', b"x]}"),
    "colons": (b'{"a"', b":", b"}"),
    "commas": (b'{"a":[', b",", b"]}"),
}
_MANY: Final = 20_000


def hostile_bodies() -> Iterator[tuple[str, bytes]]:
    """Yield names and bodies: of 8 MiB, then some that are within bounds."""
    for name, (head, unit, tail) in _REPEATED.items():
        number = (SIZE - len(head) - len(tail)) // len(unit)
        yield name, head + unit * number + tail
    escaped = b",".join([b'"' + b"\\u0101" * 9 + b'"'] * _MANY)
    yield "20,000 names of escapes", b'{"documents":[' + escaped + b'],"ids":["a"]}'
    quotes = b",".join([b'"' + b'\\":' * 18 + b'"'] * _MANY)
    yield "20,000 names of quotes", b'{"documents":[' + quotes + b'],"ids":["a"]}'
    nested = b",".join([b"[" * 12 + b"]" * 12] * (_MANY // 5))
    yield "4,000 lists of lists", b'{"ids":[' + nested + b"]}"
    objects = b",".join([b'{"id":{"id":{}}}'] * _MANY)
    yield "20,000 objects of objects", b'{"ids":[' + objects + b"]}"
    members = b",".join([b'"%05d":{}' % place for place in range(_MANY)])
    yield "20,000 members", b"{" + members + b',"a":"\\":"}'
