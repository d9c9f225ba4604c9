"""What the command line and the environment of `python -m cog.server.http` say."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cogn_runtime.front.webhook import WebhookOptions

__all__ = ["Options", "OptionsError", "read_options"]

_CANCEL_TIMEOUT = 30.0
_STREAM_HISTORY = 1024
_THROTTLE = 0.5
_LOG_LEVELS = {
    "debug": "debug",
    "info": "info",
    "warn": "warning",
    "warning": "warning",
    "error": "error",
}


class OptionsError(Exception):
    """Raised when an environment variable cannot be used."""


@dataclass(frozen=True)
class Options:
    """How to serve. Times are in seconds; without a `setup_timeout` there is no limit."""

    reference: str
    host: str
    port: int
    await_explicit_shutdown: bool
    setup_timeout: float | None
    cancel_timeout: float
    stream_history: int
    """How many events of a prediction are kept for who looks on late."""
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
    if arguments.x_mode == "train":
        parser.error("--x-mode train is not supported yet")
    if arguments.upload_url:
        parser.error("--upload-url is not supported yet: output files are sent as data URLs")
    return Options(
        reference=_reference(environ),
        host=arguments.host,
        port=_port(environ.get("PORT") or "5000"),
        await_explicit_shutdown=arguments.await_explicit_shutdown,
        setup_timeout=_setup_timeout(environ.get("COG_SETUP_TIMEOUT", "")),
        cancel_timeout=_seconds(environ, "COGN_CANCEL_TIMEOUT", _CANCEL_TIMEOUT),
        stream_history=_count(environ, "COG_STREAM_HISTORY_CAPACITY", _STREAM_HISTORY),
        webhooks=WebhookOptions(
            throttle=_seconds(environ, "COG_THROTTLE_RESPONSE_INTERVAL", _THROTTLE),
            token=environ.get("WEBHOOK_AUTH_TOKEN"),
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


def _reference(environ: Mapping[str, str]) -> str:
    reference = environ.get("COG_PREDICT_TYPE_STUB")
    if not reference:
        raise OptionsError("COG_PREDICT_TYPE_STUB is not set; set it to predict.py:Predictor")
    return reference


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


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name, "")
    try:
        seconds = float(text) if text else default
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        raise OptionsError(f"{name} is not a number of seconds: {text!r}")
    return seconds


def _count(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name) or str(default)
    if not text.isdecimal() or len(text) > 9:
        raise OptionsError(f"{name} is not a count: {text!r}")
    return int(text)


def _log_level(environ: Mapping[str, str]) -> str:
    level = environ.get("COG_LOG_LEVEL", "info").lower()
    if level not in _LOG_LEVELS:
        raise OptionsError(f"COG_LOG_LEVEL is {level!r}; it can be {', '.join(_LOG_LEVELS)}")
    return _LOG_LEVELS[level]
