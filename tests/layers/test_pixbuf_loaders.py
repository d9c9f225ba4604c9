"""The list of gdk-pixbuf's modules."""

from __future__ import annotations

from cogn.layers.pixbuf_loaders import pixbuf_loaders

DIRECTORY = "/usr/lib/x86_64-linux-gnu/gdk-pixbuf-2.0/2.10.0/loaders"


def test_modules_are_listed_with_what_they_load() -> None:
    names = ["libpixbufloader-gif.so", "README", "libpixbufloader-ani.so"]
    data, unknown = pixbuf_loaders(DIRECTORY, names)
    assert data.decode() == (
        "# GdkPixbuf Image Loader Modules file\n"
        "# Automatically generated file, do not edit\n"
        "#\n"
        f'"{DIRECTORY}/libpixbufloader-ani.so"\n'
        '"ani" 4 "gdk-pixbuf" "Windows animated cursor" "LGPL"\n'
        '"application/x-navi-animation" ""\n'
        '"ani" ""\n'
        '"RIFF    ACON" "    xxxx    " 100\n'
        "\n"
        f'"{DIRECTORY}/libpixbufloader-gif.so"\n'
        '"gif" 4 "gdk-pixbuf" "GIF" "LGPL"\n'
        '"image/gif" ""\n'
        '"gif" ""\n'
        '"GIF8" "" 100\n'
        "\n\n"
    )
    assert unknown == []


def test_a_module_that_is_not_known_is_told() -> None:
    data, unknown = pixbuf_loaders(DIRECTORY, ["libpixbufloader-new.so"])
    assert unknown == ["libpixbufloader-new.so"]
    assert b".so" not in data
