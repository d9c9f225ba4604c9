"""Package indexes on this machine, and packages that come as source."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import io
import json
import subprocess
import tarfile
from datetime import UTC, datetime
from pathlib import Path

from support.servers import _InThread

BACKEND = """
import os, time, zipfile

def build_wheel(directory, settings=None, metadata=None):
    name, version, tag = "{name}", "{version}", "{tag}"
    info = f"{{name}}-{{version}}.dist-info"
    date = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", "1700000000")))[:6]
    files = {{
        f"{{name}}.py": "{code}",
        f"{{info}}/METADATA": f"Metadata-Version: 2.1\\nName: {{name}}\\nVersion: {{version}}\\n"
        + "".join(f"Requires-Dist: {{each}}\\n" for each in {requires}),
        f"{{info}}/WHEEL": f"Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: {{tag}}\\n",
    }}
    files[f"{{info}}/RECORD"] = "".join(f"{{path}},,\\n" for path in files)
    file = f"{{name}}-{{version}}-{{tag}}.whl"
    with zipfile.ZipFile(os.path.join(directory, file), "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, date), text)
    return file
"""
"""A build backend (PEP 517) that needs nothing but Python."""


def source_files(
    name: str,
    version: str = "1.0",
    *,
    needs: str = "",
    requires: tuple[str, ...] = (),
    tag: str = "py3-none-any",
    code: str = "",
) -> dict[str, str]:
    """Return the files of a project that builds into a small wheel.

    `needs` is a package that building it needs.
    """
    backend = BACKEND.format(name=name, version=version, tag=tag, requires=requires, code=code)
    return {
        "pyproject.toml": "\n".join(
            [
                *("[build-system]", f"requires = {needs.split()}"),
                *('build-backend = "backend"', 'backend-path = ["."]'),
                *("[project]", f'name = "{name}"', f'version = "{version}"'),
                f"dependencies = {list(requires)}\n",
            ]
        ),
        "backend.py": backend,
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
    }


def make_sdist(
    directory: Path,
    name: str,
    version: str = "1.0",
    *,
    requires: tuple[str, ...] = (),
    **changes: str,
) -> Path:
    """Write a source archive (PEP 625); return its path."""
    root = f"{name}-{version}"
    path = directory / f"{root}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for file, text in source_files(name, version, requires=requires, **changes).items():
            entry = tarfile.TarInfo(f"{root}/{file}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path


def make_repository(
    directory: Path, name: str, *, requires: tuple[str, ...] = ()
) -> tuple[str, str]:
    """Make a Git repository of a project below `directory`; return its URL and its commit."""
    repository = directory / name
    repository.mkdir()
    for file, text in source_files(name, requires=requires).items():
        (repository / file).write_text(text)
    git = ("git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@example.com")
    for arguments in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "all")):
        subprocess.run([*git, *arguments], check=True)
    commit = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    return repository.as_uri(), commit


def _file(path: Path) -> dict[str, object]:
    """Return what an index says of a file, whose time is that of its upload."""
    status = path.stat()
    return {
        "filename": path.name,
        "url": path.name,
        "hashes": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
        "size": status.st_size,
        "upload-time": datetime.fromtimestamp(status.st_mtime, UTC).isoformat(),
    }


class Index(_InThread):
    """A simple index (PEP 691) of the directories in `root`, one for each package.

    With `user`, ``name:password``, it asks who is there.
    """

    def __init__(self, root: Path, *, user: str | None = None) -> None:
        self._root = root
        self._user = user
        self.requests: list[str] = []

    def __enter__(self) -> Index:
        outer = self
        wanted = f"Basic {base64.b64encode((self._user or '').encode()).decode()}"

        class Handler(http.server.SimpleHTTPRequestHandler):
            def send_head(self):  # type: ignore[no-untyped-def]  # noqa: ANN202
                outer.requests.append(f"{self.command} {self.path}")
                if outer._user and self.headers.get("Authorization") != wanted:
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="index"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return None
                return super().send_head()

            def list_directory(self, path):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
                files = [_file(each) for each in sorted(Path(path).iterdir()) if each.is_file()]
                page = json.dumps(
                    {"meta": {"api-version": "1.1"}, "name": Path(path).name, "files": files}
                ).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                return io.BytesIO(page)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        handler = functools.partial(Handler, directory=str(self._root))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}/"
        self._start()
        return self
