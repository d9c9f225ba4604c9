"""File capabilities, against libcap."""

from __future__ import annotations

import ctypes
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cogn.layers.debian.capabilities import CAPABILITIES, file_capabilities
from cogn.layers.errors import DebError

libcap = ctypes.CDLL("libcap.so.2")
libcap.cap_from_text.restype = ctypes.c_void_p
libcap.cap_to_name.restype = ctypes.c_char_p


def libcaps_sets(text: str) -> list[int] | None:
    """The effective, permitted and inheritable capabilities; None when libcap refuses the text."""
    state = libcap.cap_from_text(text.encode())
    if state is None:
        return None
    value = ctypes.c_int()
    sets = [0, 0, 0]
    for number in range(len(CAPABILITIES)):
        for flag in range(3):
            libcap.cap_get_flag(ctypes.c_void_p(state), number, flag, ctypes.byref(value))
            sets[flag] |= value.value << number
    libcap.cap_free(ctypes.c_void_p(state))
    return sets


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # What setcap(8) wrote on ext4.
        ("cap_net_raw+ep", "0100000200200000000000000000000000000000"),
        ("cap_net_raw,cap_sys_admin+ep", "0100000200202000000000000000000000000000"),
        ("cap_perfmon=p cap_kill+i", "0000000200000000200000004000000000000000"),
    ],
)
def test_the_value_is_the_one_that_setcap_writes(text: str, value: str) -> None:
    assert file_capabilities(text).hex() == value


def test_each_capability_has_its_number() -> None:
    for number, name in enumerate(CAPABILITIES):
        pointer = libcap.cap_to_name(number)
        assert pointer == f"cap_{name}".encode()


names = st.sampled_from(
    ["cap_kill", "CAP_CHOWN", "cap_bpf", "cap_net_raw,cap_kill", "all", "x", ""]
)
flags = st.sampled_from(
    ["=", "+", "-", "=ep", "+ep", "-i", "=eip", "+p", "=+ep", "+ei-p", "=e+i-e", "=e=p", "", "=x"]
)
clauses = st.builds("".join, st.tuples(names, flags))


@given(st.lists(clauses, max_size=3).map(" ".join))
@example("=ep cap_kill-e")
@example("cap_kill=ip\tcap_bpf=e+p-e")
def test_a_text_means_what_it_means_to_libcap(text: str) -> None:
    sets = libcaps_sets(text)
    try:
        value = file_capabilities(text)
    except DebError:
        effective, permitted, inheritable = sets or (0, 0, 0)
        assert sets is None or (effective and (permitted | inheritable) & ~effective)
        return
    assert sets is not None
    magic, p_low, i_low, p_high, i_high = struct.unpack("<5I", value)
    assert [p_low | p_high << 32, i_low | i_high << 32] == sets[1:]
    assert magic == 0x02000000 | bool(sets[0])
