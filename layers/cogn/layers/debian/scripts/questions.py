"""debconf's questions (debconf-devel(7)), answered as an installation that asks nobody does."""

from __future__ import annotations

from dataclasses import dataclass, field

from debian.deb822 import Deb822

__all__ = ["Question", "Questions"]


@dataclass(slots=True)
class Question:
    """A question that has its template's default until a script sets another value."""

    fields: dict[str, str]
    """Those of its template, by their names in lower case."""
    value: str = ""
    flags: dict[str, str] = field(default_factory=dict)


class Questions:
    """All questions of the packages so far."""

    def __init__(self) -> None:
        self._questions: dict[str, Question] = {}

    def load(self, templates: str) -> None:
        """Add what a package's ``templates`` file has."""
        for stanza in Deb822.iter_paragraphs(templates.splitlines(), use_apt_pkg=False):
            fields = {key.lower(): value for key, value in stanza.items()}
            if name := fields.get("template"):
                self._questions.setdefault(name, Question(fields, fields.get("default", "")))

    def find(self, name: str) -> Question | None:
        """Return a question, None when there is none of that name."""
        return self._questions.get(name)

    def reset(self, name: str) -> None:
        """Give a question its default again."""
        question = self._questions.get(name)
        if question is not None:
            question.value = question.fields.get("default", "")

    def register(self, template: str, name: str) -> bool:
        """Add a question with the template of another; tell whether there is such a one."""
        source = self._questions.get(template)
        if source is not None:
            default = source.fields.get("default", "")
            self._questions.setdefault(name, Question(source.fields, default))
        return source is not None

    def forget(self, name: str) -> None:
        """Remove a question."""
        self._questions.pop(name, None)
