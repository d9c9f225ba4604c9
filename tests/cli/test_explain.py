"""`cogn lock --explain`: why the lock says what it says."""

from __future__ import annotations

from msgspec.structs import replace

from cogn.cli.explain import explained
from cogn.lockfiles import Cuda, Lock, TorchIndex
from support.locks import AMD64, make_lock


def test_choices_are_printed_with_their_reasons() -> None:
    lock = make_lock()
    environment = replace(
        lock.environments[AMD64],
        torch=TorchIndex(backend="cu126", reason="`build.cuda` asks for CUDA 12.6"),
        cuda=Cuda(
            version="12.6",
            cudnn="9.10.2.21",
            driver="525.60.13",
            capabilities=("7.5", "12.0+PTX"),
            provider="wheels",
            reasons=("the wheels bring it", "any CUDA 12 runs with driver 525.60.13 or newer"),
        ),
    )
    python, base = environment.python, environment.base
    assert explained(Lock(inputs=lock.inputs, environments={AMD64: environment})) == (
        "linux/amd64\n"
        f"├─ Python {python.version}\n"
        f"│  └─ {python.reason}\n"
        f"├─ base Debian {base.release}\n"
        f"│  └─ {base.reason}\n"
        "├─ PyTorch's index `cu126`\n"
        "│  └─ `build.cuda` asks for CUDA 12.6\n"
        "├─ CUDA 12.6 with cuDNN 9.10.2.21\n"
        "│  ├─ the wheels bring it\n"
        "│  └─ any CUDA 12 runs with driver 525.60.13 or newer\n"
        "└─ runs with\n"
        "   ├─ driver 525.60.13 or newer\n"
        "   └─ GPUs of compute capability 7.5, 12.0 and newer"
    )
