"""Accounts that packages declare in sysusers.d."""

from __future__ import annotations

import pytest

from cogn.layers.debian.accounts import Accounts, GroupRequest
from cogn.layers.debian.sysusers import sysusers
from cogn.layers.errors import DebError

BASE = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/bash\n",
    "etc/group": b"root:x:0:\naudio:x:29:\n",
    "etc/shadow": b"",
    "etc/gshadow": b"",
}

DECLARED = """\
# a comment
u  sy  -  "Sys User"  /var/lib/sy  /bin/sh
u! ended 321
g  sg  -
m  sy  sg
m  new1 newg
u  shared 400:audio
u  inside -:audio - -
r  -   500-900
u  percent - "100%% %T"
"""


def test_the_files_get_what_systemd_sysusers_writes() -> None:
    # systemd 257 wrote the same lines in the same order, with other automatic ids.
    accounts = Accounts(BASE)
    for request in sysusers(DECLARED, "x.conf"):
        accounts.apply(request)
    files = {path: data.decode() for path, data in accounts.files().items()}
    assert files["etc/passwd"].splitlines()[1:] == [
        "sy:x:939:939:Sys User:/var/lib/sy:/bin/sh",
        "ended:x:321:321::/:/usr/sbin/nologin",
        "shared:x:400:29::/:/usr/sbin/nologin",
        "inside:x:685:29::/:/usr/sbin/nologin",
        "percent:x:504:504:100% /tmp:/:/usr/sbin/nologin",
        "new1:x:507:507::/:/usr/sbin/nologin",
    ]
    assert files["etc/group"].splitlines()[2:] == [
        *("sg:x:739:sy", "newg:x:756:new1", "sy:x:939:"),
        *("ended:x:321:", "percent:x:504:", "new1:x:507:"),
    ]
    assert files["etc/shadow"].splitlines()[:2] == ["sy:!*:3653::::::", "ended:!*:3653:::::1:"]
    assert files["etc/gshadow"].splitlines()[:3] == ["sg:!*::sy", "newg:!*::new1", "sy:!*::"]


def test_an_id_may_come_from_a_file() -> None:
    owners = {"/usr/bin/tool": (7, 8)}
    (group,) = sysusers("g tool /usr/bin/tool", "x.conf", owners)
    (user,) = sysusers("u tool /usr/bin/tool", "x.conf", owners)
    (missing,) = sysusers("g tool /usr/bin/tool", "x.conf")
    assert group == GroupRequest(name="tool", gid=8, lock="!*")
    assert getattr(user, "uid", None) == 7
    assert missing == GroupRequest(name="tool", lock="!*")


@pytest.mark.parametrize(
    "line",
    [
        *("u", "u -", "x name -", "u name 12a", "u name 1:", "u name - 'open", "m user -"),
        *("u name - of%H", "u name - 5%", "g name 1:2", "r name 5", "u a - b c d e", "g n ٣"),
    ],
)
def test_a_line_that_is_none_is_named(line: str) -> None:
    with pytest.raises(DebError, match=r"`a\.conf` has a line 2 that cogn does not understand"):
        sysusers(f"g fine -\n{line}\n", "a.conf")
