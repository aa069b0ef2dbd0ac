"""Asking a running service."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from numpy.typing import NDArray

from nextvec.training.errors import ProjectError, VectorError
from nextvec.training.vectors import Float32


class ServiceError(ProjectError):
    """A service cannot be reached, or refused what it was asked."""


@dataclass(frozen=True, slots=True)
class Client:
    """A running service."""

    url: str
    """Where it is, such as ``http://127.0.0.1:8000``."""

    timeout_s: float = 30.0
    """Longest wait for an answer, in seconds."""

    api_key: str | None = field(default=None, repr=False)
    """Key to ask with, where the service needs one."""

    def predict_ids(self, ids: list[str], **options: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
        """Ask with names of vectors that the index holds.

        Raises:
            ServiceError: not reachable, or refused.
        """
        return self._predict(json={"ids": ids, **options})

    def predict_texts(self, texts: list[str], **options: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
        """Ask with texts, which the service encodes as its corpus was.

        Raises:
            ServiceError: not reachable, or refused.
        """
        return self._predict(json={"texts": texts, **options})

    def predict_vectors(
        self,
        context: NDArray[np.floating],
        **options: Any,  # noqa: ANN401 - JSON values
    ) -> dict[str, Any]:
        """Ask with vectors, shape ``(T, D)``, sent as octets: half as many of float16.

        Raises:
            ServiceError: not reachable, or refused.
        """
        return self._predict(**_octets([context], options))

    def predict_batch(
        self,
        contexts: Sequence[NDArray[np.floating]],
        **options: Any,  # noqa: ANN401 - JSON values
    ) -> dict[str, Any]:
        """Ask with several contexts at once, each ``(T, D)``, sent as octets.

        Raises:
            ServiceError: not reachable, or refused.
        """
        lengths = ",".join(str(len(context)) for context in contexts)
        request = _octets(contexts, {"lengths": lengths, **options})
        return self._predict(path="/predict/batch", **request)

    def _predict(self, path: str = "/predict", **request: Any) -> dict[str, Any]:  # noqa: ANN401 - as httpx2 takes it
        url = self.url.rstrip("/") + path
        if self.api_key is not None:
            if not self.api_key.isascii() or not self.api_key.isprintable():
                # the library would show it
                msg = "expected a key of printable ASCII, got something else"
                raise ServiceError(msg)
            bearer = {"Authorization": f"Bearer {self.api_key}"}
            request["headers"] = {**request.get("headers", {}), **bearer}
        try:
            answer = httpx2.post(url, timeout=self.timeout_s, **request)
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
        except httpx2.UnsupportedProtocol as error:
            msg = f"expected a URL with http:// or https://, got {self.url!r}"
            raise ServiceError(msg) from error
        except httpx2.HTTPStatusError as error:
            msg = f"{self.url}: {_reason(error.response)}"
            raise ServiceError(msg) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            msg = (
                f"{self.url}: no service answers there: {error}; another address is "
                "told by --url, or NEXTVEC_HOST and NEXTVEC_PORT"
            )
            raise ServiceError(msg) from error
        return found


def _octets(
    contexts: Sequence[NDArray[np.floating]], options: dict[str, Any]
) -> dict[str, Any]:
    """Return a request of raw numbers, float16 if all of them are that."""
    is_half = all(context.dtype == np.float16 for context in contexts)
    dtype = np.dtype("<f2" if is_half else "<f4")
    return {
        "params": {"dtype": dtype.name, **options},
        "content": np.concatenate(contexts).astype(dtype).tobytes(),
        "headers": {"Content-Type": "application/octet-stream"},
    }


def _reason(answer: httpx2.Response) -> str:
    """Return what a problem says, or the bare status where the body is none."""
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"answered {answer.status_code} {answer.reason_phrase}"


def context_of_file(path: Path) -> Float32:
    """Read the vectors to ask with.

    Args:
        path: a ``.npy`` file of floats, shape ``(T, D)``, or ``(B, T, D)`` for
            several contexts.

    Raises:
        VectorError: something else lies there.
    """
    try:
        array: np.ndarray = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        msg = f"{path}: expected a .npy file of numbers: {error}"
        raise VectorError(msg) from error
    is_array = isinstance(array, np.ndarray) and array.dtype.kind == "f"
    if not is_array or array.ndim not in {2, 3} or not array.size:
        msg = f"{path}: expected a float array of shape (T, D) or (B, T, D)"
        raise VectorError(msg)
    return array
