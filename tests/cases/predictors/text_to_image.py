# ruff: noqa
# mypy: ignore-errors
from typing import List

from cog import BasePredictor, Input, Path


class Predictor(BasePredictor):
    def setup(self):
        import torch

        self.pipe = torch.nn.Identity()

    def predict(
        self,
        prompt: str = Input(description="Input prompt", default="an astronaut riding a horse"),
        negative_prompt: str = Input(description="Things to avoid", default=""),
        width: int = Input(description="Width", default=768, choices=[128, 256, 512, 768, 1024]),
        height: int = Input(description="Height", default=768, choices=[128, 256, 512, 768, 1024]),
        num_outputs: int = Input(description="Number of images", ge=1, le=4, default=1),
        num_inference_steps: int = Input(ge=1, le=500, default=50),
        guidance_scale: float = Input(ge=1, le=20, default=7.5),
        scheduler: str = Input(default="DDIM", choices=["DDIM", "K_EULER", "PNDM"]),
        seed: int = Input(description="Leave blank to randomize", default=None),
    ) -> List[Path]:
        return []
