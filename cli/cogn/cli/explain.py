"""`cogn lock --explain`: why the lock says what it says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cogn.lockfiles import Cuda, Environment, ImageBase, Lock

__all__ = ["explained"]

_Node = tuple[str, Sequence[str]]
"""A statement, and the reasons for it."""


def explained(lock: Lock) -> str:
    """Return the choices in a lock as a tree for each platform, with their reasons."""
    lines: list[str] = []
    for platform, environment in lock.environments.items():
        lines += [platform, *_drawn(list(_nodes(environment)))]
    return "\n".join(lines)


def _nodes(environment: Environment) -> Iterator[_Node]:
    python, base = environment.python, environment.base
    yield f"Python {python.version}", [python.reason]
    if isinstance(base, ImageBase):
        yield f"base {base.reference}", [base.reason]
    else:
        yield f"base Debian {base.release}", [base.reason]
    if environment.torch is not None:
        yield f"PyTorch's index `{environment.torch.backend}`", [environment.torch.reason]
    if environment.cuda is not None:
        yield from _cuda(environment.cuda)


def _cuda(cuda: Cuda) -> Iterator[_Node]:
    cudnn = f" with cuDNN {cuda.cudnn}" if cuda.cudnn else ""
    yield f"CUDA {cuda.version}{cudnn}", cuda.reasons
    runs = [f"driver {cuda.driver} or newer"]
    if cuda.capabilities:
        runs.append(f"GPUs of compute capability {_listed(cuda.capabilities)}")
    yield "runs with", runs


def _listed(capabilities: Sequence[str]) -> str:
    """Return the capabilities; those of one major version also run on its later ones."""
    text = ", ".join(each.removesuffix("+PTX") for each in capabilities)
    return f"{text} and newer" if capabilities[-1].endswith("+PTX") else text


def _drawn(nodes: Sequence[_Node]) -> Iterable[str]:
    for index, (statement, reasons) in enumerate(nodes, 1):
        is_last = index == len(nodes)
        yield f"{'└─' if is_last else '├─'} {statement}"
        stem = "   " if is_last else "│  "
        for number, reason in enumerate(reasons, 1):
            yield f"{stem}{'└─' if number == len(reasons) else '├─'} {reason}"
