"""Accounts: the files are those that Debian's tools write, with ids that follow from names."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogn.layers.debian.account_commands import account_requests
from cogn.layers.debian.account_ids import ACCOUNT_IDS
from cogn.layers.debian.accounts import FILES, AccountRequest, Accounts
from cogn.layers.entry import MTIME
from cogn.layers.errors import DebError

MASTERS = {
    "etc/passwd": Path("/usr/share/base-passwd/passwd.master").read_bytes(),
    "etc/group": Path("/usr/share/base-passwd/group.master").read_bytes(),
}
SMALL = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/bash\n",
    "etc/group": b"root:x:0:\nnogroup:x:65534:\naudio:x:29:\nvideo:x:44:ann\n",
}


def run(*commands: str) -> list[AccountRequest]:
    return [request for command in commands for request in account_requests(command.split())]


def applied(
    requests: Iterable[AccountRequest], before: Mapping[str, bytes] = SMALL, *, shadow: bool = False
) -> Accounts:
    accounts = Accounts(before, shadow=shadow)
    for request in requests:
        accounts.apply(request)
    return accounts


def written(
    requests: Iterable[AccountRequest], before: Mapping[str, bytes] = SMALL, *, shadow: bool = False
) -> dict[str, list[str]]:
    """The lines that are new, by the name of the file."""
    accounts = applied(requests, before, shadow=shadow)
    return {
        path.removeprefix("etc/"): [
            line
            for line in data.decode().splitlines()
            if line not in before.get(path, b"").decode().splitlines()
        ]
        for path, data in accounts.files().items()
    }


def test_the_files_are_those_of_pwconv_useradd_and_groupadd(tmp_path: Path) -> None:
    accounts = Accounts(MASTERS, shadow=True)
    for path, data in MASTERS.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    shutil.copy("/etc/login.defs", tmp_path / "etc")
    (tmp_path / "etc/default").mkdir()
    (tmp_path / "etc/default/useradd").write_text("SHELL=/bin/sh\n")  # as Debian ships it
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(MTIME)}

    def shell(*command: str) -> None:
        subprocess.run([command[0], *command[1:]], check=True, env=environment)

    shell("pwconv", "--root", str(tmp_path))
    shell("grpconv", "--root", str(tmp_path))
    uuidd, other = ACCOUNT_IDS["uuidd"], ACCOUNT_IDS["messagebus"]
    for words in (
        ["groupadd", "--system", "--gid", str(ACCOUNT_IDS["crontab"]), "crontab"],
        ["useradd", "-r", "-u", str(uuidd), "-c", "Some body", "-d", "/run/uuidd", "uuidd"],
        ["useradd", "-r", "-u", str(other), "-g", "audio", "-G", "video,crontab", "messagebus"],
        ["useradd", "-r", "-N", "-u", "555", "-s", "/bin/false", "-p", "*", "someone"],
    ):
        for request in account_requests(words):
            accounts.apply(request)
        shell(words[0], "--prefix", str(tmp_path), *words[1:])
    for path in FILES:
        assert accounts.files()[path].decode() == (tmp_path / path).read_text()
    assert accounts.uid("uuidd") == accounts.gid("uuidd") == uuidd


def test_adduser_makes_a_system_user_as_debian_does() -> None:
    # The lines are those that adduser 3.152 writes, but for the ids.
    lines = written(
        run(
            "adduser --quiet --system plain",
            "adduser --system --group --home /var/lib/homey --gecos Gecos homey",
            "adduser --system --ingroup audio --no-create-home --home /x --shell /bin/sh inside",
            "adduser --system --uid 150 --disabled-password numbered",
            "addgroup --system --force-badname _ssh",
            "adduser homey video",
        ),
        shadow=True,
    )
    plain, homey, inside = 891, 638, 685
    assert lines["passwd"] == [
        f"plain:x:{plain}:65534::/nonexistent:/usr/sbin/nologin",
        f"homey:x:{homey}:{homey}:Gecos:/var/lib/homey:/usr/sbin/nologin",
        f"inside:x:{inside}:29::/x:/bin/sh",
        "numbered:x:150:65534::/nonexistent:/usr/sbin/nologin",
    ]
    assert lines["group"] == [
        "video:x:44:ann,homey",
        f"homey:x:{homey}:",
        f"_ssh:x:{ACCOUNT_IDS['_ssh']}:",
    ]
    assert lines["shadow"][1:3] == ["plain:!:3653::::::", "homey:!:3653::::::"]
    assert lines["gshadow"][-3:] == ["video:x::ann,homey", "homey:!::", "_ssh:!::"]


def test_a_home_is_made_for_its_user_alone() -> None:
    accounts = applied(run("adduser --system --home /var/lib/a a", "useradd --system b"))
    homes = [entry for entry in accounts.entries() if entry.path not in FILES]
    owner = (accounts.uid("a"), 65534)
    assert [(home.path, home.mode, (home.uid, home.gid)) for home in homes] == [
        ("var/lib/a", 0o755, owner)
    ]


def test_what_a_base_has_stays_as_it_is() -> None:
    odd = (
        b"root:x:0:0:root:/root:/bin/bash\n# a comment\nbroken:x:no:number:::\n+::::::\n\xff:\n"
        b"messagebus:x:7:7::/:/bin/sh\nother:x:%d:1:::" % ACCOUNT_IDS["polkitd"]
    )
    base = {**SMALL, "etc/passwd": odd}
    assert Accounts(base).files() == {}
    accounts = applied(run("adduser --system messagebus", "adduser --system polkitd"), base)
    assert accounts.uid("messagebus") == 7
    assert accounts.uid("polkitd") == 686  # its own is taken
    line = b"\npolkitd:!:686:65534::/nonexistent:/usr/sbin/nologin\n"
    assert accounts.files() == {"etc/passwd": odd + line}


def test_passwords_go_where_the_base_keeps_them() -> None:
    requests = run("adduser --system a")
    assert written(requests).keys() == {"passwd"}
    base = {**SMALL, "etc/shadow": b"root:*:1:0:99999:7:::\n"}
    assert written(requests, base)["shadow"] == ["a:!:3653::::::"]
    secret = next(e for e in applied(requests, base).entries() if e.path == "etc/shadow")
    assert secret.mode == 0o640


def test_an_id_does_not_depend_on_what_else_is_there() -> None:
    names = [*ACCOUNT_IDS, "unheard-of", "another"]
    alone = {name: applied(run(f"adduser --system {name}")).uid(name) for name in names}
    accounts = applied(run(*(f"adduser --system --group {name}" for name in names[::-1])))
    assert {name: accounts.uid(name) for name in names} == alone
    assert {name: accounts.gid(name) for name in names} == alone


def test_ids_are_those_of_no_other_account() -> None:
    assert len(set(ACCOUNT_IDS.values())) == len(ACCOUNT_IDS)
    assert set(ACCOUNT_IDS.values()) <= set(range(100, 500))
    reserved = {
        line.split(b":")[0].decode() for data in MASTERS.values() for line in data.splitlines()
    }
    assert ACCOUNT_IDS.keys() & reserved <= {"_apt"}
    # As many as there are ids: each gets one, and the next one is told that there is none.
    full = applied(run(*(f"adduser --system n{number}" for number in range(500))))
    assert {full.uid(f"n{number}") for number in range(500)} == set(range(500, 1000))
    with pytest.raises(DebError, match="no id from 500 to 999 is left for the account `more`"):
        full.apply(account_requests(["adduser", "--system", "more"])[0])


@pytest.mark.parametrize(
    "command",
    [
        "adduser somebody",
        "adduser --system",
        "adduser --system --home",
        "addgroup people",
        "useradd person",
        "useradd --system --unheard-of a",
        "usermod --home /x a",
        "userdel a",
        "",
    ],
)
def test_a_command_that_makes_no_system_account_is_not_understood(command: str) -> None:
    with pytest.raises(DebError, match="cogn does not know what the command"):
        account_requests(command.split())


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("adduser --system a:b", "cannot be the name of an account"),
        ("adduser --system --home /x:y a", "would end its field"),
        ("adduser --system --home /../etc a", "the home of `a`"),
        ("adduser --system --ingroup none a", "there is no group `none`"),
        ("adduser --system --gid 4711 a", "needs group 4711"),
        ("adduser --system --uid 0 a", "needs the id 0, which it cannot have"),
        ("adduser nobody-there audio", "there is no user `nobody-there`"),
    ],
)
def test_an_account_that_cannot_be_is_an_error(command: str, message: str) -> None:
    with pytest.raises(DebError, match=message):
        written(run(command))


def test_an_id_that_no_layer_can_have_is_an_error() -> None:
    accounts = Accounts({"etc/group": b"shadow:x:3000000:\n"})
    with pytest.raises(DebError, match="the group `shadow` has the id 3000000"):
        accounts.gid("shadow")


@given(st.dictionaries(st.sampled_from(FILES), st.binary(max_size=60)))
def test_no_base_breaks_the_reading(files: dict[str, bytes]) -> None:
    accounts = Accounts(files, shadow=True)
    accounts.apply(account_requests(["addgroup", "--system", "g"])[0])
    assert accounts.gid("g") >= 0
