"""The lock file as people and git see it."""

from __future__ import annotations

import random
import re
import string
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogn.lockfiles import (
    Asked,
    BuiltFrom,
    Lock,
    LockError,
    LockFormatError,
    LockMissingError,
    StandalonePython,
    dumps,
    loads,
    read,
)
from cogn.report import ProblemsError, Where
from support.locks import (
    AMD64,
    ARM64,
    HEX,
    make_arm_environment,
    make_deb,
    make_environment,
    make_image_base,
    make_lock,
    make_wheel_entry,
)

KEY = 'environments."linux/amd64"'

names = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=12)


@given(st.sets(names, min_size=1, max_size=9), st.text(max_size=40), st.randoms())
def test_a_lock_reads_back_and_its_text_does_not_depend_on_order(
    projects: set[str], reason: str, order: random.Random
) -> None:
    wheels = [make_wheel_entry(name) for name in sorted(projects)]
    base = msgspec.structs.replace(make_environment().base, reason=reason)
    lock = make_lock(wheels=tuple(wheels), base=base)
    text = dumps(lock)
    assert loads(text) == lock
    order.shuffle(wheels)
    assert dumps(make_lock(wheels=tuple(wheels), base=base)) == text


@pytest.mark.parametrize(
    "built", [BuiltFrom(file="sample-1.0.tar.gz", sha256=HEX), BuiltFrom(commit=HEX[:40])]
)
def test_what_a_wheel_was_built_from_reads_back_from_its_line(built: BuiltFrom) -> None:
    lock = make_lock(wheels=(msgspec.structs.replace(make_wheel_entry(), built=built),))
    assert loads(dumps(lock)) == lock
    assert len(dumps(lock).splitlines()) == len(dumps(make_lock()).splitlines())


@pytest.mark.parametrize(
    "built",
    [
        BuiltFrom(),
        BuiltFrom(file="sample-1.0.tar.gz"),
        BuiltFrom(file="a/sample-1.0.tar.gz", sha256=HEX),
        BuiltFrom(commit=HEX[:40], sha256=HEX),
    ],
)
def test_a_wheel_built_from_nothing_that_is_pinned_is_refused(built: BuiltFrom) -> None:
    lock = make_lock(wheels=(msgspec.structs.replace(make_wheel_entry(), built=built),))
    with pytest.raises(LockFormatError) as caught:
        loads(dumps(lock))
    assert str(caught.value) == (
        f"cogn.lock, `{KEY}.wheels[0].built`: "
        "neither the name and the hash of an archive nor a commit"
    )


def test_one_package_more_is_one_line_more() -> None:
    before = dumps(make_lock()).splitlines()
    more = make_lock(wheels=(make_wheel_entry(), make_wheel_entry("torch")))
    after = dumps(more).splitlines()
    (added,) = set(after) - set(before)
    assert added.startswith('    {name = "torch", version = "1.0", ')
    assert set(before) - set(after) == set()


def test_another_platform_is_added_below_and_keeps_every_line() -> None:
    one = make_lock()
    both = with_arm(one)
    text = dumps(both)
    assert text.startswith(dumps(one))
    assert loads(text) == both
    reversed_order = dict(reversed(both.environments.items()))
    assert dumps(msgspec.structs.replace(both, environments=reversed_order)) == text


def test_system_packages_and_what_asked_for_them_read_back() -> None:
    asked = Asked(packages=("ffmpeg", "git=1:2"), recommends=False)
    debs = (make_deb("ffmpeg", source="ffmpeg-source", replaces=("git",)), make_deb("git"))
    lock = make_lock(asked=asked, system=debs, unrun=("ffmpeg",))
    text = dumps(lock)
    assert loads(text) == lock
    assert "asked" not in dumps(make_lock())
    with pytest.raises(LockFormatError, match=r"asked\.packages`: Expected `array` of length >= 1"):
        loads(text.replace('["ffmpeg", "git=1:2"]', "[]"))


@given(st.dictionaries(st.text(min_size=1, max_size=9), st.text(max_size=20), min_size=1))
def test_the_labels_of_a_base_read_back_whatever_they_are(labels: dict[str, str]) -> None:
    lock = make_lock(base=make_image_base(labels=labels))
    assert loads(dumps(lock)) == lock


def test_the_layers_of_a_base_keep_their_order() -> None:
    lock = make_lock(base=make_image_base())
    text = dumps(lock)
    assert 'kind = "image"\nreference = "registry.example.com/team/base:1"\n' in text
    assert loads(text) == lock
    with pytest.raises(LockFormatError, match="Invalid value 'docker'"):
        loads(text.replace('kind = "image"', 'kind = "docker"'))
    stray = make_image_base(interpreter=(make_deb("libc6", archive="x"),))
    text = dumps(make_lock(base=stray))
    with pytest.raises(LockFormatError, match=r"base\.interpreter\[0\]\.archive.*no archive `x`"):
        loads(text)


def test_the_part_about_one_platform_is_a_lock_of_its_own() -> None:
    one = make_lock()
    assert with_arm(one).only(AMD64) == one


def test_seals_are_replaced_for_the_platforms_that_are_named() -> None:
    both = with_arm(make_lock())
    sealed = both.sealed({ARM64: ()})
    assert sealed.environments[AMD64] == both.environments[AMD64]
    assert sealed.environments[ARM64].seals == ()
    assert both.environments[ARM64].seals != ()


def test_a_lock_is_for_some_platform() -> None:
    text = dumps(make_lock()).partition("[environments")[0]
    with pytest.raises(LockFormatError, match="missing required field `environments`"):
        loads(text)
    with pytest.raises(LockFormatError, match="`environments`: Expected `object` of length >= 1"):
        loads(f"{text}[environments]\n")


def test_the_platform_whose_entry_is_wrong_is_named() -> None:
    first, header, second = dumps(with_arm(make_lock())).partition('[environments."linux/arm64"]')
    for old, new, key in (
        ("size = 1000", "size = -1", "wheels[0].size"),
        ('archive = "debian"', 'archive = "d"', "base.debs[0].archive"),
    ):
        with pytest.raises(LockFormatError) as caught:
            loads(first + header + second.replace(old, new, 1))
        assert caught.value.where == Where("cogn.lock", f'environments."linux/arm64".{key}')


def with_arm(lock: Lock) -> Lock:
    environments = lock.environments | {ARM64: make_arm_environment()}
    return msgspec.structs.replace(lock, environments=environments)


def test_no_place_is_in_a_lock() -> None:
    assert not re.search(r"https?:|//|@", dumps(make_lock()))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format = 1", "format = 2", "cogn.lock, `format`: lock format 2 is not 1, the one that"),
        ("format = 1", "", "cogn.lock, `format`: lock format None is not 1, the one that"),
        ("linux/amd64", "windows", "cogn.lock, `environments`: Invalid enum value 'windows'"),
        ("size = 1000", 'size = "1000"', f"cogn.lock, `{KEY}.wheels[0].size`: Expected `int`, got"),
        ("size = 1000", "size = -1", f"cogn.lock, `{KEY}.wheels[0].size`: Expected `int` >= 0"),
        (f'sha256 = "{HEX}"', 'sha256 = "0"', f"`{KEY}.wheels[0].sha256`: Expected `str` match"),
        ('reason = "', 'raison = "', f"`{KEY}.base`: Object contains unknown field `raison`"),
        ("wheels = [", "wheels = [[", "cogn.lock:12: not valid TOML: Unclosed array (at line 12"),
        (f"[{KEY}.base]", f"<<<<<<< ours\n[{KEY}.base]", "the file has merge conflict markers"),
        (
            'archive = "debian"',
            'archive = "d"',
            f"`{KEY}.base.debs[0].archive`: there is no archive `d`",
        ),
        (
            'architecture = "amd64"',
            'architecture = "arm64"',
            f"`{KEY}.base.debs[0].architecture`: `arm64` is not the architecture of linux/amd64",
        ),
        (
            'path = "pool/main/b',
            'path = "pool/../../b',
            f"`{KEY}.base.debs[0].path`: `pool/../../b/bash/bash_2.41-12_amd64.deb` is not a path",
        ),
        (
            'file = "sample-1.0',
            'file = "other-1.0',
            f"`{KEY}.wheels[0].file`: `other-1.0-py3-none-any.whl` is not sample 1.0",
        ),
        ('name = "libc6"', 'name = "bash"', f"`{KEY}.base.debs`: `bash` is there twice"),
    ],
)
def test_a_lock_edited_by_hand_is_refused_with_the_place(old: str, new: str, message: str) -> None:
    text = dumps(make_lock())
    assert old in text
    with pytest.raises(LockFormatError) as caught:
        loads(text.replace(old, new, 1))
    assert message in str(caught.value)
    assert "cogn lock" in (caught.value.hint or "")


def test_an_interpreters_archive_is_of_the_version_and_platform_that_the_lock_names() -> None:
    start = "cpython-3.12.4+20260101-x86_64"
    end = "-unknown-linux-gnu-install_only_stripped.tar.gz"
    python = StandalonePython(
        version="3.12.4", reason="", release="20260101", file=start + end, sha256=HEX
    )
    text = dumps(make_lock(python=python))
    assert loads(text).environments["linux/amd64"].python == python
    other = start.replace("x86_64", "aarch64") + end
    with pytest.raises(LockFormatError) as caught:
        loads(text.replace(start, start.replace("x86_64", "aarch64")))
    assert str(caught.value).endswith(f"`{KEY}.python.file`: `{other}` does not begin `{start}-`")


def test_all_contradictions_are_told_at_once() -> None:
    debs = (make_deb("bash", archive="a"), make_deb("dash", path="/etc/passwd.deb"))
    base = msgspec.structs.replace(make_environment().base, debs=debs)
    with pytest.raises(ProblemsError) as caught:
        loads(dumps(make_lock(base=base)))
    assert [problem.message for problem in caught.value.problems] == [
        "there is no archive `a`",
        "`/etc/passwd.deb` is not a path of an archive",
    ]


@given(st.binary(max_size=300))
def test_any_file_is_a_lock_or_an_error_of_ours(data: bytes) -> None:
    with suppress(LockError):
        loads(data.decode(errors="replace"))


def test_a_missing_lock_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(LockMissingError) as caught:
        read(tmp_path / "cogn.lock")
    assert str(caught.value) == f"there is no `cogn.lock` in `{tmp_path}`"
    assert caught.value.hint == "run `cogn lock` first"


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cogn.lock").write_bytes(b"\xff\xfe")
    with pytest.raises(LockFormatError, match="not UTF-8"):
        read(tmp_path / "cogn.lock")
