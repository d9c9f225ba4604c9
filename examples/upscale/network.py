"""The network: one convolution for each scale, then a sharpening one, as in ESPCN."""

import torch
from torch import nn

SCALES = (2, 3, 4)
TAPS = 7


class Upscaler(nn.Module):
    """Enlarges planes of an image, N x 1 x H x W with values from 0 to 1."""

    def __init__(self) -> None:
        super().__init__()
        # A pixel of the input becomes scale * scale of the output, each with weights of its own.
        self.enlarge = nn.ModuleDict(
            {str(scale): nn.Conv2d(1, scale * scale, TAPS, bias=False) for scale in SCALES}
        )
        self.sharpen = nn.Conv2d(1, 1, 3, bias=False)

    def forward(self, planes: torch.Tensor, scale: int) -> torch.Tensor:
        """Return the planes, `scale` times as wide and as high."""
        planes = nn.functional.pad(planes, [TAPS // 2] * 4, mode="replicate")
        enlarged = nn.functional.pixel_shuffle(self.enlarge[str(scale)](planes), scale)
        return self.sharpen(nn.functional.pad(enlarged, [1] * 4, mode="replicate")).clamp(0, 1)
