"""PAM's common configuration (pam-auth-update(8)), put together from the profiles of packages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["pam_files"]

_TYPES = ("auth", "account", "password", "session", "session-noninteractive")
_STEPS = (
    '# here are the per-package modules (the "Primary" block)',
    "# here's the fallback if no module succeeds",
    '# and here are more per-package modules (the "Additional" block)',
    "# end of pam-auth-update config",
)
_STOCK = "[default=1]\t\t\tpam_permit.so"
_FIELD = re.compile(r"([\w-]+):\s*(.*)")
_MODULE = re.compile(r"((?:\[[^\]]+\]|\w+)\s+\S+)\s*(.*)", re.DOTALL)
_NO_PROFILE = re.compile(r".*~|#.+#")


@dataclass(frozen=True, slots=True)
class _Profile:
    name: str
    fields: Mapping[str, str]

    @property
    def priority(self) -> int:
        text = self.fields.get("Priority", "0")
        return int(text) if re.fullmatch(r"\d{1,9}", text) else 0

    def lines(self, kind: str, block: str, *, first: bool) -> list[str] | None:
        """Return the lines for a type of module, None when the profile has none in the block."""
        if self.fields.get(f"{kind}-Type") != block:
            return None
        text = (first and self.fields.get(f"{kind}-Initial")) or self.fields.get(kind, "")
        return [line for line in text.split("\n") if line]


def pam_files(profiles: Mapping[str, str], templates: Mapping[str, str]) -> dict[str, str]:
    """Return the files that enable the profiles which are on by default, by their paths.

    `profiles` are those of ``/usr/share/pam-configs`` by their names, `templates` the files
    ``common-*`` of ``/usr/share/pam``. Both what is below ``/etc/pam.d`` and what pam-auth-update
    remembers of it below ``/var/lib/pam`` is among the files.
    """
    parsed = [
        _Profile(name, _parse(text))
        for name, text in profiles.items()
        if not _NO_PROFILE.fullmatch(name)
    ]
    ordered = sorted(parsed, key=lambda profile: profile.name, reverse=True)
    ordered.sort(key=lambda profile: -profile.priority)
    enabled = [profile for profile in ordered if profile.fields.get("Default") == "yes"]
    for profile in list(enabled):
        conflicts = re.split(r",\s*", profile.fields.get("Conflicts", ""))
        enabled = [each for each in enabled if each.name not in conflicts or profile not in enabled]
    files = {}
    for kind in _TYPES:
        template = templates.get(f"common-{kind}")
        if template is not None and enabled:
            files[f"etc/pam.d/common-{kind}"] = _filled(template, kind, enabled)
            files[f"var/lib/pam/{kind}"] = _remembered(kind, enabled)
    if files:
        files["var/lib/pam/seen"] = "".join(f"{profile.name}\n" for profile in ordered)
    return files


def _parse(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if found := _FIELD.match(line):
            name = found[1]
            fields[name] = found[2]
        elif name and line.strip():
            value = fields[name]
            fields[name] = f"{value}\n{line.strip()}" if value else line.strip()
    if fields.get("Session-Interactive-Only") != "yes":
        for suffix in ("", "-Type", "-Initial"):
            if f"Session{suffix}" in fields:
                fields[f"Session-noninteractive{suffix}"] = fields[f"Session{suffix}"]
    return fields


def _field(kind: str) -> str:
    return kind[0].upper() + kind[1:]


def _blocks(kind: str, block: str, enabled: Sequence[_Profile]) -> list[tuple[str, list[str]]]:
    """Return the profiles that have lines in a block, with their lines."""
    found: list[tuple[str, list[str]]] = []
    for profile in enabled:
        lines = profile.lines(_field(kind), block, first=not found)
        if lines is not None:
            found.append((profile.name, lines))
    return found


def _filled(template: str, kind: str, enabled: Sequence[_Profile]) -> str:
    """Return a template with the lines of the profiles between its marks."""
    word = kind.removesuffix("-noninteractive")
    out: list[str] = []
    step = 0
    for line in template.splitlines():
        reached = step < len(_STEPS) and line.startswith(_STEPS[step])
        if reached or step % 2 == 0:
            out.append(line)
        if not reached:
            continue
        step += 1
        if step % 2:
            block = "Primary" if step == 1 else "Additional"
            lines = [each for _, lines in _blocks(kind, block, enabled) for each in lines]
            # A jump to the end goes over what is left; in the second block it stays inside.
            left = len(lines) - (step != 1)
            if step == 1 and not lines:
                out.append(f"{word}\t{_STOCK}")
            for index, each in enumerate(lines):
                out.append(f"{word}\t{_module(each, left - index)}")
    return "".join(f"{line}\n" for line in out)


def _module(line: str, left: int) -> str:
    found = _MODULE.match(line)
    if found is None:
        return line
    options = " ".join(found[2].split())
    return f"{found[1].replace('end', str(left))} {options}"


def _remembered(kind: str, enabled: Sequence[_Profile]) -> str:
    primary = _blocks(kind, "Primary", enabled)
    lines: list[str] = []
    for name, block in [*(primary or [("null", [_STOCK])]), *_blocks(kind, "Additional", enabled)]:
        if block:
            lines += [f"Module: {name}", *block]
    return "".join(f"{line}\n" for line in lines)
