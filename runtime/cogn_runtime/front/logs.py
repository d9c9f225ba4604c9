"""What was printed: the logs of a prediction or of `setup()`, and the server's own on stderr."""

from __future__ import annotations

import codecs
import logging
import sys
import time

import msgspec

__all__ = ["LineSplitter", "LogBuffer", "configure", "timestamp"]

_LIMIT_CHARACTERS = 4 * 1024 * 1024
_LONGEST_LINE = 64 * 1024
"""Of what is printed without an end of the line, so much makes a line of the log."""
_CUT = "[earlier output is left out]\n"


class LogBuffer:
    """The text printed during one prediction; of very much text, the end."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._cut = False

    def write(self, text: str) -> None:
        """Add `text` at the end."""
        self._parts.append(text)
        self._length += len(text)
        if self._length > 2 * _LIMIT_CHARACTERS:
            self._parts = ["".join(self._parts)[-_LIMIT_CHARACTERS:]]
            self._length = _LIMIT_CHARACTERS
            self._cut = True

    def text(self) -> str:
        """Return what was written; when its beginning is left out, a line says so."""
        text = "".join(self._parts)
        if self._cut or len(text) > _LIMIT_CHARACTERS:
            return _CUT + text[-_LIMIT_CHARACTERS:]
        return text

    def last_lines(self, count: int) -> str:
        """Return the last `count` lines that are not empty, cut to a readable length."""
        lines = [line[-200:] for line in self.text().splitlines() if line.strip()]
        return "\n".join(lines[-count:])


class LineSplitter:
    """Makes text and lines of bytes that arrive in pieces."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""

    def feed(self, data: bytes) -> tuple[str, list[str]]:
        """Return the text of `data` and the lines it completes."""
        text = self._decoder.decode(data)
        *lines, self._rest = (self._rest + text).split("\n")
        if len(self._rest) > _LONGEST_LINE:
            lines.append(self._rest)
            self._rest = ""
        return text, lines

    def end(self) -> list[str]:
        """Return the line that was begun, if there is one."""
        lines = [self._rest] if self._rest else []
        self._rest = ""
        return lines


def timestamp(seconds: float | None = None) -> str:
    """Return a time since the epoch, now if none is given, as RFC 3339 in UTC."""
    seconds = time.time() if seconds is None else seconds
    whole, fraction = divmod(seconds, 1)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{int(fraction * 1e6):06d}Z"


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "timestamp": timestamp(record.created),
            "severity": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(entry).decode()


def configure(level: str, *, console: bool) -> None:
    """Send all logging to stderr: one JSON object a line, or with `console` for people."""
    handler = logging.StreamHandler(sys.stderr)
    if console:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    else:
        handler.setFormatter(_JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
