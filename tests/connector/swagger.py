"""What a Swagger 2.0 document may hold, as JSON schema: written from the specification, narrowed to what we use.

https://swagger.io/specification/v2/
"""

from typing import Any

_TEXT = {"type": "string"}
_NAMES = {"type": "array", "items": _TEXT, "uniqueItems": True}
_KINDS = {"enum": ["string", "number", "integer", "boolean", "array"]}
_COUNT = {"type": "integer", "minimum": 0}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _object(needed: tuple[str, ...] = (), /, **properties: Any) -> dict[str, Any]:
    """Return the schema of an object that holds these members and extensions, and nothing else."""
    return {
        "type": "object",
        "properties": properties,
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
        "required": list(needed),
    }


_LIMITS = {
    "default": {}, "enum": {"type": "array", "minItems": 1, "uniqueItems": True}, "format": _TEXT,
    "maximum": {"type": "number"}, "minimum": {"type": "number"}, "maxLength": _COUNT, "minLength": _COUNT,
    "maxItems": _COUNT, "minItems": _COUNT, "uniqueItems": {"type": "boolean"},
    "pattern": {"type": "string", "format": "regex"},
}  # fmt: skip
_PARAMETER = {
    "name": {"type": "string", "minLength": 1}, "description": _TEXT, "required": {"type": "boolean"},
}  # fmt: skip
_OPERATION = _object(
    ("responses", "operationId", "summary", "description"),
    operationId=_TEXT, summary=_TEXT, description=_TEXT, tags=_NAMES, consumes=_NAMES, produces=_NAMES,
    parameters={"type": "array", "items": _ref("parameter")}, responses=_ref("responses"),
    deprecated={"type": "boolean"},
)  # fmt: skip

SWAGGER: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **_object(
        ("swagger", "info", "paths"),
        swagger={"const": "2.0"},
        info=_object(("title", "version"), title=_TEXT, version=_TEXT, description=_TEXT),
        host={"type": "string", "pattern": "^[^{}/ :\\\\]+(:[0-9]+)?$"},
        basePath={"type": "string", "pattern": "^/"},
        schemes={"type": "array", "items": {"enum": ["http", "https"]}, "uniqueItems": True},
        consumes=_NAMES,
        produces=_NAMES,
        paths={"type": "object", "patternProperties": {"^/": _ref("path")}, "additionalProperties": False},
        definitions={"type": "object", "additionalProperties": _ref("schema")},
        parameters={"type": "object", "additionalProperties": _ref("parameter")},
        responses={"type": "object", "additionalProperties": _ref("response")},
        securityDefinitions={
            "type": "object",
            "additionalProperties": _object(
                ("type", "name", "in"), type={"const": "apiKey"}, name=_TEXT, **{"in": {"enum": ["header", "query"]}}
            ),
        },
        security={"type": "array", "items": {"type": "object", "additionalProperties": _NAMES}},
        tags={"type": "array"},
    ),
    "$defs": {
        "path": _object(**dict.fromkeys(("get", "put", "post", "delete", "options", "head", "patch"), _OPERATION)),
        "parameter": {
            "oneOf": [
                _object(("name", "in", "schema"), **_PARAMETER, schema=_ref("schema"), **{"in": {"const": "body"}}),
                _object(
                    ("name", "in", "type"), **_PARAMETER, **_LIMITS, type=_KINDS,
                    **{"in": {"enum": ["query", "header"]}},
                ),
                _object(
                    ("name", "in", "type", "required"), **{**_PARAMETER, "required": {"const": True}}, **_LIMITS,
                    type=_KINDS, **{"in": {"const": "path"}},
                ),
            ]
        },
        "responses": {
            "type": "object",
            "minProperties": 1,
            "patternProperties": {"^([0-9]{3}|default)$": _ref("response")},
            "additionalProperties": False,
        },
        "response": _object(
            ("description",),
            description=_TEXT,
            schema=_ref("schema"),
            headers={"type": "object", "additionalProperties": _object(("type",), description=_TEXT, type=_KINDS)},
            examples={"type": "object"},
        ),
        "schema": {
            "anyOf": [
                {
                    "type": "object",
                    "properties": {"$ref": {"type": "string", "pattern": "^#/definitions/\\w+$"}},
                    "required": ["$ref"],
                    "additionalProperties": False,
                },
                _object(
                    **_LIMITS, title=_TEXT, description=_TEXT, required={**_NAMES, "minItems": 1}, example={},
                    type={"enum": ["string", "number", "integer", "boolean", "array", "object"]},
                    items=_ref("schema"),
                    allOf={"type": "array", "items": _ref("schema"), "minItems": 1},
                    properties={"type": "object", "additionalProperties": _ref("schema")},
                    additionalProperties={"anyOf": [_ref("schema"), {"type": "boolean"}]},
                ),
            ]
        },
    },
}  # fmt: skip
