"""A body of JSON, decoded in slices: nothing else waits for the whole of it.

orjson decodes all of a body in one call and holds the interpreter's lock meanwhile, in
whatever thread it is called. Of a large body nearly everything is lists of numbers,
or long strings. These are cut out; what is left is decoded at once, and each of them
when its turn comes (`benchmarks/speed/decoding.py` has what that costs, and what else
was tried).
"""

import json
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Final

import orjson

from nextvec.app.errors import BodyTooLargeError, MalformedBodyError
from nextvec.app.steps import Steps

SMALL: Final = 1 << 16
"""Bodies of so many bytes are decoded at once: at most half a millisecond."""

_LONG: Final = 64
# A shorter list of numbers is not worth a slice of its own.

_LONG_STRING: Final = 4096
LONGEST_STRING: Final = 1 << 17
"""More bytes than 10,000 characters take, each escaped twice: the longest text."""

_BLOCK: Final = 1 << 16
_AT_ONCE: Final = 1000

_NAMES: Final = re.compile(rb"[ \t\n\r]*:")
# What follows the name of a member: it has to stay, since no piece can be a name.


@dataclass(frozen=True, slots=True)
class Numbers:
    """A list of numbers that is not decoded yet."""

    body: bytes = field(repr=False)
    """The body it stands in."""

    start: int
    """Where its bracket opens."""

    end: int
    """Where it ends, the closing bracket included."""

    def __len__(self) -> int:
        """Return how many there are, if it is well made."""
        return self.body.count(b",", self.start, self.end) + 1

    @property
    def holds_words(self) -> bool:
        """Whether one of them may be ``true``, ``false`` or ``null``."""
        return any(self.body.find(c, self.start, self.end) >= 0 for c in (b"u", b"l"))

    def decoded(self) -> list[Any]:
        """Decode it.

        Raises:
            MalformedBodyError: it is no JSON.
        """
        numbers: list[Any] = _piece(self.body, self.start, self.end)
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
        MalformedBodyError: it is no JSON; says where.
        BodyTooLargeError: it holds more values than may be, or a string that is longer
            than any text.
    """
    if len(body) <= small:
        yield
        return _piece(body, 0, len(body))
    cut = _Cut(body, max_values, longest_string)
    yield from cut.run()
    try:
        value = orjson.loads(cut.rest)
    except orjson.JSONDecodeError as error:
        raise cut.fault(error) from error
    yield
    return (yield from cut.restored(value))


class _Cut:
    """A body without its long lists and strings, which are named in their places."""

    def __init__(self, body: bytes, max_values: int, longest_string: int) -> None:
        self.body, self.rest = body, bytearray()
        # no client can know it, and so none can name a piece
        self._name = token_hex(8)
        self._max_values, self._values = max_values, 0
        self._longest_string = longest_string
        self._pieces: list[tuple[int, int]] = []
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
            end = yield from self._string_end(quote)
            if end - quote > self._longest_string:
                detail = (
                    f"expected strings of at most {self._longest_string:,} bytes, got "
                    f"one of {end - quote:,}"
                )
                raise BodyTooLargeError(detail)
            if end - quote >= _LONG_STRING and not _NAMES.match(body, end):
                self._take_out(quote, end)
            else:
                self.rest += body[quote:end]
            at = end

    def _between(self, start: int, end: int) -> Steps[None]:
        """Go through what holds no string."""
        body = self.body
        while (close := body.find(b"]", start, end)) >= 0:
            opened = body.rfind(b"[", start, close)
            is_long = opened >= 0 and close - opened >= _LONG
            if is_long and self._is_value(opened, close):
                yield from self._keep(start, opened)
                self._take_out(opened, close + 1)
            else:
                yield from self._keep(start, close + 1)
            start = close + 1
        yield from self._keep(start, end)

    def _is_value(self, start: int, end: int) -> bool:
        """Whether brackets, opened and closed here, hold no brace and name nothing."""
        braces = [self.body.find(brace, start, end) for brace in (b"{", b"}")]
        return max(braces) < 0 and not _NAMES.match(self.body, end + 1)

    def _keep(self, start: int, end: int) -> Steps[None]:
        for at in range(start, end, _BLOCK):
            block = self.body[at : min(at + _BLOCK, end)]
            self._values += block.count(b",")
            if self._values > self._max_values:
                detail = (
                    f"expected at most {self._max_values:,} values beside lists of "
                    "numbers, got more"
                )
                raise BodyTooLargeError(detail)
            self.rest += block
            yield

    def _string_end(self, quote: int) -> Steps[int]:
        """Find where a string ends that begins at a quote."""
        body, after = self.body, quote + 1
        while (at := body.find(b'"', after)) >= 0:
            escapes = at - after - len(body[after:at].rstrip(b"\\"))
            if escapes % 2 == 0:
                return at + 1
            after = at + 1
            yield
        return len(body)

    def _take_out(self, start: int, end: int) -> None:
        self.rest += f'"{self._name}{len(self._pieces)}"'.encode()
        self._pieces.append((start, end))
        self._resumed.append((len(self.rest), end))

    def restored(self, value: Any) -> Steps[Any]:  # noqa: ANN401 - JSON
        """Put the pieces into their places: strings decoded, numbers not yet."""
        around = [value]
        containers: list[Any] = [around]
        while containers:
            container = containers.pop()
            places = (
                container.items()
                if isinstance(container, dict)
                else enumerate(container)
            )
            for number, (place, inner) in enumerate(list(places)):
                if isinstance(inner, dict | list):
                    containers.append(inner)
                elif isinstance(inner, str) and inner.startswith(self._name):
                    start, end = self._pieces[int(inner.removeprefix(self._name))]
                    container[place] = (
                        Numbers(self.body, start, end)
                        if self.body[start] == ord("[")
                        else _piece(self.body, start, end)
                    )
                    yield
                elif number % _AT_ONCE == 0:
                    yield
        return around[0]

    def fault(self, error: orjson.JSONDecodeError) -> MalformedBodyError:
        """Return what is wrong with the rest, by its place in the body."""
        rest = self.rest.decode("utf-8", "replace")
        at = len(rest[: error.pos].encode())
        before = bisect_right(self._resumed, (at, len(self.body))) - 1
        if before >= 0:
            in_rest, in_body = self._resumed[before]
            at += in_body - in_rest
        return _no_json(self.body, error, at)


def _piece(body: bytes, start: int, end: int) -> Any:  # noqa: ANN401 - JSON
    try:
        return orjson.loads(memoryview(body)[start:end])
    except orjson.JSONDecodeError as error:
        before = body[start:end].decode("utf-8", "replace")[: error.pos]
        raise _no_json(body, error, start + len(before.encode())) from error


def _no_json(body: bytes, error: orjson.JSONDecodeError, at: int) -> MalformedBodyError:
    """Say why a body is no JSON; of numbers that JSON has not, which and where.

    Args:
        body: all of it.
        error: what orjson says.
        at: byte at which it says so.
    """
    text = body.decode("utf-8", "replace")
    where = json.JSONDecodeError(
        error.msg, text, len(body[:at].decode("utf-8", "replace"))
    )
    for word in ("NaN", "Infinity"):
        if body.startswith(word.encode(), at):
            detail = (
                f"expected JSON, found {word} at line {where.lineno}, column "
                f"{where.colno}: JSON has finite numbers only"
            )
            return MalformedBodyError(detail)
    return MalformedBodyError(f"expected JSON: {where}")
