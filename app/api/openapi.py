"""The OpenAPI document, written by hand: bodies, examples and every error."""

from importlib.metadata import version
from typing import Any, Final

from app.api.routes.metrics import MAX_KS
from app.api.schemas import SCHEMAS, option_schemas
from app.settings import Settings
from app.wire.problems import (
    BODY_TOO_LARGE,
    DEADLINE_EXCEEDED,
    INTERNAL_ERROR,
    INVALID_CONTEXT,
    INVALID_OPTION,
    MALFORMED_BODY,
    MEDIA_TYPE,
    NOT_APPLICABLE,
    NOT_READY,
    OVERLOADED,
    PROBLEM_TYPES,
    UNKNOWN_DOCUMENT,
    UNKNOWN_ID,
    UNSUPPORTED_MEDIA_TYPE,
    ProblemType,
)
from training.evaluation.pools import POOLS

Json = dict[str, Any]

_PREDICT_ERRORS: Final = (
    MALFORMED_BODY,
    NOT_APPLICABLE,
    BODY_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    INVALID_CONTEXT,
    INVALID_OPTION,
    UNKNOWN_ID,
    UNKNOWN_DOCUMENT,
    INTERNAL_ERROR,
    NOT_READY,
    OVERLOADED,
    DEADLINE_EXCEEDED,
)


def openapi_document(settings: Settings) -> Json:
    """Describe the API, with the limits of these settings."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "nextvec",
            "version": version("nextvec"),
            "description": "Given up to 100 embedding vectors in order, predict the "
            "next one and return the real things nearest to it.",
        },
        "paths": {
            "/predict": {"post": _predict(settings)},
            "/metrics/hitk": {"get": _hitk(settings)},
            "/metrics": {
                "get": _get("metrics", "Metrics for Prometheus", _text("text/plain"))
            },
            "/info": {
                "get": _get(
                    "info",
                    "The live bundle, its card, the limits",
                    _json("Info"),
                    NOT_READY,
                )
            },
            "/livez": {"get": _get("livez", "Is the process alive?", _json("Live"))},
            "/healthz": {"get": _get("healthz", "The same as /livez", _json("Live"))},
            "/readyz": {
                "get": _get(
                    "readyz",
                    "Can it answer, and if not, why?",
                    _json("Ready"),
                    NOT_READY,
                )
            },
            "/": {"get": _get("home", "A page for people", _text("text/html"))},
        },
        "components": {
            "schemas": SCHEMAS
            | {
                "Problem": {
                    "type": "object",
                    "description": "RFC 9457 problem details.",
                    "required": ["type", "title", "status", "detail", "error"],
                    "properties": {
                        "type": {"enum": [kind.uri for kind in PROBLEM_TYPES]},
                        "title": {"type": "string"},
                        "status": {"type": "integer"},
                        "detail": {"type": "string"},
                        "error": {"type": "string"},
                        "request_id": {"type": "string"},
                    },
                }
            }
        },
    }


def _predict(settings: Settings) -> Json:
    options = option_schemas(settings)
    length = {"minItems": 1, "maxItems": settings.max_context}
    vector = {"type": "array", "items": {"type": "number"}, "minItems": 1}
    body = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "context": {
                "type": "array",
                "items": vector,
                **length,
                "description": "Vectors in order, oldest first, any length but 0.",
            },
            "ids": {
                "type": "array",
                "items": {"type": "string"},
                **length,
                "description": "Instead: names of vectors that the index holds.",
            },
            **options,
        },
        "oneOf": [{"required": ["context"]}, {"required": ["ids"]}],
    }
    return {
        "operationId": "predict",
        "summary": "Predict the next vector, and find what is nearest to it",
        "parameters": [
            {
                "name": name,
                "in": "query",
                "schema": schema,
                "description": f"With octets only. {schema['description']}",
            }
            for name, schema in options.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": body,
                    "examples": {
                        "vectors": {"value": {"context": [[0.1, 0.2], [0.3, 0.1]]}},
                        "ids": {"value": {"ids": ["intro:0", "intro:1"], "k": 5}},
                    },
                },
                "application/octet-stream": {
                    "schema": {"type": "string", "format": "binary"},
                    "examples": {
                        "one vector of two numbers": {
                            "value": "\u0000\u0000\u0000?\u0000\u0000\u0000?"
                        }
                    },
                },
            },
        },
        "responses": {
            "200": {
                "description": "The neighbors, best first.",
                "headers": {
                    "Server-Timing": {
                        "description": "Milliseconds in parse, queue, model, search.",
                        "schema": {"type": "string"},
                    }
                },
                "content": _json("Prediction"),
            },
            **_problems(*_PREDICT_ERRORS),
        },
    }


def _hitk(settings: Settings) -> Json:
    several = {"style": "form", "explode": True, "in": "query"}
    k = {"type": "integer", "minimum": 1, "maximum": settings.max_hitk_k}
    return _get(
        "hitk",
        "Validate the live bundle again",
        _json("HitkReport"),
        INVALID_OPTION,
        NOT_READY,
        INTERNAL_ERROR,
    ) | {
        "parameters": [
            {
                "name": "pool",
                "description": "Pools, repeated or with commas; all if none.",
                "schema": {"type": "array", "items": {"enum": list(POOLS)}},
                **several,
            },
            {
                "name": "k",
                "description": f"At most {MAX_KS} cut-offs, repeated or with commas; "
                "1, 5, 10 if none.",
                "schema": {"type": "array", "items": k, "maxItems": MAX_KS},
                **several,
            },
            {
                "name": "refresh",
                "in": "query",
                "description": "Measure again what was measured already.",
                "schema": {"type": "boolean", "default": False},
            },
            {
                "name": "If-None-Match",
                "in": "header",
                "description": "An ETag; answered with 304 if nothing has changed.",
                "schema": {"type": "string"},
            },
        ],
    }


def _get(name: str, summary: str, content: Json, *errors: ProblemType) -> Json:
    responses = {"200": {"description": "OK", "content": content}, **_problems(*errors)}
    if name == "hitk":
        responses["304"] = {"description": "Nothing has changed since that ETag."}
    return {"operationId": name, "summary": summary, "responses": responses}


def _problems(*kinds: ProblemType) -> Json:
    """Describe each status once, with an example of each of its types."""
    responses: Json = {}
    for kind in kinds:
        response = responses.setdefault(
            str(kind.status),
            {
                "description": "",
                "content": {
                    MEDIA_TYPE: {
                        "schema": {"$ref": "#/components/schemas/Problem"},
                        "examples": {},
                    }
                },
            },
        )
        titles = [response["description"], kind.title]
        response["description"] = "; ".join(title for title in titles if title)
        if kind.status == OVERLOADED.status:
            response["headers"] = {
                "Retry-After": {
                    "description": "Seconds to wait.",
                    "schema": {"type": "integer"},
                }
            }
        response["content"][MEDIA_TYPE]["examples"][kind.slug] = {
            "value": {
                "type": kind.uri,
                "title": kind.title,
                "status": kind.status,
                "detail": "what was expected and what came",
                "error": f"{kind.title}: what was expected and what came",
            }
        }
    return responses


def _json(schema: str) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _text(media_type: str) -> Json:
    return {media_type: {"schema": {"type": "string"}}}
