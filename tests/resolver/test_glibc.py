"""Wheels and the C library of a base."""

from __future__ import annotations

import pytest

from cogn.report import CognError
from cogn.resolver import RequirementsError
from cogn.resolver.glibc import check_glibc
from support.locks import make_deb, make_environment, make_image_base, make_wheel_entry


def test_a_wheel_that_needs_a_newer_glibc_than_the_base_has_is_refused() -> None:
    bases = (
        make_environment().base,  # with glibc 2.41
        make_image_base(interpreter=(make_deb(version="2.39-0ubuntu8"),)),
    )
    tags = ("manylinux_2_41_x86_64", "manylinux_2_17_x86_64.manylinux_2_99_x86_64", "any")
    fine = [make_wheel_entry(f"fine{n}", tag=f"cp313-cp313-{tag}") for n, tag in enumerate(tags)]
    check_glibc(fine, bases[0])
    with pytest.raises(RequirementsError) as refused:
        check_glibc(fine, bases[1])
    assert refused.value.message == ("fine0 1.0 needs glibc 2.41, and the base, trixie, has 2.39")
    newer = [make_wheel_entry(name, tag="cp313-cp313-manylinux_2_42_x86_64") for name in "ab"]
    with pytest.raises(CognError) as several:
        check_glibc(newer, bases[0])
    assert len(several.value.problems) == 2
