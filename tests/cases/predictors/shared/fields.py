# ruff: noqa
# mypy: ignore-errors
from cog import Input

SEED = Input(description="Random seed", default=None)
STEPS = Input(default=25, ge=1, le=100, description="Steps")


class Inputs:
    guidance = Input(default=7.5, ge=0.0, le=20.0)

    @staticmethod
    def size(default=512, description="Size"):
        return Input(default=default, description=description, choices=[256, 512, 1024])
