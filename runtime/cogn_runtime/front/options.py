"""What the command line and the environment of `python -m cog.server.http` say."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cogn_runtime.front.outgoing import AGENT, Outgoing
from cogn_runtime.front.process import Mode
from cogn_runtime.front.restarts import Care
from cogn_runtime.front.webhook import WebhookOptions

__all__ = ["Options", "OptionsError", "read_options"]

_CANCEL_TIMEOUT = 30.0
_TEARDOWN_TIMEOUT = 10.0
_CONNECTIONS = 1000
_READY_FILE = Path("/var/run/cog/ready")
"""What Cog's images have on Kubernetes as soon as the model is ready."""
_REFERENCES: dict[Mode, tuple[str, str]] = {
    "predict": ("COG_PREDICT_TYPE_STUB", "predict.py:Predictor"),
    "train": ("COG_TRAIN_TYPE_STUB", "train.py:train"),
}
_STREAM_HISTORY = 1024
_THROTTLE = 0.5
_LOG_LEVELS = {
    "debug": "debug",
    "info": "info",
    "warn": "warning",
    "warning": "warning",
    "error": "error",
}


_Default = TypeVar("_Default", int, float, None)


class OptionsError(Exception):
    """Raised when an environment variable cannot be used."""


@dataclass(frozen=True)
class Options:
    """How to serve. Times are in seconds."""

    reference: str
    mode: Mode
    host: str
    port: int
    connections: int
    """How many there may be at once."""
    await_explicit_shutdown: bool
    drain_timeout: float | None
    """How long predictions may go on when the server is to end; None is without a limit."""
    care: Care
    queue_size: int
    """How many predictions may wait in line for a slot."""
    stream_history: int
    """How many events of a prediction are kept for who looks on late."""
    outgoing: Outgoing
    upload_url: str | None
    webhooks: WebhookOptions
    log_level: str
    log_console: bool


def read_options(argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> Options:
    """Return the options that `argv`, without the program's name, and `environ` give.

    Raises OptionsError for the environment; exits with status 2 and a message for the arguments,
    as `argparse` does.
    """
    parser = argparse.ArgumentParser(
        prog="python -m cog.server.http", description="Serve the model over HTTP."
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log at level debug")
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")  # noqa: S104
    parser.add_argument(
        "--await-explicit-shutdown",
        type=_boolean,
        default=False,
        metavar="BOOL",
        help="ignore SIGTERM until POST /shutdown",
    )
    parser.add_argument("--x-mode", choices=["predict", "train"], default="predict")
    parser.add_argument("--upload-url", help="where to put output files")
    parser.add_argument("--threads", type=int, help="accepted for compatibility, has no effect")
    arguments = parser.parse_args(argv)
    if arguments.upload_url and not arguments.upload_url.startswith(("http://", "https://")):
        parser.error("--upload-url has to begin with http:// or https://")
    outgoing = Outgoing(
        deny_private=_denies_private(environ), agent=environ.get("COG_USER_AGENT") or AGENT
    )
    return Options(
        reference=_reference(environ, arguments.x_mode),
        mode=arguments.x_mode,
        host=arguments.host,
        port=_port(environ.get("PORT") or "5000"),
        connections=_count(environ, "COGN_MAX_CONNECTIONS", _CONNECTIONS),
        await_explicit_shutdown=arguments.await_explicit_shutdown,
        drain_timeout=_seconds(environ, "COGN_DRAIN_TIMEOUT", None),
        care=Care(
            setup_timeout=_setup_timeout(environ.get("COG_SETUP_TIMEOUT", "")),
            cancel_timeout=_seconds(environ, "COGN_CANCEL_TIMEOUT", _CANCEL_TIMEOUT),
            teardown_timeout=_seconds(environ, "COGN_TEARDOWN_TIMEOUT", _TEARDOWN_TIMEOUT),
            max_restarts=_count(environ, "COGN_MAX_RESTARTS", None),
            ready_file=_READY_FILE if environ.get("KUBERNETES_SERVICE_HOST") else None,
        ),
        queue_size=_count(environ, "COGN_QUEUE_SIZE", 0),
        stream_history=_count(environ, "COG_STREAM_HISTORY_CAPACITY", _STREAM_HISTORY),
        outgoing=outgoing,
        upload_url=arguments.upload_url,
        webhooks=WebhookOptions(
            throttle=_seconds(environ, "COG_THROTTLE_RESPONSE_INTERVAL", _THROTTLE),
            token=environ.get("WEBHOOK_AUTH_TOKEN"),
            outgoing=outgoing,
        ),
        log_level="debug" if arguments.verbose else _log_level(environ),
        log_console=environ.get("LOG_FORMAT") == "console",
    )


def _boolean(text: str) -> bool:
    values = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    try:
        return values[text.lower()]
    except KeyError:
        raise argparse.ArgumentTypeError(f"expected true or false, not {text!r}") from None


def _reference(environ: Mapping[str, str], mode: Mode) -> str:
    name, example = _REFERENCES[mode]
    reference = environ.get(name)
    if not reference:
        hint = f"set it to {example}"
        if mode == "train":
            hint = "the image's cog.yaml has no `train`"
        raise OptionsError(f"{name} is not set; {hint}")
    return reference


def _denies_private(environ: Mapping[str, str]) -> bool:
    text = environ.get("COGN_URL_PRIVATE") or "allow"
    if text not in {"allow", "deny"}:
        raise OptionsError(f"COGN_URL_PRIVATE is {text!r}; it can be allow or deny")
    return text == "deny"


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise OptionsError(f"PORT is not a port number: {text!r}")
    return int(text)


def _setup_timeout(text: str) -> float | None:
    """Return the limit in seconds; as with Cog, zero and what is no number set none."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 < seconds < float("inf") else None


def _seconds(environ: Mapping[str, str], name: str, default: _Default) -> float | _Default:
    text = environ.get(name)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        raise OptionsError(f"{name} is not a number of seconds: {text!r}")
    return seconds


def _count(environ: Mapping[str, str], name: str, default: _Default) -> int | _Default:
    text = environ.get(name)
    if not text:
        return default
    if not text.isdecimal() or len(text) > 9:
        raise OptionsError(f"{name} is not a count: {text!r}")
    return int(text)


def _log_level(environ: Mapping[str, str]) -> str:
    level = environ.get("COG_LOG_LEVEL", "info").lower()
    if level not in _LOG_LEVELS:
        raise OptionsError(f"COG_LOG_LEVEL is {level!r}; it can be {', '.join(_LOG_LEVELS)}")
    return _LOG_LEVELS[level]
