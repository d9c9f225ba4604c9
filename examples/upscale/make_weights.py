"""Writes weights.pth: Lanczos' kernel for every scale, and a mild sharpening.

The numbers follow from formulas, so they are the same wherever this runs: `python make_weights.py`.
"""

import math
from pathlib import Path

import torch
from network import SCALES, TAPS, Upscaler

_SUPPORT = 3  # pixels to each side
_SHARPENING = 0.06


def lanczos(distance: float) -> float:
    """Return the weight of a pixel at some distance."""
    if distance == 0:
        return 1.0
    if abs(distance) >= _SUPPORT:
        return 0.0
    x = math.pi * distance
    return _SUPPORT * math.sin(x) * math.sin(x / _SUPPORT) / (x * x)


def phase(index: int, scale: int) -> torch.Tensor:
    """Return the weights along one side for the pixel `index` of `scale` new ones."""
    centre = (index + 0.5) / scale - 0.5
    taps = [lanczos(tap - TAPS // 2 - centre) for tap in range(TAPS)]
    total = math.fsum(taps)
    return torch.tensor([tap / total for tap in taps], dtype=torch.float64)


def network() -> Upscaler:
    """Return the network with its weights."""
    upscaler = Upscaler()
    with torch.no_grad():
        for scale in SCALES:
            phases = [phase(index, scale) for index in range(scale)]
            kernels = torch.stack([torch.outer(row, column) for row in phases for column in phases])
            upscaler.enlarge[str(scale)].weight.copy_(kernels.unsqueeze(1))
        around = torch.full((3, 3), -_SHARPENING)
        around[1, 1] = 1 + 8 * _SHARPENING
        upscaler.sharpen.weight.copy_(around.reshape(1, 1, 3, 3))
    return upscaler


if __name__ == "__main__":
    torch.save(network().state_dict(), Path(__file__).with_name("weights.pth"))
