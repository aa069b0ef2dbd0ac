"""Asking a running service, with the standard library only."""

import json
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import numpy as np

from training.errors import ProjectError
from training.vectors import Float32


class ServiceError(ProjectError):
    """A service cannot be reached, or refused what it was asked."""


@dataclass(frozen=True, slots=True)
class Client:
    """A running service."""

    url: str
    """Where it is, such as ``http://127.0.0.1:8000``."""

    timeout_s: float = 30.0
    """Longest wait for an answer, in seconds."""

    def predict_ids(self, ids: list[str], **options: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
        """Ask with names of vectors that the index holds.

        Raises:
            ServiceError: not reachable, or refused.
        """
        body = json.dumps({"ids": ids, **options}).encode()
        return self._post("/predict", body, "application/json")

    def predict_vectors(self, context: Float32, **options: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
        """Ask with vectors, shape ``(T, D)``, sent as octets.

        Raises:
            ServiceError: not reachable, or refused.
        """
        plain = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in options.items()
        }
        body = np.ascontiguousarray(context, dtype="<f4").tobytes()
        path = f"/predict?{urlencode(plain, doseq=True)}"
        return self._post(path, body, "application/octet-stream")

    def _post(self, path: str, body: bytes, media_type: str) -> dict[str, Any]:
        if not self.url.startswith(("http://", "https://")):
            msg = f"expected a URL with http:// or https://, got {self.url!r}"
            raise ServiceError(msg)
        request = Request(  # noqa: S310 - the scheme was checked
            self.url.rstrip("/") + path, body, {"Content-Type": media_type}
        )
        try:
            with urlopen(request, timeout=self.timeout_s) as answer:  # noqa: S310 - as above
                found: dict[str, Any] = json.load(answer)
        except HTTPError as error:
            msg = f"{self.url}: {_reason(error)}"
            raise ServiceError(msg) from error
        except (URLError, HTTPException, OSError, ValueError) as error:
            msg = f"{self.url}: no service answers there: {error}"
            raise ServiceError(msg) from error
        return found


def _reason(error: HTTPError) -> str:
    """Return what a problem says, or the bare status where the body is none."""
    with error:
        try:
            return str(json.load(error)["error"])
        except (ValueError, KeyError, TypeError):
            return f"answered {error.code} {error.reason}"
