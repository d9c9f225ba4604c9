# ruff: noqa
# mypy: ignore-errors
import tempfile
from pathlib import Path

import cog


class Predictor(cog.BasePredictor):
    def setup(self):
        """Load"""

    def predict(
        self,
        image: cog.Path = cog.Input(description="Grayscale input image"),
        scale: float = cog.Input(description="Factor", default=1.5, ge=1, le=4),
    ) -> cog.Path:
        out = Path(tempfile.mkdtemp()) / "out.png"
        return cog.Path(out)
