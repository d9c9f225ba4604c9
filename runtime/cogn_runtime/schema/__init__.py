"""What a model takes and gives, as data: made from its code, rendered as OpenAPI.

`cogn_runtime.schema.live` makes a `Signature` from the loaded code; it is not imported here,
because it needs `cog`, which only the model's environment has.
"""

from cogn_runtime.schema.errors import SignatureError
from cogn_runtime.schema.openapi import render
from cogn_runtime.schema.signature import MISSING, InputField, Json, Signature
from cogn_runtime.schema.types import (
    AnyObject,
    ListOf,
    MapOf,
    Nullable,
    OneOf,
    Record,
    RecordField,
    Scalar,
    Type,
)
from cogn_runtime.schema.values import Problem, problems

__all__ = [
    "MISSING",
    "AnyObject",
    "InputField",
    "Json",
    "ListOf",
    "MapOf",
    "Nullable",
    "OneOf",
    "Problem",
    "Record",
    "RecordField",
    "Scalar",
    "Signature",
    "SignatureError",
    "Type",
    "problems",
    "render",
]
