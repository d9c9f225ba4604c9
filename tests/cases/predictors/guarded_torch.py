# ruff: noqa
# mypy: ignore-errors
try:
    import torch

    HAS_TORCH = True
except ImportError:
    torch = None
    HAS_TORCH = False

DEVICE = "cuda" if HAS_TORCH and torch.cuda.is_available() else "cpu"


class Predictor:
    def predict(self, a: int = 3) -> int:
        return a
