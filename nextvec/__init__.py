"""Predict the next embedding vector, and find the real things nearest to it.

The library is what stands in ``__all__``; ``docs/library.md`` describes it and promises
how it may change. `nextvec.app` and `nextvec.training` are the rooms behind it, which
may change at any time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from nextvec.corpora import make_corpus, make_text_corpus
    from nextvec.onnx_export import export_onnx
    from nextvec.predictor import Neighbor, Predicted, Predictor, open_predictor
    from nextvec.runs import Run, evaluate, open_run, train
    from nextvec.training.errors import ProjectError as NextvecError

__all__ = (
    "Neighbor",
    "NextvecError",
    "Predicted",
    "Predictor",
    "Run",
    "evaluate",
    "export_onnx",
    "make_corpus",
    "make_text_corpus",
    "open_predictor",
    "open_run",
    "train",
)

_MODULES: Final = {
    "Neighbor": "nextvec.predictor",
    "Predicted": "nextvec.predictor",
    "Predictor": "nextvec.predictor",
    "open_predictor": "nextvec.predictor",
    "Run": "nextvec.runs",
    "evaluate": "nextvec.runs",
    "open_run": "nextvec.runs",
    "train": "nextvec.runs",
    "make_corpus": "nextvec.corpora",
    "make_text_corpus": "nextvec.corpora",
    "export_onnx": "nextvec.onnx_export",
}
# Imported when first used: torch takes seconds, and `nextvec --help` needs none of it.


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is asked for
    if name == "NextvecError":
        return import_module("nextvec.training.errors").ProjectError
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
