"""JSON schemas of what goes in and comes out; used by `app.api.openapi` only."""

from typing import Any, Final

from app.settings import Settings

Json = dict[str, Any]

_NUMBER_OR_NULL: Final = {"type": ["number", "null"]}
_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_BY_K: Final = {
    "type": "object",
    "description": "By cut-off, as a string.",
    "additionalProperties": {"type": "number"},
}
_ESTIMATES: Final = {
    "type": "object",
    "description": "By cut-off, as a string.",
    "additionalProperties": {"$ref": "#/components/schemas/Estimate"},
}


def _all_of(description: str, **properties: Any) -> Json:  # noqa: ANN401 - JSON
    """Return an object schema whose properties are all required."""
    return {
        "type": "object",
        "description": description,
        "required": list(properties),
        "properties": properties,
    }


def option_schemas(settings: Settings) -> Json:
    """Describe the options of `/predict`, with the limits of these settings."""
    names = {"type": "array", "items": _TEXT, "minItems": 1}
    return {
        "k": {
            "type": "integer",
            "minimum": 1,
            "maximum": settings.max_k,
            "default": min(settings.default_k, settings.max_k),
            "description": "Neighbors wanted.",
        },
        "exclude_context": {
            "type": "boolean",
            "description": "Leave out what is in the context. By default as in the "
            "bundle's validation: true, but false for items that return in sequences.",
        },
        "documents": names | {"description": "The only documents to search."},
        "exclude_documents": names | {"description": "Documents not to search."},
        "return_vector": {
            "type": "boolean",
            "default": False,
            "description": "Also return the predicted vector.",
        },
        "return_texts": {
            "type": "boolean",
            "default": True,
            "description": "Also return texts, where there are any.",
        },
    }


_NEIGHBOR: Final = _all_of(
    "A row of the index.",
    id=_TEXT,
    document={"type": ["string", "null"], "description": "null for items."},
    position={"type": ["integer", "null"], "description": "null for items."},
    score={
        "type": "number",
        "description": "Cosine in the searched space, higher is closer.",
    },
)
_NEIGHBOR["properties"]["text"] = _TEXT

_PREDICTION: Final = _all_of(
    "What comes next.",
    neighbors={"type": "array", "items": {"$ref": "#/components/schemas/Neighbor"}},
    num_context=_COUNT,
    bundle=_TEXT,
    model_version=_TEXT,
    index_version=_TEXT,
)
_PREDICTION["properties"]["vector"] = {
    "type": "array",
    "items": {"type": "number"},
    "description": "The prediction in the caller's space, unit length.",
}

SCHEMAS: Final[Json] = {
    "Neighbor": _NEIGHBOR,
    "Prediction": _PREDICTION,
    "Estimate": _all_of(
        "A mean with its 95 % interval; null where the interval has no bound.",
        value={"type": "number"},
        low=_NUMBER_OR_NULL,
        high=_NUMBER_OR_NULL,
    ),
    "HitkPool": _all_of(
        "One pool, measured now; what was recorded stands beside it.",
        pool=_TEXT,
        num_candidates=_COUNT,
        num_windows=_COUNT,
        exact={
            "type": "object",
            "properties": {"hit_at": _ESTIMATES, "mrr_at_10": {"type": "number"}},
        },
        index={
            "type": "object",
            "properties": {
                "hit_at": _ESTIMATES,
                "mrr_at_10": {"type": "number"},
                "hit_context_included": _NUMBER_OR_NULL,
            },
        },
        baseline={
            "type": ["object", "null"],
            "properties": {"name": {"type": ["string", "null"]}, "hit_at": _BY_K},
        },
        lift={
            "type": ["object", "null"],
            "description": "Hit@k less that of the baseline, a fraction.",
        },
        recorded={
            "type": "object",
            "description": "As the run recorded it, on validation and on test.",
            "properties": {
                "validation": {"type": ["object", "null"]},
                "test": {"type": ["object", "null"]},
            },
        },
    ),
    "HitkReport": _all_of(
        "A fresh validation of the live bundle.",
        bundle=_TEXT,
        model_version=_TEXT,
        index_version=_TEXT,
        index_kind=_TEXT,
        corpus=_TEXT,
        part=_TEXT,
        num_windows=_COUNT,
        num_leaked=_COUNT,
        is_clean={"type": "boolean"},
        stride=_COUNT,
        context_excluded={"type": "boolean"},
        k=_COUNT,
        num_unseen=_COUNT,
        mean_cosine=_NUMBER_OR_NULL,
        recorded_mean_cosine=_NUMBER_OR_NULL,
        pools={"type": "array", "items": {"$ref": "#/components/schemas/HitkPool"}},
        readiness={"type": ["object", "null"]},
        measured_at={"type": "string", "format": "date-time"},
        duration_s={"type": "number"},
    ),
    "Live": _all_of("The process answers.", live={"type": "boolean"}),
    "Ready": _all_of("A bundle is live.", ready={"type": "boolean"}, bundle=_TEXT),
    "Info": _all_of(
        "What is live, and what may be asked.",
        name=_TEXT,
        version=_TEXT,
        bundle={"type": "object"},
        card={"type": "object"},
        has_texts={"type": "boolean"},
        limits={"type": "object"},
        threads=_COUNT,
    ),
}
