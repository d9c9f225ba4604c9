"""The table `registries` of cogn.toml; its mistakes are among the cases of test_configs."""

from __future__ import annotations

from pathlib import Path

from cogn.resolver import Project
from cogn.resolver.settings import read_settings
from cogn.store.registry import RegistryConfiguration

TABLES = """
[registries.localhost]
[registries."r.example:5000/team"]
insecure = true
location = "[::1]:5000/other"
mirrors = ["m.example/cache", "m.example:443"]
[registries."*.example.com"]
insecure = true
"""


def test_it_is_plain_data_that_says_where_registries_answer(tmp_path: Path) -> None:
    path = tmp_path / "cogn.toml"
    assert read_settings(path).registry_tables == {}
    path.write_text(TABLES)
    tables = read_settings(path).registry_tables
    assert tables == {
        "localhost": {},
        "r.example:5000/team": {
            "insecure": True,
            "location": "[::1]:5000/other",
            "mirrors": ["m.example/cache", "m.example:443"],
        },
        "*.example.com": {"insecure": True},
    }
    environ = {"HOME": str(tmp_path)}
    endpoints = RegistryConfiguration.load(tables, environ).endpoints(
        "r.example:5000", "team/model", for_pull=True, by_digest=False
    )
    assert [f"{each.netloc}/{each.repository}" for each in endpoints] == [
        "m.example/cache/model",
        "m.example:443/model",
        "[::1]:5000/other/model",
    ]


def test_it_reaches_assemble_and_does_not_make_a_lock_stale(tmp_path: Path) -> None:
    (tmp_path / "cog.yaml").write_text("run: predict.py:Predictor\n")
    before = Project.load(tmp_path).brief
    (tmp_path / "cogn.toml").write_text(TABLES)
    after = Project.load(tmp_path).brief
    assert after.inputs == before.inputs
    assert after.registries.keys() == {"localhost", "r.example:5000/team", "*.example.com"}
