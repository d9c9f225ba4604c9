"""`.dockerignore` as Docker reads it: a table of cases that agree with `docker build`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogn.layers.dockerignore import IgnoreRules, read_patterns
from cogn.layers.errors import SourceError
from cogn.report import ProblemsError

PATHS = [
    ".git/x",
    ".hid",
    "a.b/c",
    "a/b/c.txt",
    "a/b/d.py",
    "a/bb/c",
    "a/x.py",
    "ab/c/d/e.py",
    "b/a",
    "b/c.txt",
    "c.txt",
    "d.py",
    "dir/foo/bar",
    "foo",
    "x[y]",
    "zfoo",
]


def kept(text: str, paths: list[str] = PATHS, *, prune: bool = True) -> list[str]:
    """Return those of `paths` that stay, walking down as far as the rules say it is of use."""
    rules = IgnoreRules(read_patterns(text.encode()))

    def is_kept(path: str) -> bool:
        match = rules.root
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            above = "/".join(parts[:depth])
            match = rules.match(above, match)
            may_change = not prune or rules.may_change_below(above, ignored=True)
            if match.ignored and depth < len(parts) and not may_change:
                return False
        return not match.ignored

    return [path for path in paths if is_kept(path)]


@pytest.mark.parametrize(
    ("text", "paths", "expected"),
    [
        # plain names match at the root alone, and all that is below them
        ("foo", ["foo", "foo/bar", "dir/foo"], ["dir/foo"]),
        ("a/b", ["a/b", "a/b/c", "a/bb", "b"], ["a/bb", "b"]),
        # leading and trailing slashes, dots and spaces mean nothing
        ("/foo", ["foo", "dir/foo"], ["dir/foo"]),
        ("//foo", ["foo", "dir/foo"], ["dir/foo"]),
        ("foo/", ["foo", "foo/bar"], []),
        ("./a//b/../c/", ["a/c", "a/b"], ["a/b"]),
        ("  foo \t", ["foo", "bar"], ["bar"]),
        (".", ["foo", ".hid"], ["foo", ".hid"]),
        ("../foo", ["foo"], ["foo"]),
        ("/", ["foo"], ["foo"]),
        # comments begin in the first column, blank lines are nothing
        ("# foo\n\nbar\r\n", ["foo", "bar", "# foo"], ["foo", "# foo"]),
        (" #foo", ["#foo", "foo"], ["foo"]),
        ("\ufefffoo", ["foo"], []),
        # case counts, on every machine
        ("FOO", ["foo", "FOO"], ["foo"]),
        # `*` and `?` stop at slashes, and match dots
        ("*.py", ["d.py", "a/x.py", ".py"], ["a/x.py"]),
        ("*/*.py", ["d.py", "a/x.py", "a/b/d.py"], ["d.py", "a/b/d.py"]),
        ("*", ["foo", ".hid", "a/x.py"], []),
        (".*", [".hid", ".git/x", "a/.hid", "foo"], ["a/.hid", "foo"]),
        ("?oo", ["foo", "oo", "/oo"], ["oo", "/oo"]),
        # `**` is any number of directories
        ("**/foo", ["foo", "a/foo", "a/b/foo/c", "zfoo"], ["zfoo"]),
        ("**/*.py", ["d.py", "a/x.py", "a/b/d.py", "foo"], ["foo"]),
        ("a/**", ["a", "a/b", "a/b/c", "ab"], ["a", "ab"]),
        ("a/**/c", ["a/c", "a/b/c", "a/b/b/c", "c"], ["c"]),
        ("**", ["foo", "a/b"], []),
        ("**foo", ["foo", "zfoo", "a/zfoo", "fool"], ["fool"]),
        ("**foo*", ["foo", "zfoo", "a/fool"], ["zfoo"]),
        # classes and escapes
        ("[a-c]", ["a", "b", "d"], ["d"]),
        ("[^a-c]", ["a", "b", "d"], ["a", "b"]),
        ("x\\[y\\]", ["x[y]", "xy"], ["xy"]),
        ("[\\]x]", ["]", "x", "\\"], ["\\"]),
        ("a.b+(c)", ["a.b+(c)", "aXb"], ["aXb"]),
        ("é?", ["éü", "é"], ["é"]),
        # the last line that matches decides
        ("*.md\n!README.md", ["x.md", "README.md"], ["README.md"]),
        ("!README.md\n*.md", ["README.md"], []),
        ("*.md\n!README*.md\nREADME-secret.md", ["README.md", "README-secret.md"], ["README.md"]),
        ("! foo\nfoo\n! foo", ["foo"], ["foo"]),
        # exceptions reach into directories that are left out
        ("a\n!a/b", ["a/x", "a/b", "a/b/c"], ["a/b", "a/b/c"]),
        ("*\n!**/*.py", ["d.py", "a/b/d.py", "a/b/c.txt"], ["d.py", "a/b/d.py"]),
        ("**\n!a/b\na/b/c", ["a/b/x", "a/b/c", "foo"], ["a/b/x"]),
        ("a\n!a/*\na/b\n!a/b/c", ["a/x", "a/b/d", "a/b/c"], ["a/x", "a/b/c"]),
    ],
)
def test_what_docker_keeps_is_kept(text: str, paths: list[str], expected: list[str]) -> None:
    assert kept(text, paths) == expected


def test_the_file_that_cogs_init_writes_works() -> None:
    text = (
        "# Exclude Git files\n**/.git\n**/.github\n**/.gitignore\n\n"
        "# Exclude Python cache files\n__pycache__\n.mypy_cache\n\n/venv\n"
    )
    paths = [".git/x", "sub/.git/x", "venv/bin/python", "a/venv/x", "__pycache__/x", "predict.py"]
    assert kept(text, paths) == ["a/venv/x", "predict.py"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("!", "`!` excepts nothing"),
        ("! /", "`! /` excepts nothing"),
        ("a[", "`a[` ends too early"),
        ("[a", "`[a` ends too early"),
        ("a\\", "`a\\` ends too early"),
        ("[]a]", "`[]a]` has a character class that is malformed"),
        ("[x-]", "`[x-]` has a character class that is malformed"),
        ("[-x]", "`[-x]` has a character class that is malformed"),
        ("[Local-Only]", "`[Local-Only]` has a range that runs backwards: `l-O`"),
    ],
)
def test_a_malformed_line_is_named(line: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        read_patterns(f"fine\n{line}\n".encode())
    assert str(caught.value) == f".dockerignore:2: {message}"


def test_all_malformed_lines_are_named_at_once() -> None:
    with pytest.raises(ProblemsError) as caught:
        read_patterns(b"!\nfine\n[\n")
    assert [str(problem.where) for problem in caught.value.problems] == [
        ".dockerignore:1",
        ".dockerignore:3",
    ]


def test_a_file_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(SourceError, match=r"^\.dockerignore: the file is not UTF-8$"):
        read_patterns(b"\xff")


parts = st.sampled_from(["a", "b", "c", "foo", "*", "**", "?", "a*", "*.py", "**foo", "[^a]", ".."])
lines = st.builds(
    lambda mark, pieces, end: mark + "/".join(pieces) + end,
    st.sampled_from(["", "!", "!/"]),
    st.lists(parts, min_size=1, max_size=3),
    st.sampled_from(["", "/"]),
)


@given(st.lists(lines.filter(lambda line: line.strip("!/.") != ""), max_size=6))
def test_not_walking_where_nothing_can_be_excepted_changes_nothing(text: list[str]) -> None:
    content = "\n".join(text)
    try:
        expected = kept(content, prune=False)
    except (SourceError, ProblemsError):  # `!a/..` excepts nothing
        return
    assert kept(content) == expected
