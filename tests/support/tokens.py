"""A token service for CNCF distribution: signs who may do what, for one user who may do all.

See distribution's documentation, "Token Authentication Implementation".
"""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qs, urlsplit

from support.certificates import Authority

_ISSUER, _SERVICE = "cogn tests", "a registry"


class TokenService:
    """Gives tokens to the user who knows the password. `authentication` is for the registry."""

    def __init__(self, authority: Authority, user: str, password: str) -> None:
        self._basic = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
        certificate, self._key = authority.issue("tokens")
        der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
        self._header = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        self._trust: Path = authority.certificate

    def __enter__(self) -> Self:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                knows = self.headers.get("Authorization") == outer._basic
                scopes = parse_qs(urlsplit(self.path).query).get("scope", [])
                answer = {"token": outer.token(*" ".join(scopes).split())} if knows else {}
                self.send_response(200 if knows else 401)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.authentication = {
            "token": {
                "realm": f"http://127.0.0.1:{self._server.server_port}/token",
                "service": _SERVICE,
                "issuer": _ISSUER,
                "rootcertbundle": str(self._trust),
            }
        }
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def token(self, *scopes: str) -> str:
        """Return a token for scopes such as ``repository:team/model:pull,push``."""
        claims = {
            "iss": _ISSUER,
            "aud": _SERVICE,
            "sub": "",
            "jti": "1",
            "exp": int(time.time()) + 60,
            "access": [_access(scope.split(":")) for scope in scopes],
        }
        signed = ".".join(_encoded(json.dumps(each).encode()) for each in (self._header, claims))
        signature = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self._key],
            input=signed.encode(),
            capture_output=True,
            check=True,
        ).stdout
        return f"{signed}.{_encoded(signature)}"


def _access(scope: Sequence[str]) -> dict[str, object]:
    kind, name, actions = scope
    return {"type": kind, "name": name, "actions": actions.split(",")}


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
