"""A reporter that remembers what it was told."""

from __future__ import annotations

from cogn.report import Reporter


class Recorder(Reporter):
    """Keeps notes and warnings, these with their hints."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[tuple[str, str | None]] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def warn(self, message: str, *, hint: str | None = None) -> None:
        self.warnings.append((message, hint))
