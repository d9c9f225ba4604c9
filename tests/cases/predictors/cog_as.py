# ruff: noqa
# mypy: ignore-errors
import cog as c
import typing as t


class Predictor(c.BaseRunner):
    def run(
        self,
        names: t.List[str] = c.Input(default=["a"]),
        more: t.Optional[t.Dict[str, t.Any]] = None,
        key: t.Optional[c.Secret] = None,
    ) -> t.Iterator[str]:
        yield from names
