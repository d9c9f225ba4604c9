"""References to a commit of a Git repository, as pip writes them in requirements."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import parse_qs

from cogn.store.found import FoundSource, subdirectory_in
from cogn.store.origins import expand

__all__ = ["GitReference"]

_GIT = re.compile(
    r"git\+(?P<url>[a-z]+://[^#]*?)(?:@(?P<revision>[^@/:#]+))?(?:#(?P<fragment>.*))?",
    re.IGNORECASE,
)
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class GitReference:
    """``git+URL@REVISION#subdirectory=...``; variables in it are not expanded."""

    url: str
    revision: str | None
    subdirectory: str | None
    egg: str | None
    """The package's name, where it is given in the fragment."""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the reference that `text` is, None when it is another thing."""
        match = _GIT.fullmatch(text)
        if match is None:
            return None
        fragment = match["fragment"] or ""
        egg = parse_qs(fragment).get("egg", [None])[0]
        return cls(match["url"], match["revision"], subdirectory_in(fragment), egg)

    @property
    def commit(self) -> str | None:
        """The commit, in full; None when the revision is a branch, a tag or cut short."""
        revision = self.revision or ""
        return revision if _COMMIT.fullmatch(revision) else None

    def source(self, name: str) -> FoundSource:
        """Return the source of the package `name`; raises `UvError` for a variable not set."""
        return FoundSource(
            name=name, url=expand(self.url), commit=self.commit, subdirectory=self.subdirectory
        )
