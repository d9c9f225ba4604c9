# ruff: noqa
# mypy: ignore-errors
from cog import Input

NAME = "model"
KINDS = ["a", "b"]


class Predictor:
    def predict(
        self,
        a: str = Input(
            description=f"Uses {NAME} with {len(KINDS)} kinds, {3.14159:.2f} {NAME!r:>10}"
        ),
        b: str = Input(description="Uses %s, %d of %5.1f" % (NAME, 2, 1.5)),
        c: str = Input(description="Uses {0} and {other}: {0!r}".format(NAME, other="x")),
        d: str = Input(description="one two " + NAME.upper()),
        e: str = Input(
            default=", ".join(KINDS),
            description="""Several
        lines""",
        ),
        f: str = Input(default=NAME.title().replace("M", "m").strip() + "-" * 3),
        g: str = Input(default="a,b,c".split(",")[-1], choices="a,b,c".split(",")),
        h: str = NAME[:2] + NAME[::-1][0],
        i: str = r"\d+" + "\n",
        j: str = str(3) + repr("x"),
        k: str = "%(name)s" % {"name": NAME},
    ) -> str:
        return ""
