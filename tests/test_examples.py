"""The examples' committed locks are of today's tree: `make locks` writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cogn import lockfiles, resolver
from cogn.layers.plan import plan
from cogn.layers.recipe import digest_of
from cogn.store.runtime import runtime_wheel
from support.locks import AMD64

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").iterdir())


@pytest.mark.parametrize("example", EXAMPLES, ids=[path.name for path in EXAMPLES])
def test_a_committed_lock_is_fresh_and_sealed(example: Path) -> None:
    text = (example / "cogn.lock").read_text()
    lock = lockfiles.loads(text)
    assert lockfiles.dumps(lock) == text
    assert not resolver.Project.load(example).brief.is_stale(lock)
    assert lock.environments.keys() == {AMD64}
    locked = lock.environments[AMD64]
    assert runtime_wheel().sha256 in {wheel.sha256 for wheel in locked.server}
    recipes = [digest_of(recipe) for recipe in plan(lock, AMD64)]
    assert [seal.recipe for seal in locked.seals] == recipes
