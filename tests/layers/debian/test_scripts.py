"""Following maintainer scripts: the shell language, the programs, and what cannot be followed."""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cogn.layers.debian.deb import DebFile, open_deb
from cogn.layers.debian.listing import list_package
from cogn.layers.debian.scripts.errors import ScriptError, Unfollowed
from cogn.layers.debian.scripts.keystore import keystore
from cogn.layers.debian.scripts.known import known, normalized
from cogn.layers.debian.scripts.pam import pam_files
from cogn.layers.debian.scripts.run import PROGRAMS, follow, in_order
from cogn.layers.debian.scripts.shell import Shell
from cogn.layers.debian.scripts.streams import Output, Streams
from cogn.layers.debian.scripts.system import Installed, System
from cogn.layers.debian.scripts.tree import Tree
from cogn.layers.entry import Bytes, Entry, Kind
from cogn.layers.errors import DebError
from cogn.store.images import Metadata, Rootfs
from support.debian import make_deb, tar_member

PASSWD = b"root:*:0:0:root:/root:/bin/bash\n"
GROUP = b"root:*:0:\nadm:*:4:\n"


def rootfs(**contents: bytes) -> Rootfs:
    """A base image with a few directories and these files, `__` in their names for a slash."""
    files = {path.replace("__", "/"): data for path, data in contents.items()}
    files |= {"etc/passwd": PASSWD, "etc/group": GROUP}
    directories = ("etc", "tmp", "usr", "usr/bin", "var", "var/lib", "var/lib/dpkg", "root")
    return Rootfs(
        directories={path: Metadata() for path in directories},
        links={"bin": "usr/bin"},
        files=frozenset(files),
        contents=files,
    )


def new_system(base: Rootfs | None = None) -> System:
    base = base or rootfs()
    return System(tree=Tree(base), architecture="amd64", installed={}, base=base)


def run(script: str, system: System | None = None, *arguments: str) -> tuple[str, int]:
    """Follow a script on a new system; return what it prints, and its status."""
    printed: list[str] = []
    shell = Shell(system or new_system(), PROGRAMS, list(arguments), {"IFS": " \t\n"})
    status = shell.run(script, Streams(outputs={1: Output(printed.append)}))
    return "".join(printed), status


def text(system: System, path: str) -> str:
    return system.tree.read(path).decode()


LANGUAGE = [
    'a=\'b  c\'; set -- $a "$a" x"$@"; for i; do echo "<$i>"; done',
    "f() { local x=1; echo $x $1; return 3; }; x=2; f y; echo $? $x",
    "set -e; false || echo one; if false; then :; fi; ! true; echo two; false; echo never",
    "x=usr/share/doc; echo ${x##*/} ${x%/*} ${x#*/} ${x%%/*} ${#x} ${y:-none} ${x:+some} ${y-}",
    "case abc in a*) echo 1;; *) echo 2;; esac; case '*' in '*') echo star;; esac",
    "cat <<EOF\n$((1 + 2 * 3)) `echo back` $(echo in) \\$x\nEOF\ncat <<'E'\n$x\nE",
    "printf '%s-%s\\n' a b c; printf '%d\\n' 7; echo -n x; echo y",
    'echo \'a b:c\' | while IFS=: read -r x y; do echo "$y $x"; done; echo "[$y]"',
    "i=0; while [ $i -lt 3 ]; do i=$((i + 1)); [ $i = 2 ] && continue; echo $i; done",
    "for a in 1 2; do for b in 1 2; do [ $b = 2 ] && continue 2; echo $a$b; done; done",
    "(x=1; exit 4); echo $? ${x:-unset}; { echo a; echo b; } | tail -n 1",
    "[ a = a -a ! -n '' ] && echo yes; [ '(' = '(' ] || echo no; test 3 -gt 2 && echo gt",
    "echo hello | sed -e 's/l\\(.\\)/<\\1>/' -e '/x/d'; printf 'a\\nb\\n' | sed -n '/b/p'",
    "printf 'b\\na\\nb\\n' | sort -u | tr '\\n' ,; echo x-y | cut -d- -f2; echo aB | tr A-Z a-z",
    "printf 'one\\ntwo\\n' | grep -v one; echo abc | grep -qx 'a.c' && echo q; echo + | grep -F +",
    "x=$(echo a; exit 3); echo $? $x; y=$(false) || echo failed",
    "trap 'echo bye' EXIT; echo hi; exit 2",
    "set -- a b c; shift; echo $# $1 $*; unset x; echo ${x:-}; set -u; echo ${x:-ok}",
    "expr 7 - 2; expr abc : 'a\\(.\\)'; basename /a/b.c .c; dirname /a/b; seq 2 -1 0",
    "echo a b c | awk '{print $2}'; echo one | grep -E '^(one|two)$'; echo '#'\\# \"\\\\\"",
]


@pytest.mark.parametrize("script", LANGUAGE)
def test_a_script_prints_and_ends_as_under_a_shell(script: str) -> None:
    shell = shutil.which("dash") or "/bin/sh"
    ran = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=False)
    assert run(script) == (ran.stdout, ran.returncode)


@pytest.mark.parametrize(
    "script",
    [
        "/usr/bin/unknown --help",
        "unknown | sh",
        "perl -e 'print 1'",
        "sleep 1 & wait",
        "[ -e /proc/1/environ ]",
        "cat /dev/sda",
        "cat /etc/large",
        "mv /usr/bin /usr/bin2",
        "dpkg --unpack x.deb",
        "dpkg-divert --rename --add /etc/passwd",
        "echo $$",
        "sed -f script file",
        "echo aaaa | grep -E '(a*)*b'",
        "echo x > /missing/x",
        "while :; do :; done",
        "f() { f; }; f",
        "x=aaaaaaaa; while :; do x=$x$x; done",
        "ln /etc/passwd /etc/passwd2",
        "awk 'BEGIN { while (1) ; }'",
        "$(",
        "if true; then",
    ],
)
def test_what_is_not_known_is_never_taken_for_nothing(script: str) -> None:
    base = rootfs(usr__bin__unknown=b"\x7fELF")
    # Of most files of a base image only the names are known.
    system = new_system(
        Rootfs(
            directories=base.directories,
            links=base.links,
            files=base.files | {"etc/large"},
            contents=base.contents,
        )
    )
    with pytest.raises(Unfollowed):
        run(script, system)


def test_a_program_that_is_not_there_is_not_found() -> None:
    assert run("missing || echo $?; command -v missing || echo none") == ("127\nnone\n", 0)


@settings(max_examples=150, deadline=2000)
@given(
    st.one_of(
        st.text(max_size=200),
        st.lists(
            st.sampled_from(
                [
                    *("if", "then", "else", "fi", "while", "do", "done", "case", "in", "esac"),
                    *("$(", ")", "`", '"', "'", "${x", "}", "<<E", "E", "\n", ";", ";;", "|", "&&"),
                    *(
                        "x=1",
                        "echo",
                        "$x",
                        "f()",
                        "{",
                        "(",
                        "[",
                        "]",
                        "-e",
                        "/etc/passwd",
                        "$((",
                        "*",
                    ),
                    *(
                        "sed",
                        "s/a*/b/g",
                        "grep",
                        "read",
                        "set",
                        "-e",
                        "cd",
                        "rm",
                        "-rf",
                        "/",
                        ">",
                        "\\",
                    ),
                ]
            ),
            max_size=40,
        ).map(" ".join),
    )
)
def test_any_text_is_followed_to_an_end_or_not_at_all(script: str) -> None:
    with suppress(Unfollowed, DebError):
        run(script)


SETUP = """\
#!/bin/sh
set -e
if [ "$1" = configure ] && [ -z "$2" ]; then
    mkdir -p -m 750 /var/lib/thing/data
    ln -s ../lib/thing /var/thing
    echo "size = 3" > /etc/thing.conf
    adduser --quiet --system --group --home /var/lib/thing --no-create-home thing
    chown thing:adm /var/lib/thing/data
    cp /etc/thing.conf /etc/other.conf; chmod 600 /etc/other.conf
    sed -i 's/3/4/' /etc/other.conf
    rm -f /etc/none
fi
"""


def test_a_script_makes_files_directories_links_and_accounts() -> None:
    system = new_system()
    assert run(SETUP, system, "configure", "") == ("", 0)
    made = system.tree.made
    assert text(system, "etc/thing.conf") == "size = 3\n"
    assert (text(system, "etc/other.conf"), made["etc/other.conf"].mode) == ("size = 4\n", 0o600)
    assert made["var/thing"].target == "../lib/thing"
    data = made["var/lib/thing/data"]
    uid = system.accounts().uid("thing")
    assert (data.kind, data.mode, data.uid, data.gid) == (Kind.DIRECTORY, 0o750, uid, 4)
    assert text(system, "etc/passwd").startswith(PASSWD.decode())


def test_upgrades_and_other_calls_have_no_effect() -> None:
    script = """
    dpkg-maintscript-helper rm_conffile /etc/passwd 1.0~ -- "$@"
    if [ -n "$2" ] && dpkg --compare-versions "$2" lt-nl 2.0; then rm -rf /usr; fi
    if dpkg --compare-versions "$2" lt-nl 1.2; then reboot; fi
    case "$1" in abort-upgrade|upgrade) reboot;; esac
    if [ -d /run/systemd/system ]; then systemctl restart x; fi
    deb-systemd-helper enable x.service || true
    py3compile -p x
    """
    system = new_system()
    assert run(script, system, "configure", "") == ("", 0)
    assert not system.tree.made


@pytest.mark.parametrize(
    ("relation", "holds"),
    [("1.0 lt 1.0-1", True), ("1:0 gt 9", True), ("1~ ge 1", False), ("1.10 le 1.9", False)],
)
def test_versions_compare_as_dpkg_does(relation: str, holds: bool) -> None:
    left, operator, right = relation.split()
    command = ["dpkg", "--compare-versions", left, operator, right]
    assert run(" ".join(command))[1] == (not holds)
    if shutil.which("dpkg"):
        assert subprocess.run(command, check=False).returncode == (not holds)


def test_diversions_and_overrides_are_on_dpkgs_lists() -> None:
    system = new_system()
    script = """
    dpkg-divert --package x --no-rename --divert /etc/a.real --add /etc/a
    dpkg-divert --truename /etc/a; dpkg-divert --listpackage /etc/a
    dpkg-statoverride --list /etc/passwd || \\
        dpkg-statoverride --update --add root adm 0640 /etc/passwd
    dpkg-statoverride --list /etc/passwd >/dev/null && stat -c '%a %G' /etc/passwd
    """
    assert run(script, system) == ("/etc/a.real\nx\n640 adm\n", 0)
    assert text(system, "var/lib/dpkg/diversions") == "/etc/a\n/etc/a.real\nx\n"
    assert text(system, "var/lib/dpkg/statoverride") == "root adm 640 /etc/passwd\n"


def test_the_chosen_alternative_is_there_for_the_scripts_that_follow() -> None:
    system = new_system(rootfs(usr__bin__one=b"1", usr__bin__two=b"2"))
    script = """
    update-alternatives --install /usr/bin/tool tool /usr/bin/one 10 \\
        --slave /usr/bin/extra extra /usr/bin/one
    readlink /usr/bin/tool /etc/alternatives/tool; command -v tool
    update-alternatives --install /usr/bin/tool tool /usr/bin/two 20
    readlink -f /usr/bin/tool; update-alternatives --list tool; [ -e /usr/bin/extra ] || echo gone
    update-alternatives --install /usr/bin/tool tool /usr/bin/missing 30 || echo none
    """
    assert run(script, system)[0].split() == [
        *("/etc/alternatives/tool", "/usr/bin/one", "/usr/bin/one"),
        *("/usr/bin/two", "/usr/bin/one", "/usr/bin/two", "gone", "none"),
    ]


def test_a_script_of_the_system_is_followed_in_turn() -> None:
    system = new_system(rootfs(usr__bin__helper=b'#!/bin/sh -e\necho "$1"\nfalse\necho never\n'))
    assert run("helper given || echo failed", system) == ("given\nfailed\n", 0)


def test_tmpfiles_are_created_where_a_container_keeps_them() -> None:
    lines = b"d /var/x 0711 root adm -\nf /var/x/f 0600 - - - text\nL /var/l - - - - x\nd /run/x\n"
    system = new_system(rootfs(usr__lib__tmpfiles_d__x_conf=lines))
    system.tree.make_parents("usr/lib/tmpfiles.d/x.conf")
    system.tree.put(Entry.file("usr/lib/tmpfiles.d/x.conf", Bytes(lines)))
    run("systemd-tmpfiles --create x.conf", system)
    made = system.tree.made
    assert (made["var/x"].mode, made["var/x"].gid, made["var/x/f"].mode) == (0o711, 4, 0o600)
    assert made["var/l"].target == "x"
    assert "run/x" not in made


def test_packages_are_configured_after_what_they_depend_on() -> None:
    depends = {"a": ("c",), "b": ("missing",), "c": ("d",), "d": ("c", "b")}
    installed = {
        name: Installed(name=name, version="1", architecture="all", depends=needs)
        for name, needs in depends.items()
    }
    assert in_order(installed) == ["b", "d", "c", "a"]


def debs(directory: Path, *packages: tuple[str, dict[str, str]]) -> list[DebFile]:
    opened = []
    for name, scripts in packages:
        _, file = make_deb(directory, name, scripts=scripts)
        with open_deb(file, name, directory) as package:  # its control files are in memory
            opened.append(package)
    return opened


def system_of(packages: list[DebFile]) -> System:
    installed = {
        name: Installed(name=name, version="1", architecture="amd64")
        for name in (package.fields["Package"] for package in packages)
    }
    return System(tree=Tree(rootfs()), architecture="amd64", installed=installed)


def test_debconf_answers_with_defaults_that_the_config_script_may_set(tmp_path: Path) -> None:
    confmodule = "#!/bin/sh\n. /usr/share/debconf/confmodule\n"
    scripts = {
        "templates": "Template: x/a\nType: string\nDefault: one\n\nTemplate: x/b\nType: string\n",
        "config": f'{confmodule}db_get x/a\ndb_set x/b "$RET and two"\ndb_input low x/b || true\n',
        "postinst": f'{confmodule}db_get x/b\necho "$RET" > /etc/answer\ndb_stop\n',
    }
    packages = debs(tmp_path, ("x", scripts))
    system = system_of(packages)
    follow(packages, system)
    assert text(system, "etc/answer") == "one and two\n"


def test_a_package_may_be_left_unrun(tmp_path: Path) -> None:
    packages = debs(tmp_path, ("x", {"postinst": "#!/usr/bin/perl\nprint 1;\n"}))
    with pytest.raises(ScriptError, match="it is written for `/usr/bin/perl`") as error:
        follow(packages, system_of(packages))
    assert error.value.hint is not None
    assert 'allow_unrun = ["x"]' in error.value.hint
    system = system_of(packages)
    follow(packages, system, unrun=["x"])
    assert not system.tree.made


def test_a_package_that_downloads_says_so(tmp_path: Path) -> None:
    packages = debs(tmp_path, ("ttf-mscorefonts-installer", {"postinst": "#!/bin/sh\n:\n"}))
    with pytest.raises(ScriptError, match="it downloads what it installs"):
        follow(packages, system_of(packages))


def test_what_was_packaged_cannot_be_removed(tmp_path: Path) -> None:
    packages = debs(tmp_path, ("x", {"postinst": "#!/bin/sh\nrm /etc/group\n"}))
    with pytest.raises(ScriptError, match="it removes `/etc/group`"):
        follow(packages, system_of(packages))
    again = debs(tmp_path, ("x", {"postinst": "#!/bin/sh\nrm /etc/group; echo > /etc/group\n"}))
    follow(again, system_of(again))


def test_a_preinst_runs_before_its_own_package_is_there(tmp_path: Path) -> None:
    postinst = "#!/bin/sh\n[ -e /etc/own ]\n"
    preinst = "#!/bin/sh\n[ ! -e /etc/own ] && [ ! -L /etc/link ]\n"
    members = [tar_member("./etc/own", b"x")]
    _, file = make_deb(tmp_path, "x", members, scripts={"preinst": preinst, "postinst": postinst})
    with open_deb(file, "x", tmp_path) as package:
        system = system_of([package])
        items = list_package(package).items.items()
        system.tree.add("x", items, lambda path: b"x")
        follow([package], system)


def test_a_known_script_is_known_by_what_it_does_not_by_its_looks() -> None:
    one = "#!/bin/sh\n# a comment\n\n  echo x86_64-linux-gnu amd64\n# Automatically added by dh_x\n"
    one += "generated\n# End automatically added section\n"
    assert (
        normalized(one) == "echo @TRIPLET@ @ARCH@\n" == normalized("echo aarch64-linux-gnu arm64")
    )
    assert known("locales", "postinst", one) is None


PROFILES = {
    "unix": (
        "Name: Unix\nDefault: yes\nPriority: 256\nAuth-Type: Primary\n"
        "Auth:\n\t[success=end default=ignore]\tpam_unix.so try_first_pass\n"
        "Auth-Initial:\n\t[success=end default=ignore]\tpam_unix.so nullok\n"
    ),
    "other": (
        "Name: Other\nDefault: yes\nPriority: 128\nAuth-Type: Primary\n"
        "Auth:\n\t[success=end default=ignore]\tpam_other.so use_first_pass\n"
    ),
    "off": "Name: Off\nDefault: no\nPriority: 0\nAuth-Type: Additional\nAuth:\n\tx\tpam_off.so\n",
}
TEMPLATE = """\
# here are the per-package modules (the "Primary" block)
$auth_primary
# here's the fallback if no module succeeds
auth\trequisite\tpam_deny.so
# and here are more per-package modules (the "Additional" block)
$auth_additional
# end of pam-auth-update config
"""


def test_pams_common_files_have_the_profiles_that_are_on_by_default() -> None:
    files = pam_files(PROFILES, {"common-auth": TEMPLATE})
    assert files["etc/pam.d/common-auth"].splitlines()[1:4] == [
        "auth\t[success=2 default=ignore]\tpam_unix.so nullok",
        "auth\t[success=1 default=ignore]\tpam_other.so use_first_pass",
        "# here's the fallback if no module succeeds",
    ]
    assert files["var/lib/pam/seen"] == "unix\nother\noff\n"


def test_a_keystore_has_each_certificate_and_guards_itself() -> None:
    stored = keystore({"b": b"two", "a": b"one"})
    assert stored[:12] == bytes.fromhex("feedfeed 00000002 00000002")
    assert [found.start() for found in re.finditer(b"X.509", stored)] == sorted(
        found.start() for found in re.finditer(b"X.509", stored)
    )
    assert stored.index(b"one") < stored.index(b"two")
    assert keystore({"a": b"one", "b": b"two"}) == stored
    assert keystore({"a": b"one", "b": b"two"}, "other")[:-20] == stored[:-20]
