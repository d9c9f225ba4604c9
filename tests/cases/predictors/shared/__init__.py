# ruff: noqa
# mypy: ignore-errors
VERSION = "2.1"
