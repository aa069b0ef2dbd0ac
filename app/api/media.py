"""What a body says of itself: its media type, and nothing that must be undone first."""

from typing import Final

from starlette.datastructures import Headers

from nextvec.app.errors import EncodedBodyError, UnsupportedBodyError
from nextvec.app.wire.quoting import quoted

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
    kind, *parameters = headers.get("content-type", "").lower().split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        charset = value.strip().strip('"')
        if name.strip() == "charset" and charset not in _UTF_8:
            detail = f"Content-Type: expected charset utf-8, got {quoted(charset)}"
            raise UnsupportedBodyError(detail)
    return kind.strip()
