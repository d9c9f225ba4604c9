"""File capabilities (capabilities(7)): from libcap's text to the attribute that a file carries.

The text is that of cap_from_text(3), which setcap(8) reads; the attribute is `security.capability`
in version 2 of ``linux/capability.h``, without a user namespace.
"""

from __future__ import annotations

import re
import struct

from cogn.layers.errors import DebError

__all__ = ["CAPABILITIES", "XATTR", "file_capabilities"]

XATTR = "security.capability"

CAPABILITIES = (
    *("chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid"),
    *("setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw"),
    *("ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct"),
    *("sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod"),
    *("lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog"),
    *("wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore"),
)
"""The names of all capabilities without ``cap_``; the place of each is its number."""

_BITS = {f"cap_{name}": 1 << number for number, name in enumerate(CAPABILITIES)}
_BITS["all"] = (1 << len(CAPABILITIES)) - 1
_CLAUSE = re.compile(r"([a-z0-9_,]+)(=[eip]*(?:[+-][eip]+)*|(?:[+-][eip]+)+)|(=[eip]*)")
_ACTION = re.compile(r"([=+-])([eip]*)")
_VERSION_2 = 0x02000000
_EFFECTIVE = 0x000001


def file_capabilities(text: str) -> bytes:
    """Return the value of the attribute `XATTR` for a text such as ``cap_net_raw+ep``.

    ``all`` is every one of `CAPABILITIES`, whatever this machine's kernel has. Raises `DebError`
    for a text that setcap(8) would refuse.
    """
    try:
        sets = _parse(text)
    except ValueError:
        raise DebError(f"`{text}` are no capabilities that setcap(8) would read") from None
    effective, permitted, inheritable = sets["e"], sets["p"], sets["i"]
    # On a file "effective" is one bit, for all that it permits.
    if effective and (permitted | inheritable) & ~effective:
        raise DebError(f"a file cannot have the capabilities `{text}`: only some are effective")
    magic = _VERSION_2 | (_EFFECTIVE if effective else 0)
    low = 0xFFFFFFFF
    words = (permitted & low, inheritable & low, permitted >> 32, inheritable >> 32)
    return struct.pack("<5I", magic, *words)


def _parse(text: str) -> dict[str, int]:
    """Return the three sets by their letters, as numbers of bits; raises `ValueError`."""
    sets = {"e": 0, "p": 0, "i": 0}
    for clause in text.split():
        parsed = _CLAUSE.fullmatch(clause.lower())
        if parsed is None:
            raise ValueError
        names, actions, actions_on_all = parsed.groups()
        bits = 0
        for name in (names or "all").split(","):
            if name not in _BITS:
                raise ValueError
            bits |= _BITS[name]
        for sign, letters in _ACTION.findall(actions or actions_on_all):
            for letter in sets:
                if sign == "-" and letter in letters:
                    sets[letter] &= ~bits
                elif letter in letters:
                    sets[letter] |= bits
                elif sign == "=":
                    sets[letter] &= ~bits
    return sets
