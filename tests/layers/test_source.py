"""The source tree as a layer."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cogn.layers.errors import SourceError
from cogn.layers.source import source_entries
from cogn.report import ProblemsError
from support.layers import write_layer

trees = st.dictionaries(
    st.sampled_from(["a", "b/c", "b/d/e", "ümläut", "with space", "b/run.sh", "z" * 120]),
    st.tuples(st.binary(max_size=50), st.booleans()),
)


@given(trees, st.randoms(), st.integers(0, 2_000_000_000))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_only_names_contents_and_the_owners_right_to_execute_count(
    tmp_path_factory: pytest.TempPathFactory,
    tree: dict[str, tuple[bytes, bool]],
    order: random.Random,
    mtime: int,
) -> None:
    written = []
    for extra_mode in (0o000, 0o066):
        root = tmp_path_factory.mktemp("tree")
        for path, (data, executable) in order.sample(sorted(tree.items()), len(tree)):
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            file.chmod(extra_mode | (0o700 if executable else 0o600))
            os.utime(file, (mtime, mtime))
        written.append(write_layer(source_entries(root)))
    assert written[0] == written[1]
    assert written[0].files() == {
        f"src/{path}": (0o755 if executable else 0o644, data)
        for path, (data, executable) in tree.items()
    }


def test_what_is_no_source_is_left_out(tmp_path: Path) -> None:
    for path in (".git/config", "__pycache__/x.pyc", ".cogn/image/index.json", "cogn.lock"):
        (tmp_path / path).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / path).write_text("")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/oci-layout").write_text("")
    (tmp_path / "vendor/wheels").mkdir(parents=True)
    (tmp_path / "vendor/cogn-vendor.json").write_text("")
    (tmp_path / "predict.py").write_text("")
    assert [entry.path for entry in source_entries(tmp_path)] == ["src", "src/predict.py"]


def paths(root: Path) -> list[str]:
    return [entry.path.removeprefix("src/") for entry in source_entries(root)][1:]


def write(root: Path, *files: str) -> None:
    for path in files:
        (root / path).parent.mkdir(exist_ok=True, parents=True)
        (root / path).write_text("")


def test_what_dockerignore_names_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "cog.yaml", "data/big.bin", "data/small.json", "predict.py", ".env")
    (tmp_path / ".dockerignore").write_text("data\n!data/*.json\ncog.yaml\n.*\n")
    assert paths(tmp_path) == ["data/small.json", "predict.py"]


def test_an_exception_that_names_it_brings_back_what_is_left_out_without_rules(
    tmp_path: Path,
) -> None:
    write(tmp_path, ".git/HEAD", ".git/config", ".venv/x.py", "a/__pycache__/b.pyc", "c.pyc")
    (tmp_path / ".dockerignore").write_text("*\n!**/*.py\n!.git/HEAD\n!c.pyc\n")
    write(tmp_path, "predict.py")
    assert paths(tmp_path) == [".git/HEAD", "c.pyc", "predict.py"]


def test_neither_images_nor_the_lock_can_be_brought_into_the_image(tmp_path: Path) -> None:
    write(tmp_path, ".cogn/image/index.json", "cogn.lock", "out/oci-layout", "predict.py")
    (tmp_path / ".dockerignore").write_text("!.cogn\n!cogn.lock\n!out\n.dockerignore\n")
    assert paths(tmp_path) == ["predict.py"]


def test_what_is_left_out_need_not_be_fit_for_an_image(tmp_path: Path) -> None:
    write(tmp_path, "predict.py", ".wh.gone")
    (tmp_path / "link").symlink_to("/elsewhere")
    (tmp_path / ".dockerignore").write_text("link\n.*\n")
    assert paths(tmp_path) == ["predict.py"]


def test_a_malformed_dockerignore_is_an_error(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("ok\n[\n")
    with pytest.raises(SourceError, match=r"^\.dockerignore:2: "):
        source_entries(tmp_path)
    (tmp_path / ".dockerignore").unlink()
    (tmp_path / ".dockerignore").mkdir()
    with pytest.raises(SourceError, match=r"^\.dockerignore: the file cannot be read: "):
        source_entries(tmp_path)


def test_all_that_cannot_be_packed_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("../outside")
    (tmp_path / "in").symlink_to("sub/../predict.py")
    (tmp_path / "root").symlink_to("/etc/passwd")
    (tmp_path / ".wh.gone").write_text("")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        with pytest.raises(ProblemsError) as caught:
            source_entries(tmp_path)
    assert [problem.message for problem in caught.value.problems] == [
        "`.wh.gone` has a name that container runtimes read as a deletion (`.wh.`)",
        "`out` is a link to `../outside`, outside the source tree",
        "`root` is a link to `/etc/passwd`, outside the source tree",
        "`socket` is neither file, directory nor link",
    ]


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))).write_text("")
    with pytest.raises(SourceError, match="not UTF-8"):
        source_entries(tmp_path)
