"""A model as an ONNX file, checked to answer as it does here."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from nextvec.app.bundle.bundle import Bundle
from nextvec.app.bundle.engine_names import EAGER
from nextvec.app.inference.engine import Engine
from nextvec.app.inference.predictors import make_predictor
from nextvec.predictor import Predictor
from nextvec.training.errors import ProjectError
from nextvec.training.models.model import NextVectorModel
from nextvec.training.transform import Transform
from nextvec.training.vectors import CONTEXT_LENGTH, Float32

LEAST_COSINE: Final = 0.9999
"""Least cosine between what the file answers and what is answered here: float32 over a
hundred recurrent steps rounds to 1e-6."""

_NUM_CHECKED: Final = 64
_NUM_TRACED: Final = 3
# More than one, so that the number of contexts stays open.


class OnnxError(ProjectError):
    """A model cannot be exported, or the file answers something else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A file, and how well it agrees."""

    path: Path

    num_checked: int
    """Contexts of validation that were asked of both."""

    least_cosine: float
    """Between the two answers, the worst of them."""


class _Graph(nn.Module):
    """What the file computes: transform, normalization, network."""

    mean: Tensor
    matrix: Tensor

    def __init__(self, model: NextVectorModel, transform: Transform) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("mean", torch.from_numpy(np.array(transform.mean)))
        self.register_buffer("matrix", torch.from_numpy(np.array(transform.matrix)))
        self._moves = not transform.is_identity and model.items is None

    def forward(self, context_BTD: Tensor, length_B: Tensor) -> tuple[Tensor, ...]:
        if self._moves:
            context_BTD = normalize((context_BTD - self.mean) @ self.matrix, dim=2)
        found = self.model.predict(context_BTD, length_B)
        if found.copies is None:
            return (found.vectors,)
        return found.vectors, found.copies


def export_onnx(predictor: Predictor, path: str | Path) -> Exported:
    """Write the model of a bundle as an ONNX file, and check it.

    Inputs of the graph: ``context``, float32 ``(B, 100, D)``, each context first and
    zeros after it, and ``length``, int64 ``(B,)``, 1 to 100. Of documents a context
    holds unit vectors in the caller's space; of items those of the index, whose space
    was learned. Outputs: ``prediction``, float32 ``(B, D)`` in the searched space, and
    for items that return ``copies``, the log weight of each place, ``(B, 100)``.

    Args:
        predictor: of the bundle or run.
        path: the file; what was there is replaced once the new one is checked.

    Returns:
        The file, and how well it agrees on contexts of validation.

    Raises:
        NextvecError: the extra ``nextvec[onnx]`` is not installed, or the file does not
            answer as the model does: it is deleted.
    """
    _require_packages()
    path = Path(path)
    bundle = predictor.engine.bundle
    new = path.with_name(f".{path.name}.tmp")
    model = bundle.checkpoint.model.eval()
    graph = _Graph(model, bundle.checkpoint.transform).eval()
    context_QTD, length_Q = _contexts(bundle)
    try:
        _write(graph, context_QTD[:_NUM_TRACED], length_Q[:_NUM_TRACED], new)
        least = _least_cosine(bundle, new, context_QTD, length_Q)
        if least < LEAST_COSINE:
            msg = (
                f"{path}: the file answers otherwise: expected a cosine of at least "
                f"{LEAST_COSINE}, got {least:.6f}"
            )
            raise OnnxError(msg)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    return Exported(path=path, num_checked=len(length_Q), least_cosine=least)


def _contexts(bundle: Bundle) -> tuple[Float32, np.ndarray]:
    """Return contexts of validation of all lengths, in the space the graph takes."""
    windows = bundle.suite.windows
    some = np.linspace(0, len(windows) - 1, max(_NUM_TRACED, _NUM_CHECKED)).astype(int)
    windows = windows.take(some)
    width = windows.context_rows.shape[1]
    context_QTD = np.zeros((len(some), CONTEXT_LENGTH, bundle.index.dim), np.float32)
    vectors = bundle.index.vectors
    for place, rows in enumerate(windows.context_rows):
        is_known = rows >= 0
        context_QTD[place, :width][is_known] = vectors[rows[is_known]]
    # not only full ones: padding must change nothing
    length_Q = np.minimum(windows.lengths, 1 + np.arange(len(some)) % CONTEXT_LENGTH)
    length_Q[::2] = windows.lengths[::2]
    inside = np.arange(CONTEXT_LENGTH) < length_Q[:, None]
    context_QTD *= inside[..., None]
    if bundle.known is None:
        flat = bundle.checkpoint.transform.invert(context_QTD[inside])
        context_QTD[inside] = flat
    return context_QTD, length_Q.astype(np.int64)


def _write(graph: nn.Module, context: Float32, length: np.ndarray, path: Path) -> None:
    batch = torch.export.Dim.DYNAMIC
    asked = torch.from_numpy(context), torch.from_numpy(length)
    with torch.no_grad(), _quiet():
        # what is made once for contexts of this length is made now, of real numbers:
        # made while it is traced, it would be kept without any
        graph(*asked)
        torch.onnx.export(
            graph,
            asked,
            str(path),
            dynamo=True,
            external_data=False,
            input_names=["context", "length"],
            output_names=["prediction", "copies"],
            dynamic_shapes={"context_BTD": {0: batch}, "length_B": {0: batch}},
            verbose=False,
        )


def _least_cosine(
    bundle: Bundle, path: Path, context_QTD: Float32, length_Q: np.ndarray
) -> float:
    onnxruntime = import_module("onnxruntime")
    session = onnxruntime.InferenceSession(
        str(path), providers=["CPUExecutionProvider"]
    )
    found = session.run(None, {"context": context_QTD, "length": length_Q})
    moved = [
        context_TD[:length]
        if bundle.known is not None
        else bundle.checkpoint.transform.apply(context_TD[:length])
        for context_TD, length in zip(context_QTD, length_Q, strict=True)
    ]
    eager = make_predictor(bundle.checkpoint.model, EAGER)
    here_QD = Engine(bundle, eager).predict(moved).vectors.numpy()
    cosine_Q = (here_QD * found[0]).sum(axis=1) / (
        np.linalg.norm(here_QD, axis=1) * np.linalg.norm(found[0], axis=1)
    )
    return float(cosine_Q.min())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what the exporter warns its own authors of."""
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger("torch.onnx").setLevel(level)


def _require_packages() -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        try:
            import_module(name)
        except ImportError as error:
            msg = (
                f"ONNX needs a package that is not installed ({error}): pip install "
                "'nextvec[onnx]', in a clone: pip install -e '.[onnx]'"
            )
            raise OnnxError(msg) from error
