"""Alternatives: links and records are those that update-alternatives makes."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cogn.layers.content import read_all
from cogn.layers.debian.alternatives import Alternative, alternatives
from cogn.layers.entry import Entry, Kind
from cogn.layers.errors import DebError

DATABASE = "var/lib/dpkg/alternatives"


class System:
    """A root that the real tool works on."""

    def __init__(self, root: Path, files: Sequence[str] = ()) -> None:
        self.root = root
        for directory in (DATABASE, "etc/alternatives", "usr/bin", "usr/share", "opt"):
            (root / directory).mkdir(parents=True)
        for file in files:
            (root / file).touch()

    def run(self, *arguments: str) -> bool:
        places = ("--quiet", "--root", str(self.root), "--log", "/dev/null")
        command = ["update-alternatives", *places, *arguments]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def install(self, alternative: Alternative) -> bool:
        new = alternative
        arguments = ["--install", new.link, new.name, new.path, str(new.priority)]
        for slave in new.slaves:
            arguments += ["--slave", *slave]
        assert Alternative.parse(arguments) == alternative
        return self.run(*arguments)

    @property
    def links(self) -> dict[str, str]:
        paths = [path for path in self.root.rglob("*") if path.is_symlink()]
        return {str(path.relative_to(self.root)): str(path.readlink()) for path in paths}

    @property
    def records(self) -> dict[str, bytes]:
        found = (self.root / DATABASE).iterdir()
        return {f"{DATABASE}/{path.name}": path.read_bytes() for path in found}

    def exists(self, path: str) -> bool:
        return (self.root / path).is_file()

    def is_taken(self, path: str) -> bool:
        return (self.root / path).exists() and not (self.root / path).is_symlink()


def state(entries: Sequence[Entry]) -> tuple[dict[str, str], dict[str, bytes]]:
    links = {entry.path: entry.target for entry in entries if entry.kind is Kind.SYMLINK}
    files = {e.path: read_all(e.content) for e in entries if e.kind is Kind.FILE}
    assert len(links) + len(files) == len(entries)
    return links, files


def choice(
    path: str, priority: int, *slaves: tuple[str, str, str], name: str = "awk"
) -> Alternative:
    return Alternative(f"/usr/bin/{name}", name, path, priority, slaves)


def compare(
    root: Path,
    registered: Sequence[Alternative],
    files: Sequence[str],
    base: Sequence[Alternative] = (),
    chosen: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Do the same with the tool and with `alternatives`, on what the tool made of `base`."""
    system = System(root, files)
    for alternative in base:
        system.install(alternative)
    for name, path in (chosen or {}).items():
        system.run("--set", name, path)
    before_links, before_records = system.links, system.records
    try:
        links, records = state(
            list(
                alternatives(
                    registered, system.exists, system.is_taken, before_records, before_links
                )
            )
        )
    except DebError:
        present = [each for each in registered if system.exists(each.path.removeprefix("/"))]
        assert not all(system.install(alternative) for alternative in present)
        return {}
    for alternative in registered:
        is_there = system.exists(alternative.path.removeprefix("/"))
        assert system.install(alternative) == is_there
    assert before_records | records == system.records
    together = before_links | links
    assert together.items() >= system.links.items()
    # No layer can remove what the base has.
    assert together.keys() - system.links.keys() <= before_links.keys()
    return links


PAGE = ("/usr/share/awk.1", "awk.1", "/opt/page")
MISSING = ("/usr/share/nawk.1", "nawk.1", "/opt/missing")


def test_a_choice_brings_its_slaves_as_far_as_they_have_files(tmp_path: Path) -> None:
    links = compare(tmp_path, [choice("/opt/gawk", 10, PAGE, MISSING)], ["opt/gawk", "opt/page"])
    assert links == {
        "etc/alternatives/awk": "/opt/gawk",
        "etc/alternatives/awk.1": "/opt/page",
        "usr/bin/awk": "/etc/alternatives/awk",
        "usr/share/awk.1": "/etc/alternatives/awk.1",
    }


def test_the_first_of_the_highest_priority_wins(tmp_path: Path) -> None:
    registered = [choice("/opt/b", 10, PAGE), choice("/opt/a", 10), choice("/opt/c", -5)]
    files = ["opt/a", "opt/b", "opt/c", "opt/page"]
    assert compare(tmp_path, registered, files)["etc/alternatives/awk"] == "/opt/b"


def test_a_choice_without_its_file_is_none(tmp_path: Path) -> None:
    assert compare(tmp_path, [choice("/opt/left-out", 10)], []) == {}


def test_a_link_takes_no_files_place(tmp_path: Path) -> None:
    links = compare(tmp_path, [choice("/opt/a", 10)], ["opt/a", "usr/bin/awk"])
    assert links == {"etc/alternatives/awk": "/opt/a"}


@pytest.mark.parametrize(("chosen", "leads_to"), [({}, "/opt/new"), ({"awk": "/opt/a"}, "/opt/a")])
def test_a_bases_choice_gives_way_unless_somebody_made_it(
    tmp_path: Path, chosen: dict[str, str], leads_to: str
) -> None:
    files = ["opt/a", "opt/b", "opt/new", "opt/page"]
    base = [choice("/opt/a", 5, PAGE), choice("/opt/b", 7)]
    links = compare(tmp_path, [choice("/opt/new", 9)], files, base, chosen)
    assert links["etc/alternatives/awk"] == leads_to


def test_the_tool_goes_on_with_what_was_written(tmp_path: Path) -> None:
    system = System(tmp_path, ["opt/a", "opt/b", "opt/page"])
    registered = [choice("/opt/a", 5, PAGE), choice("/opt/b", 7)]
    links, records = state(list(alternatives(registered, system.exists)))
    for path, target in links.items():
        (tmp_path / path).symlink_to(target)
    for path, data in records.items():
        (tmp_path / path).write_bytes(data)
    assert system.run("--remove", "awk", "/opt/b")
    assert system.links["etc/alternatives/awk"] == "/opt/a"
    assert system.links["usr/share/awk.1"] == "/etc/alternatives/awk.1"


@pytest.mark.parametrize("record", [b"auto\n/usr/bin/awk\n", b"odd\n\n\n", b"\xff\n/x\n\n\n", b"x"])
def test_a_damaged_record_is_an_error_for_its_group_alone(record: bytes) -> None:
    base = {f"{DATABASE}/awk": record}
    with pytest.raises(DebError, match="record of the alternative `awk` is damaged"):
        list(alternatives([choice("/opt/a", 5)], lambda path: True, contents=base))
    links, _ = state(
        list(alternatives([choice("/opt/e", 5, name="vi")], lambda path: True, contents=base))
    )
    assert links["usr/bin/vi"] == "/etc/alternatives/vi"


@pytest.mark.parametrize(
    "arguments",
    [
        *("", "--remove awk /opt/a", "--install /usr/bin/x x /usr/bin/y"),
        *("--install /usr/bin/x x /y high", "--install /usr/bin/x ../x /y 10"),
        *("--install /usr/bin/x x y 10", "--install /x x /x 10", "--install /x/../y x /y 1"),
        *("--install /x x /y 99999999999", "--install /x x /y 1 --slave /x s /z"),
        *("--install /x x /y 1 --slave /s x /z", "--install /x x /y 1 --slave /s s"),
    ],
)
def test_what_registers_no_alternative_is_an_error(arguments: str) -> None:
    with pytest.raises(DebError, match="registers an alternative that cogn cannot read"):
        Alternative.parse(arguments.split())


groups = st.sampled_from(["a", "b"])
paths = st.sampled_from([f"/opt/{number}" for number in range(4)])
slaves = st.lists(
    st.tuples(
        st.sampled_from([f"/usr/share/{name}" for name in "stu"]),
        st.sampled_from(["s", "t", "b"]),
        st.sampled_from(["/opt/page", "/opt/missing", "/opt/1"]),
    ),
    max_size=2,
    unique_by=(lambda slave: slave[0], lambda slave: slave[1]),
)
registrations = st.builds(
    lambda name, link, path, priority, following: Alternative(
        f"/usr/bin/{link or name}", name, path, priority, tuple(following)
    ),
    groups,
    st.sampled_from(["", "", "", "a", "c"]),
    paths,
    st.integers(-1, 2),
    slaves,
).filter(lambda alternative: alternative.is_valid)
FILES = ["opt/0", "opt/1", "opt/2", "opt/page"]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(registrations, max_size=4),
    st.lists(registrations, min_size=1, max_size=4),
    st.dictionaries(groups, paths, max_size=1),
    st.booleans(),
)
def test_any_registrations_give_what_the_tool_gives(
    base: list[Alternative], new: list[Alternative], chosen: dict[str, str], taken: bool
) -> None:
    links = {(name, link) for each in (*base, *new) for link, name, _ in each.slaves}
    # A slave that moves to another link would take a file's place there: dpkg does not look then.
    assume(not taken or len(links) == len({name for name, _ in links}))
    with TemporaryDirectory() as directory:
        files = [*FILES, "usr/share/s"] if taken else FILES
        compare(Path(directory), new, files, base, chosen)
