"""One API key: what is kept of it, and what its owner is given once."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, get_args

from pydantic import Field

Scope = Literal["predict", "metrics", "admin"]

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
"""What a key can be for; admin is for all of it."""

_PREFIX: Final = "nextvec_"
# So that scanners for secrets in repositories and logs can know one.

_ID: Final = r"[0-9a-f]{8}"
_SECRET: Final = re.compile(rf"{_PREFIX}({_ID})_[0-9a-f]{{64}}")

NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""How a key may be called: names stand in logs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is kept of a key; nobody can find the key from it."""

    id: Annotated[str, Field(pattern=f"^{_ID}$")]
    """Its public part, eight hexadecimal digits."""

    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$")]
    """What people and logs call it."""

    scope: Scope
    """What it is for."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """SHA-256 of the whole key, hexadecimal.

    A key holds 256 random bits, so there is no list of likely ones to try, which is
    what salts and slow hashes (scrypt, Argon2) are against: they would add nothing but
    tens of milliseconds to each request, for anyone to ask for.
    """

    created: str
    """When it was made, in UTC, as ISO 8601 has it."""

    def allows(self, scope: Scope) -> bool:
        """Whether it is for this."""
        return self.scope in {scope, "admin"}

    def is_of(self, secret: str) -> bool:
        """Whether this is the key, in a time that does not depend on how nearly."""
        return hmac.compare_digest(self.sha256, digest(secret))


def new_key(scope: Scope, name: str | None = None) -> tuple[Key, str]:
    """Make a key.

    Args:
        scope: what it is for.
        name: what it is called; None: as its id.

    Returns:
        What to keep, and the key itself, which is not kept: 256 bits of the operating
        system's randomness behind a prefix and its id.
    """
    id_ = secrets.token_hex(4)
    secret = f"{_PREFIX}{id_}_{secrets.token_hex(32)}"
    created = datetime.now(UTC).isoformat(timespec="seconds")
    key = Key(
        id=id_,
        name=name or id_,
        scope=scope,
        sha256=digest(secret),
        created=created,
    )
    return key, secret


def id_of(secret: str) -> str | None:
    """Return the id that a key carries, None if it has not the form of one."""
    found = _SECRET.fullmatch(secret)
    return None if found is None else found[1]


def digest(secret: str) -> str:
    """Return what is kept of a key: its SHA-256, hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()
