"""The choice of CUDA: which builds of packages, who brings the toolkit, which GPUs and drivers.

The choice has two steps, because what needs CUDA is known only when uv has resolved: where
PyTorch's packages come from is decided before that, everything else after it.
"""

from cogn.resolver.cuda.choice import CudaChoice, SystemCuda, choose_cuda
from cogn.resolver.cuda.gpu_request import GpuRequest, Targets
from cogn.resolver.cuda.pins import check_pins, fitting_python
from cogn.resolver.cuda.targets import check_targets
from cogn.resolver.cuda.torch_index import choose_torch_index

__all__ = [
    "CudaChoice",
    "GpuRequest",
    "SystemCuda",
    "Targets",
    "check_pins",
    "check_targets",
    "choose_cuda",
    "choose_torch_index",
    "fitting_python",
]
