"""The options of `cogn lock` that say which packages move, and to what."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import click

__all__ = ["LockCommand", "Moment", "PackageName"]

_ONLY = "--upgrade-only"


class LockCommand(click.Command):
    """A command with an option ``--upgrade[=NAME]``, whose value has to be attached to it.

    click takes the next word for the value of such an option, which would be the directory.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments, ``--upgrade=NAME`` as another option than ``--upgrade``."""
        begin = "--upgrade="
        spelt = [
            f"{_ONLY}={each[len(begin) :]}" if each.startswith(begin) else each for each in args
        ]
        return super().parse_args(ctx, spelt)


class PackageName(click.ParamType[str]):
    """The name of a Python package, normalised."""

    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the normalised name."""
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", value):
            self.fail(f"`{value}` is not the name of a package", param, ctx)
        return re.sub(r"[-_.]+", "-", value).lower()


class Moment(click.ParamType[str]):
    """A day, which begins at midnight in UTC, or a moment as RFC 3339 writes it."""

    name = "date"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the moment in UTC, as RFC 3339 writes it."""
        try:
            if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
                date.fromisoformat(value)
                return f"{value}T00:00:00Z"
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            self.fail(f"`{value}` is not like `2026-09-01` or `2026-09-01T12:00:00Z`", param, ctx)
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
