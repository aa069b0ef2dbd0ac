"""What a body says of itself: its media type, and nothing that must be undone first."""

from typing import Final

from starlette.datastructures import Headers

from nextvec.app.errors import EncodedBodyError, UnsupportedBodyError
from nextvec.app.wire.quoting import cut, quoted

JSON: Final = "application/json"
OCTETS: Final = "application/octet-stream"

_UTF_8: Final = frozenset(("utf-8", "utf8"))


def media_type(headers: Headers) -> str:
    """Return the media type of a body, in lower case; empty if there is none.

    Raises:
        EncodedBodyError: the body is compressed.
        UnsupportedBodyError: it is text in another encoding than UTF-8.
    """
    encoding = headers.get("content-encoding", "").strip().lower() or "identity"
    if encoding != "identity":
        detail = f"Content-Encoding: expected identity, got {quoted(encoding)}"
        raise EncodedBodyError(detail)
    kind, parameters = _parts(headers)
    for name, charset in parameters:
        if name == "charset" and charset not in _UTF_8:
            detail = f"Content-Type: expected charset utf-8, got {quoted(charset)}"
            raise UnsupportedBodyError(detail)
    return kind.strip()


def refuse_other(kind: str, *understood: str) -> None:
    """Refuse a media type that is none of those that are understood.

    Raises:
        UnsupportedBodyError: it is another.
    """
    if kind not in understood:
        expected = " or ".join(understood)
        detail = f"expected {expected}, got {cut(kind) or 'no content type'}"
        raise UnsupportedBodyError(detail)


def announces_body(headers: Headers) -> bool:
    """Whether a request says that it has a body, as all of HTTP/1.1 do."""
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def dtype_of(headers: Headers) -> list[str]:
    """Return what each number of a body is, as its media type has it; mostly nothing.

    Example:
        >>> dtype_of(Headers({"content-type": "application/x; dtype=float16"}))
        ['float16']
    """
    _, parameters = _parts(headers)
    return [value for name, value in parameters if name == "dtype"]


def _parts(headers: Headers) -> tuple[str, list[tuple[str, str]]]:
    kind, *parameters = headers.get("content-type", "").lower().split(";")
    pairs = (parameter.partition("=") for parameter in parameters)
    return kind, [(name.strip(), value.strip().strip('"')) for name, _, value in pairs]
