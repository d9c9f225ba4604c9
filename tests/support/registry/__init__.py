"""A container registry in this process, for tests: correct, or as wrong as it is told.

.. code-block:: python

    faults = [Fault(Answer(503, retry_after=0), on=Endpoint.UPLOAD_PUT, times=first(2))]
    with FakeRegistry(auth=Bearer("me", "secret"), faults=faults) as registry:
        push_to(registry.host)
        assert registry.repositories["team/model"].tags.keys() == {"1"}
"""

from support.registry.auth import Basic, Bearer
from support.registry.endpoints import Endpoint
from support.registry.exchange import LoggedRequest
from support.registry.fake import FakeRegistry
from support.registry.faults import (
    ALWAYS,
    Answer,
    CutRequest,
    CutResponse,
    Fault,
    Redirect,
    RevokeTokens,
    SetHeader,
    Silence,
    SlowRequest,
    SlowResponse,
    every,
    first,
    nth,
)
from support.registry.manifests import OCI_INDEX, OCI_MANIFEST
from support.registry.quirks import (
    ChunkLimits,
    ClaimBlob,
    Cookies,
    CreatedOnPatch,
    DeclineMount,
    KeepPart,
    Location,
    LoseTail,
    LoseUpload,
    MaxBody,
    MisreportRange,
    NoReferrers,
    RefuseBlob,
    ShareOnReference,
)
from support.registry.store import digest_of

__all__ = [
    "ALWAYS",
    "OCI_INDEX",
    "OCI_MANIFEST",
    "Answer",
    "Basic",
    "Bearer",
    "ChunkLimits",
    "ClaimBlob",
    "Cookies",
    "CreatedOnPatch",
    "CutRequest",
    "CutResponse",
    "DeclineMount",
    "Endpoint",
    "FakeRegistry",
    "Fault",
    "KeepPart",
    "Location",
    "LoggedRequest",
    "LoseTail",
    "LoseUpload",
    "MaxBody",
    "MisreportRange",
    "NoReferrers",
    "Redirect",
    "RefuseBlob",
    "RevokeTokens",
    "SetHeader",
    "ShareOnReference",
    "Silence",
    "SlowRequest",
    "SlowResponse",
    "digest_of",
    "every",
    "first",
    "nth",
]
