import tempfile

import numpy as np
import torch
from network import SCALES, Upscaler
from PIL import Image

from cog import BaseModel, BaseRunner, Input, Path


class Output(BaseModel):
    image: Path
    device: str


class Runner(BaseRunner):
    def setup(self) -> None:
        """Load the weights, onto a GPU if there is one."""
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        is_gpu = self.device.type == "cuda"
        self.name = torch.cuda.get_device_name() if is_gpu else "CPU"
        self.network = Upscaler()
        self.network.load_state_dict(torch.load("weights.pth", weights_only=True))
        self.network.to(self.device).eval()

    @torch.inference_mode()
    def run(
        self,
        image: Path = Input(description="The image to enlarge"),
        scale: int = Input(description="Factor for both sides", default=2, choices=list(SCALES)),
    ) -> Output:
        """Enlarge an image."""
        pixels = np.asarray(Image.open(image).convert("RGB"), dtype=np.float32) / 255
        planes = torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(1).to(self.device)
        enlarged = self.network(planes, scale).squeeze(1).permute(1, 2, 0)
        result = Path(tempfile.mkdtemp()) / "enlarged.png"
        Image.fromarray((enlarged * 255).round().byte().cpu().numpy()).save(result)
        return Output(image=result, device=self.name)
