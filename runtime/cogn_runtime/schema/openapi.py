"""The OpenAPI 3.0.2 document of a model, in the shape Cog gives it.

https://spec.openapis.org/oas/v3.0.2; the extensions `x-order`, `x-cog-array-type`,
`x-cog-array-display`, `x-cog-accept`, `x-cog-secret` and `x-cog-streaming` are Cog's.
"""

from __future__ import annotations

from typing import Any

from cogn_runtime.schema.errors import SignatureError
from cogn_runtime.schema.signature import MISSING, InputField, Json, Signature
from cogn_runtime.schema.types import (
    AnyObject,
    ListOf,
    MapOf,
    Nullable,
    OneOf,
    Record,
    Scalar,
    ScalarName,
    Type,
)

__all__ = ["render"]

Object = dict[str, Any]

_SCALARS: dict[ScalarName, Object] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "path": {"type": "string", "format": "uri"},
    "file": {"type": "string", "format": "uri"},
    "secret": {"type": "string", "format": "password", "writeOnly": True, "x-cog-secret": True},
}


def render(predict: Signature | None, *, train: Signature | None = None, version: str) -> Object:
    """Return the OpenAPI document of a model that predicts and, with `train`, trains.

    `version` is that of the software which serves it. Raises SignatureError when an input with
    choices has the name of one of the document's own components.
    """
    schemas: Object = {}
    paths: Object = {
        "/": {"get": _get("Root", "root__get")},
        "/health-check": {"get": _get("Healthcheck", "healthcheck_health_check_get")},
    }
    if predict is not None:
        _describe("Prediction", "predict", "", predict, schemas, paths)
    if train is not None:
        _describe("Training", "train", "Training", train, schemas, paths)
    schemas |= _COMMON_SCHEMAS
    return {
        "openapi": "3.0.2",
        "info": {"title": "Cog", "version": version},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _describe(
    noun: str, verb: str, prefix: str, signature: Signature, schemas: Object, paths: Object
) -> None:
    """Add the schemas and the paths of one kind of run; `prefix` sets their names apart."""
    names = [f"{prefix}Input", f"{prefix}Output", f"{noun}Request", f"{noun}Response"]
    inputs, output, request, response = names
    schemas[inputs] = _inputs(inputs, signature)
    schemas[output] = _output(signature)
    for field in signature.inputs:
        if field.choices is None:
            continue
        enum = _enum(field)
        if field.name in (*names, *_COMMON_SCHEMAS) or schemas.get(field.name, enum) != enum:
            raise SignatureError(
                f"parameter `{field.name}` of {signature.name}",
                "the OpenAPI document has another schema of this name",
                "rename the parameter or leave out its choices",
            )
        schemas[field.name] = enum
    schemas[request] = {
        "title": request,
        "type": "object",
        "properties": {"id": {"title": "Id", "type": "string"}, "input": _reference(inputs)},
    }
    schemas[response] = _response(response, inputs, output)

    path, lower = f"/{noun.lower()}s", noun.lower()
    post: Object = {
        "summary": verb.title(),
        "description": f"Run a single {lower} on the model",
        "operationId": f"{verb}_{lower}s_post",
        "requestBody": {"content": _content(_reference(request))},
        "responses": _responses(_reference(response), validated=True),
    }
    if signature.streaming:
        post["x-cog-streaming"] = True
    paths[path] = {"post": post}
    paths[f"{path}/{{{lower}_id}}/cancel"] = {
        "post": {
            "summary": "Cancel",
            "operationId": f"cancel_{lower}s__{lower}_id__cancel_post",
            "parameters": [
                {
                    "name": f"{lower}_id",
                    "in": "path",
                    "required": True,
                    "schema": {"title": f"{noun} Id", "type": "string"},
                }
            ],
            "responses": _responses({}, validated=True),
        }
    }


def _inputs(name: str, signature: Signature) -> Object:
    schema: Object = {
        "title": name,
        "type": "object",
        "properties": {
            field.name: _input(field, order) for order, field in enumerate(signature.inputs)
        },
    }
    required = [field.name for field in signature.inputs if field.required]
    if required:
        schema["required"] = required
    return schema


def _input(field: InputField, order: int) -> Object:
    schema: Object
    if field.choices is None:
        schema = {**_schema(field.type), "title": _title(field.name)}
    else:
        schema = {"allOf": [_reference(field.name)]}
        if isinstance(field.type, Nullable):
            schema["nullable"] = True
    described = {
        "description": field.description,
        "minimum": _numbers(field.ge),
        "maximum": _numbers(field.le),
        "minLength": field.min_length,
        "maxLength": field.max_length,
        "pattern": field.regex,
        "deprecated": field.deprecated or None,
        "x-cog-accept": field.accept,
    }
    schema |= {key: value for key, value in described.items() if value is not None}
    if field.default is not MISSING:
        schema["default"] = _numbers(field.default)
    schema["x-order"] = order
    return schema


def _enum(field: InputField) -> Object:
    of = field.type.of if isinstance(field.type, Nullable) else field.type
    return {
        "title": field.name,
        "description": "An enumeration.",
        **_schema(of),
        "enum": _numbers(list(field.choices or ())),
    }


def _output(signature: Signature) -> Object:
    schema = _schema(signature.output)
    if signature.output_mode != "value":
        schema = {"type": "array", "items": schema, "x-cog-array-type": "iterator"}
    if signature.output_mode == "concatenate":
        schema["x-cog-array-display"] = "concatenate"
    return {**schema, "title": "Output"}


def _schema(type_: Type) -> Object:
    match type_:
        case Scalar(name):
            return dict(_SCALARS[name])
        case AnyObject():
            return {"type": "object"}
        case ListOf(item):
            return {"type": "array", "items": _schema(item)}
        case MapOf(value):
            return {"type": "object", "additionalProperties": _schema(value)}
        case OneOf(variants):
            return {"anyOf": [_schema(each) for each in variants]}
        case Nullable(OneOf(variants)):
            alternatives = [{**_schema(each), "nullable": True} for each in variants]
            return {"anyOf": alternatives, "nullable": True}
        case Nullable(of):
            return {**_schema(of), "nullable": True}
        case Record(fields):
            record: Object = {
                "type": "object",
                "properties": {
                    each.name: {**_schema(each.type), "title": _title(each.name)} for each in fields
                },
            }
            required = [each.name for each in fields if each.required]
            if required:
                record["required"] = required
            return record


def _title(name: str) -> str:
    return " ".join(word[:1].upper() + word[1:] for word in name.split("_"))


def _numbers(value: Json) -> Json:
    """Return `value` with an int for each float that is one: JSON readers differ on `1.0`."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_numbers(each) for each in value]
        case dict():
            return {key: _numbers(each) for key, each in value.items()}
    return value


def _reference(name: str) -> Object:
    return {"$ref": f"#/components/schemas/{name}"}


def _content(schema: Object) -> Object:
    return {"application/json": {"schema": schema}}


def _responses(schema: Object, *, validated: bool) -> Object:
    responses = {"200": {"description": "Successful Response", "content": _content(schema)}}
    if validated:
        invalid = _content(_reference("HTTPValidationError"))
        responses["422"] = {"description": "Validation Error", "content": invalid}
    return responses


def _get(summary: str, operation: str) -> Object:
    return {
        "summary": summary,
        "operationId": operation,
        "responses": _responses({}, validated=False),
    }


def _response(name: str, inputs: str, output: str) -> Object:
    time = {"type": "string", "format": "date-time"}
    properties: Object = {
        "input": _reference(inputs),
        "output": _reference(output),
        "id": {"type": "string"},
        "version": {"type": "string"},
        "created_at": time,
        "started_at": time,
        "completed_at": time,
        "status": {"type": "string"},
        "error": {"type": "string"},
        "logs": {"type": "string"},
        "metrics": {"type": "object"},
    }
    return {
        "title": name,
        "type": "object",
        "properties": {
            key: value if "$ref" in value else {**value, "title": _title(key)}
            for key, value in properties.items()
        },
    }


_COMMON_SCHEMAS: Object = {
    "Status": {
        "title": "Status",
        "description": "An enumeration.",
        "type": "string",
        "enum": ["starting", "processing", "succeeded", "canceled", "failed"],
    },
    "HTTPValidationError": {
        "title": "HTTPValidationError",
        "type": "object",
        "properties": {
            "detail": {"title": "Detail", "type": "array", "items": _reference("ValidationError")}
        },
    },
    "ValidationError": {
        "title": "ValidationError",
        "type": "object",
        "properties": {
            "loc": {
                "title": "Location",
                "type": "array",
                "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            },
            "msg": {"title": "Message", "type": "string"},
            "type": {"title": "Error Type", "type": "string"},
        },
        "required": ["loc", "msg", "type"],
    },
}
