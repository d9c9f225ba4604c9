"""Compiled schemas, against glib-compile-schemas and gsettings."""

from __future__ import annotations

import html
import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from cogn.layers.debian.glib_schemas import CompiledSchemas, compile_schemas
from cogn.layers.debian.gvariant import VariantError
from cogn.layers.debian.gvariant_text import parse_variant

pytestmark = pytest.mark.glib

Gvdb = dict[str, "bytes | Gvdb | list[str]"]


def read_gvdb(data: bytes) -> Gvdb:
    """Return the tables of a file; looks each entry up by its hash, as GLib does."""
    signature, version, start, end = struct.unpack_from("<8sQII", data)
    assert (signature, version) == (b"GVariant", 0)
    return read_table(data, start, end)


def read_table(data: bytes, start: int, end: int) -> Gvdb:
    bloom, buckets = struct.unpack_from("<II", data, start)
    first = start + 8 + 4 * ((bloom & 0x7FFFFFF) + buckets)
    starts = struct.unpack_from(f"<{buckets}I", data, first - 4 * buckets)
    items = list(struct.iter_unpack("<IIIHBxII", data[first:end]))
    names = [data[at : at + size].decode() for _, _, at, size, *_ in items]
    table: Gvdb = {}
    for index, (value, parent, _, _, kind, low, high) in enumerate(items):
        name = names[index]
        number = 5381
        for byte in name.encode():
            number = (number * 33 + byte) & 0xFFFFFFFF
        bucket = number % buckets
        following = [*starts, len(items)][bucket + 1]
        assert value == number
        assert starts[bucket] <= index < following
        assert parent == 0xFFFFFFFF or names[parent] == ""
        if kind == ord("L"):
            children = struct.unpack(f"<{(high - low) // 4}I", data[low:high])
            table[name] = [names[child] for child in children]
        else:
            table[name] = read_table(data, low, high) if kind == ord("H") else data[low:high]
    return table


def compile_both(directory: Path) -> CompiledSchemas:
    """Compile a directory with the real program and here; both must say the same."""
    subprocess.run(["glib-compile-schemas", str(directory)], check=True, capture_output=True)
    theirs = (directory / "gschemas.compiled").read_bytes()
    names = sorted(path for path in directory.iterdir() if path.suffix in {".xml", ".override"})
    ours = compile_schemas({path.name: path.read_bytes() for path in names})
    assert read_gvdb(ours.data) == read_gvdb(theirs)
    (directory / "gschemas.compiled").write_bytes(ours.data)
    return ours


def listed(directory: Path) -> str:
    command = ["gsettings", "--schemadir", str(directory), "list-recursively"]
    environment = {"PATH": "/usr/bin", "GSETTINGS_BACKEND": "memory", "LC_ALL": "C.UTF-8"}
    environment["GSETTINGS_SCHEMA_DIR"] = environment["XDG_DATA_DIRS"] = str(directory)
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment
    ).stdout


def schemas(*elements: str) -> bytes:
    return f"<schemalist gettext-domain='app'>{''.join(elements)}</schemalist>".encode()


def schema(*keys: str, name: str = "org.test", more: str = "") -> str:
    return f"<schema id='{name}' path='/{name}/' {more}>{''.join(keys)}</schema>"


def key(default: str, type_: str, name: str = "key", inside: str = "") -> str:
    text = html.escape(default, quote=False)
    return f"<key name='{name}' type='{type_}'><default>{text}</default>{inside}</key>"


VALUES = [
    *(("1", "i"), ("-5", "n"), ("0xfF", "y"), ("010", "u"), ("+7", "x"), ("4294967295", "u")),
    *(("1.5", "d"), ("1", "d"), ("-inf", "d"), (".5e3", "d"), ("true", "b"), ("false", "b")),
    *(("'it'", "s"), ('"a\\n\\u00e4\\\'\\U0001F600"', "s"), ("'ü'", "s"), (" '' \n", "s")),
    *(("'/a/b_1'", "o"), ("'a{sv}(ii)'", "g"), ("b'ab\\377\\n'", "ay"), ("[byte 1, 2]", "ay")),
    *(("[]", "as"), ("['a', 'bcd', '']", "as"), ("@as []", "as"), ("[['a'], [], ['b']]", "aas")),
    *((f"'{'x' * 300}'", "s"), (str(["y" * 100] * 4), "as"), (str(["z" * 70_000] * 2), "as")),
    *(("()", "()"), ("('a', 1, 'x', 2.0)", "(sisd)"), ("(1,)", "(i)"), ("(byte 1, 2.0)", "(yd)")),
    *(("[(1, true), (2, false)]", "a(ib)"), ("[('a', 1), ('bb', 2)]", "a(si)")),
    *(("{'a': <1>, 'b': <'x'>}", "a{sv}"), ("{}", "a{sv}"), ("{1, 'x'}", "{is}")),
    *(("nothing", "ms"), ("'x'", "ms"), ("just 5", "mi"), ("5", "mmi"), ("just nothing", "mmi")),
    *(("<uint32 5>", "v"), ("<[1, 2.5]>", "v"), ("<[just 'a', 'b']>", "v"), ("<@as []>", "v")),
    *(("<[('xkb', 'us')]>", "v"), ("<{'a': <[nothing, 1]>}>", "v"), ("<[{1, 2}]>", "v")),
    *(("<[[], [1]]>", "v"), ("<objectpath '/'>", "v"), ("<b'x'>", "v"), ("[<1>, <2>]", "av")),
    *(("<(true, int64 1, 'a')>", "v"), ("<['/a', objectpath '/b']>", "v"), ("int64 5", "i")),
]
FAULTY = [
    *(("", "s"), ("'", "s"), ("300", "y"), ("09", "u"), ("1_0", "i"), ("1.5", "i"), ("tru", "b")),
    *(("1 2", "i"), ("[1,]", "ai"), ("[1, 2", "ai"), ("(1)", "(i)"), ("{'a': 1,}", "a{si}")),
    *(("<[]>", "v"), ("<nothing>", "v"), ("<[1, 'a']>", "v"), ("'a'", "o"), ("'zz'", "g")),
    *(("'\\u0000'", "s"), ("@N 5", "i"), ("@ 5", "i"), ("[" * 500, "ai"), ("1", "zz"), ("1", "")),
    *(("<[(1, 2), (1, 2, 3)]>", "v"), ("{'a': 1}", "ai"), ("INF", "d"), ("$", "s")),
]


def test_values_are_written_as_glib_writes_them(tmp_path: Path) -> None:
    keys = [key(text, type_, f"key{number}") for number, (text, type_) in enumerate(VALUES)]
    (tmp_path / "values.gschema.xml").write_bytes(schemas(schema(*keys)))
    assert compile_both(tmp_path).ignored == {}


def test_what_glib_does_not_read_as_a_value_is_none(tmp_path: Path) -> None:
    for number, (text, type_) in enumerate(FAULTY):
        with pytest.raises(VariantError):
            parse_variant(text, type_)
        name = f"org.test{number}"
        (tmp_path / f"{number}.gschema.xml").write_bytes(
            schemas(schema(key(text, type_), name=name))
        )
    assert len(compile_both(tmp_path).ignored) == len(FAULTY)


COLOURS = (
    "<enum id='Colour'><value nick='red' value='-1'/><value nick='green' value='0x10'/></enum>"
)
PARTS = """<flags id='Parts'><value nick='none' value='0'/><value nick='one' value='1'/>
<value nick='thirty-second' value='2147483648'/></flags>"""
CHOICES = "<choices><choice value='a'/><choice value='bcdefgh'/></choices>"


def test_schemas_are_compiled_as_glib_compiles_them(tmp_path: Path) -> None:
    files = {
        "org.enums.xml": schemas(COLOURS, PARTS),
        "org.app.gschema.xml": schemas(
            "<!-- a comment -->",
            schema(
                key("5", "i", inside="<range min='-5' max='10'/><summary>Five</summary>"),
                key("0.5", "d", "half", "<range max='1'/><description>A half</description>"),
                key("'a'", "s", "choice", CHOICES),
                key("['a', 'a']", "as", "choices", CHOICES),
                key("nothing", "ms", "maybe", CHOICES),
                "<key name='colour' enum='Colour'><default>'red'</default>"
                "<aliases><alias value='crimson' target='red'/></aliases></key>",
                "<key name='other-colour' enum='Colour'><default>'green'</default></key>",
                "<key name='parts' flags='Parts'><default>['one']</default></key>",
                "<key name='hello' type='s'><default l10n='messages' context='ctx'>\n 'Hello' \n"
                "</default></key>",
                "<key name='hour' type='i'><default l10n='time'>24<!-- h -->\n</default></key>",
                "<child name='window' schema='org.window'/>",
            ),
            "<schema id='org.window' gettext-domain='w'>" + key("1", "i", "size") + "</schema>",
            "<schema id='org.big' extends='org.window'>"
            "<override name='size'>9</override>" + key("2", "i", "depth") + "</schema>",
            "<schema id='org.list' list-of='org.window' path='/org/list:/'/>",
            "<schema id='org.empty'/>",
        ),
        "10_site.gschema.override": b"# site\n[org.test]\nkey = 7 \ncolour='green'\nhalf=2\n"
        b"nokey=1\n\n[org.none]\nx=1\n[org.test:GNOME]\nkey=8\nhello='x'\n[org.big]\ndepth='x'\n",
        "20_more.gschema.override": b"[org.test]\nkey=6\n[org.window]\nsize=3\n",
        "30_bad.gschema.override": b"key=6\n",
        "README": b"no schema",
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    ours = compile_both(tmp_path)
    assert ours.ignored == {
        "10_site.gschema.override": "`half` in `org.test`: a value is not in its range; "
        "there is no key `nokey` in `org.test` to override; "
        "there is no key `hello` in `org.test:GNOME` to override; "
        "`depth` in `org.big`: a string is not a value of type `i`",
        "30_bad.gschema.override": "its line 1 is neither a group nor a key of one",
    }
    settings = listed(tmp_path).splitlines()
    assert {"org.test key 6", "org.test colour 'green'", "org.test hello 'Hello'"} <= set(settings)


ODD = [
    "<schemalist>",
    "<schema/>",
    "<!DOCTYPE x [<!ENTITY a 'b'>]><schemalist/>",
    "text",
    *(
        f"<schemalist>{COLOURS}{element}</schemalist>"
        for element in [
            "text",
            "<key/>",
            "<schema/>",
            "<schema id='a' colour='b'/>",
            "<schema id='a'/><schema id='a'/>",
            "<schema id='a' extends='none'/>",
            "<schema id='a' path='/a'/>",
            "<schema id='a' path='/a/'/><schema id='b' extends='a'/>",
            "<schema id='a'/><schema id='b' list-of='a' path='/b/'/>",
            "<schema id='a'><override name='b'>1</override></schema>",
            "<schema id='a'><child name='b'/></schema>",
            "<schema id='a'><child name='b' schema='x'/><child name='b' schema='x'/></schema>",
            COLOURS,
            "<enum id='e'/>",
            "<enum id='e'><value nick='x' value='1'/></enum>",
            "<enum id='e'><value nick='xx' value='1'/><value nick='yy' value='1'/></enum>",
            "<enum id='e'><value nick='xx' value='4294967296'/></enum>",
            "<flags id='e'><value nick='xx' value='3'/></flags>",
        ]
    ),
    *(
        f"<schemalist>{COLOURS}<schema id='a'>{element}</schema></schemalist>"
        for element in [
            "<key name='b'/>",
            "<key name='b' type='i'/>",
            "<key name='b' type='i' enum='Colour'><default>1</default></key>",
            "<key name='b' enum='None'><default>'x'</default></key>",
            "<key name='b' enum='Colour'><default>'blue'</default></key>",
            "<key name='b' type='s'><default l10n='messages'>'x'</default></key>",
            "<key name='b' type='s'><default context='messages'>'x'</default></key>",
            "<key name='b' type='s'><default><b/>'x'</default></key>",
            key("1", "i", "B"),
            key("1", "i", "b--c"),
            key("1", "i", "b-"),
            key("1", "i") * 2,
            key("1", "s"),
            key("9", "i", inside="<range max='8'/>"),
            key("9", "i", inside="<range min='9' max='8'/>"),
            key("'a'", "s", inside="<range/>"),
            key("'z'", "s", inside=CHOICES),
            key("1", "i", inside=CHOICES),
            key("'a'", "s", inside="<choices/>"),
            key("'a'", "s", inside=f"{CHOICES}<aliases><alias value='c' target='d'/></aliases>"),
            key("'a'", "s", inside=f"{CHOICES}<aliases><alias value='a' target='a'/></aliases>"),
        ]
    ),
]


def test_a_file_with_an_error_is_left_out_as_glib_leaves_it_out(tmp_path: Path) -> None:
    for number, text in enumerate(ODD):
        directory = tmp_path / str(number)
        directory.mkdir()
        (directory / "a.gschema.xml").write_text(text)
        (directory / "b.gschema.xml").write_bytes(schemas(COLOURS, schema(key("1", "i"))))
        assert list(compile_both(directory).ignored) == ["a.gschema.xml"], text


def test_the_schemas_of_this_machine_are_compiled_as_glib_compiles_them(tmp_path: Path) -> None:
    for path in Path("/usr/share/glib-2.0/schemas").glob("*.xml"):
        shutil.copy(path, tmp_path)
    (tmp_path / "one.gschema.xml").write_bytes(schemas(schema(key("1", "i"))))
    assert compile_both(tmp_path).ignored == {}


def test_damaged_files_are_left_out() -> None:
    chance = random.Random(3)
    good = schemas(COLOURS, schema(key("[('a', 1)]", "a(si)"), key("'a'", "s", "b", CHOICES)))
    for _ in range(500):
        damaged = bytearray(good)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(len(good))] = chance.choice(b"<>'/\x00\xff a(")
        compile_schemas({"a.gschema.xml": bytes(damaged)})
