"""Which layers an image has, and what two images share."""

from __future__ import annotations

from cogn.layers.plan import plan
from cogn.layers.recipe import digest_of
from support.locks import make_lock, make_wheel_entry


def test_large_wheels_have_layers_of_their_own_largest_first() -> None:
    lock = make_lock(
        wheels=(
            make_wheel_entry("cublas", size=400_000_000),
            make_wheel_entry("click", size=100_000),
            make_wheel_entry("torch", size=900_000_000),
            make_wheel_entry("anyio", size=100_000),
        )
    )
    assert [recipe.name for recipe in plan(lock)] == [
        "base",
        "python 3.13.5",
        "server",
        "torch 1.0",
        "cublas 1.0",
        "wheels",
        "system files",
    ]


def test_an_image_has_at_most_100_layers_however_many_wheels() -> None:
    wheels = tuple(make_wheel_entry(f"w{n}", size=10_000_000 + n) for n in range(300))
    assert len(plan(make_lock(wheels=wheels))) + 1 <= 100


def test_models_share_the_layers_of_the_large_wheels_they_share() -> None:
    torch = make_wheel_entry("torch", size=900_000_000)
    one = make_lock(wheels=(torch, make_wheel_entry("click")))
    other = make_lock(wheels=(make_wheel_entry("numpy", size=20_000_000), torch))
    ours, theirs = ({r.name: digest_of(r) for r in plan(lock)} for lock in (one, other))
    shared = {name for name in ours if ours[name] == theirs.get(name)}
    assert shared == {"base", "python 3.13.5", "server", "torch 1.0", "system files"}
