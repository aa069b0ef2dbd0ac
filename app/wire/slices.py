"""A body of JSON, decoded in slices: nothing else waits for the whole of it.

orjson decodes all of a body in one call and holds the interpreter's lock meanwhile, in
whatever thread it is called. Of a large body nearly everything is lists of numbers,
or long strings. These are cut out; what is left is decoded at once, and each of them
when its turn comes (`benchmarks/speed/decoding.py` has what that costs, and what else
was tried). What is left is bounded, and so is each step, whatever a body holds
(`benchmarks/faults/bodies.py` has the worst ones that were found).
"""

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Final

import orjson

from nextvec.app.errors import BodyTooLargeError, MalformedBodyError
from nextvec.app.steps import Steps
from nextvec.app.wire.names import refuse_twice

SMALL: Final = 1 << 16
"""Bodies of so many bytes are decoded at once: at most half a millisecond."""

LONG: Final = 64
"""Bytes from which on a list of numbers is worth a slice of its own."""

_LONG_STRING: Final = 256
# All others are decoded in one go, at two bytes a nanosecond.

_MARKS: Final = 3
# Strings and closing brackets for each value: an object of one text has two strings. A
# body that is no JSON may have one at every byte, without a comma to be counted.

_BYTES: Final = 64
# Of what is decoded in one go, for each value: 1.3 MB at least take some 3 ms. Longer
# strings are cut out, and longer names mean nothing.

LONGEST_STRING: Final = 1 << 17
"""More bytes than 10,000 characters take, each escaped twice: the longest text."""

_BLOCK: Final = 1 << 16
_AT_ONCE: Final = 1000

_NAMES: Final = re.compile(rb"[ \t\n\r]*:")
# What follows the name of a member: it has to stay, since no piece can be a name.

_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
# Never goes back: 8 MB of escaped quotes took 8 s when they were looked for one by one.

_CONTINUED: Final = bytes(range(0x80, 0xC0))
# Bytes of UTF-8 that begin no character.


@dataclass(frozen=True, slots=True)
class Numbers:
    """A list of numbers that is not decoded yet."""

    body: bytes = field(repr=False)
    """The body it stands in."""

    start: int
    """Where its bracket opens."""

    end: int
    """Where it ends, the closing bracket included."""

    count: int
    """How many there are, if it is well made."""

    def __len__(self) -> int:
        """Return how many there are, if it is well made."""
        return self.count

    @property
    def size_bytes(self) -> int:
        """Bytes that decoding it has to go through."""
        return self.end - self.start

    @property
    def holds_words(self) -> bool:
        """Whether one of them may be ``true``, ``false`` or ``null``."""
        return any(self.body.find(c, self.start, self.end) >= 0 for c in (b"u", b"l"))

    def decoded(self) -> Steps[list[Any]]:
        """Decode it.

        Raises:
            MalformedBodyError: it is no JSON.
        """
        numbers: list[Any] = yield from _piece(self.body, self.start, self.end)
        return numbers


def decode(
    body: bytes,
    *,
    max_values: int,
    longest_string: int = LONGEST_STRING,
    small: int = SMALL,
) -> Steps[Any]:
    """Decode a body; of a large one, long lists of numbers stay `Numbers`.

    Args:
        body: what should be JSON.
        max_values: most values beside those in such lists, so that they can be decoded
            at once.
        longest_string: bytes of the longest string, its quotes included.
        small: bodies of so many bytes are decoded whole.

    Raises:
        MalformedBodyError: it is no JSON, and says where; or two members of an object
            have one name.
        BodyTooLargeError: it holds more values than may be, or a string that is longer
            than any text.
    """
    if len(body) <= small:
        yield
        value = yield from _piece(body, 0, len(body))
        yield from refuse_twice(body, value)
        return value
    cut = _Cut(body, max_values, longest_string)
    yield from cut.run()
    try:
        value = orjson.loads(cut.rest)
    except orjson.JSONDecodeError as error:
        raise (yield from cut.fault(error)) from error
    yield
    yield from refuse_twice(cut.rest, value)
    yield
    return (yield from cut.restored(value))


class _Cut:
    """A body without its long lists and strings, which are named in their places."""

    def __init__(self, body: bytes, max_values: int, longest_string: int) -> None:
        self.body, self.rest = body, bytearray()
        # no client can know it, and so none can name a piece
        self._name = token_hex(8)
        self._max_values, self._values, self._marks = max_values, 0, 0
        self._longest_string = longest_string
        self._pieces: list[tuple[int, int, int]] = []  # start, end, numbers
        self._resumed: list[tuple[int, int]] = []  # after each: in the rest, the body

    def run(self) -> Steps[None]:
        """Go through the body once, from string to string."""
        at, body = 0, self.body
        while at < len(body):
            quote = body.find(b'"', at)
            if quote < 0:
                quote = len(body)
            yield from self._between(at, quote)
            if quote == len(body):
                return
            self._mark()
            end = self._string_end(quote)
            yield
            if end - quote >= _LONG_STRING and not _NAMES.match(body, end):
                self._take_out(quote, end, 0)
            else:
                yield from self._keep(quote, end, is_string=True)
            at = end

    def _between(self, start: int, end: int) -> Steps[None]:
        """Go through what holds no string."""
        body = self.body
        while (close := body.find(b"]", start, end)) >= 0:
            self._mark()
            opened = body.rfind(b"[", start, close)
            is_long = opened >= 0 and close - opened >= LONG
            if is_long and self._is_value(opened, close):
                yield from self._keep(start, opened)
                commas = 0
                for at in range(opened, close, _BLOCK):
                    commas += body.count(b",", at, min(at + _BLOCK, close))
                    yield
                self._take_out(opened, close + 1, commas + 1)
            else:
                yield from self._keep(start, close + 1)
            start = close + 1
        yield from self._keep(start, end)

    def _is_value(self, start: int, end: int) -> bool:
        """Whether brackets, opened and closed here, hold no brace and name nothing."""
        braces = [self.body.find(brace, start, end) for brace in (b"{", b"}")]
        return max(braces) < 0 and not _NAMES.match(self.body, end + 1)

    def _mark(self) -> None:
        """Count a string or a closing bracket."""
        self._marks += 1
        if self._marks > _MARKS * self._max_values:
            detail = (
                f"expected at most {_MARKS * self._max_values:,} strings and lists, "
                "got more"
            )
            raise BodyTooLargeError(detail)

    def _keep(self, start: int, end: int, *, is_string: bool = False) -> Steps[None]:
        for at in range(start, end, _BLOCK):
            block = self.body[at : min(at + _BLOCK, end)]
            if not is_string:
                self._values += block.count(b",")
            if self._values > self._max_values:
                detail = (
                    f"expected at most {self._max_values:,} values beside lists of "
                    "numbers, got more"
                )
                raise BodyTooLargeError(detail)
            self.rest += block
            if len(self.rest) > _BYTES * self._max_values:
                detail = (
                    f"expected at most {_BYTES * self._max_values:,} bytes beside "
                    f"lists of numbers and strings of {_LONG_STRING} bytes and more, "
                    "got more"
                )
                raise BodyTooLargeError(detail)
            yield

    def _string_end(self, quote: int) -> int:
        """Find where a string ends that begins at a quote."""
        most = quote + self._longest_string
        found = _STRING.match(self.body, quote, most)
        if found is not None:
            return found.end()
        if most < len(self.body):
            detail = (
                f"expected strings of at most {self._longest_string:,} bytes, got one "
                "of more"
            )
            raise BodyTooLargeError(detail)
        return len(self.body)

    def _take_out(self, start: int, end: int, numbers: int) -> None:
        self.rest += f'"{self._name}{len(self._pieces)}"'.encode()
        self._pieces.append((start, end, numbers))
        self._resumed.append((len(self.rest), end))

    def restored(self, value: Any) -> Steps[Any]:  # noqa: ANN401 - JSON
        """Put the pieces into their places: strings decoded, numbers not yet."""
        around, passed = [value], 0
        containers: list[Any] = [around]
        while containers:
            container = containers.pop()
            passed += 1 + len(container)
            if passed > _AT_ONCE:
                passed = 0
                yield
            places = (
                container.items()
                if isinstance(container, dict)
                else enumerate(container)
            )
            for place, inner in list(places):
                if isinstance(inner, dict | list):
                    containers.append(inner)
                elif isinstance(inner, str) and inner.startswith(self._name):
                    start, end, numbers = self._pieces[
                        int(inner.removeprefix(self._name))
                    ]
                    container[place] = (
                        Numbers(self.body, start, end, numbers)
                        if numbers
                        else (yield from _piece(self.body, start, end))
                    )
                    yield
        return around[0]

    def fault(self, error: orjson.JSONDecodeError) -> Steps[MalformedBodyError]:
        """Return what is wrong with the rest, by its place in the body."""
        rest = self.rest.decode("utf-8", "replace")
        at = len(rest[: error.pos].encode())
        before = bisect_right(self._resumed, (at, len(self.body))) - 1
        if before >= 0:
            in_rest, in_body = self._resumed[before]
            at += in_body - in_rest
        return (yield from _no_json(self.body, error, at))


def _piece(body: bytes, start: int, end: int) -> Steps[Any]:
    try:
        return orjson.loads(memoryview(body)[start:end])
    except orjson.JSONDecodeError as error:
        before = body[start:end].decode("utf-8", "replace")[: error.pos]
        fault = yield from _no_json(body, error, start + len(before.encode()))
        raise fault from error


def _no_json(
    body: bytes, error: orjson.JSONDecodeError, at: int
) -> Steps[MalformedBodyError]:
    """Say why a body is no JSON; of numbers that JSON has not, which and where.

    Args:
        body: all of it.
        error: what orjson says.
        at: byte at which it says so.
    """
    characters, lines, of_line = 0, 1, 0
    for start in range(0, at, _BLOCK):
        block = body[start : min(start + _BLOCK, at)].translate(None, _CONTINUED)
        characters += len(block)
        if breaks := block.count(b"\n"):
            lines += breaks
            of_line = len(block) - block.rindex(b"\n") - 1
        else:
            of_line += len(block)
        yield
    for word in ("NaN", "Infinity"):
        if body.startswith(word.encode(), at):
            detail = (
                f"expected JSON, found {word} at line {lines}, column {of_line + 1}: "
                "JSON has finite numbers only"
            )
            return MalformedBodyError(detail)
    where = f"line {lines} column {of_line + 1} (char {characters})"
    return MalformedBodyError(f"expected JSON: {error.msg}: {where}")
