"""dpkg's own list of who waits for which trigger (deb-triggers(5)).

A package that a container installs later then triggers what it should.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cogn.layers.debian.deb import DebFile
from cogn.layers.entry import Bytes, Entry, check_path
from cogn.store.images import Rootfs

__all__ = ["triggers"]

_DIRECTORY = "var/lib/dpkg/triggers"
_INTERESTS = {
    "interest": "",
    "interest-await": "",
    "interest-noawait": "/noawait",
}


def triggers(packages: Sequence[DebFile], base: Rootfs | None) -> Iterator[Entry]:
    """Yield the files that say which packages are interested in what.

    Nothing where the base has such a list: its content is not known.
    """
    if base is not None and base.has(f"{_DIRECTORY}/File"):
        return
    paths: list[str] = []
    named: dict[str, list[str]] = {}
    for package in packages:
        name = package.fields["Package"]
        if package.fields.get("Multi-Arch") == "same":
            name = f"{name}:{package.fields['Architecture']}"
        file = package.files.get("triggers")
        text = "" if file is None else file.data.decode("utf-8", "replace")
        for line in text.splitlines():
            match line.partition("#")[0].split():
                case [directive, trigger] if directive in _INTERESTS:
                    suffix = _INTERESTS[directive]
                    if trigger.startswith("/"):
                        paths.append(f"{trigger} {name}{suffix}\n")
                    elif "/" not in trigger and check_path(trigger) is None:
                        named.setdefault(trigger, []).append(f"{name}{suffix}\n")
    if paths:
        yield Entry.file(f"{_DIRECTORY}/File", Bytes("".join(paths).encode()))
    for trigger, lines in sorted(named.items()):
        yield Entry.file(f"{_DIRECTORY}/{trigger}", Bytes("".join(lines).encode()))
