"""What the model uses of the machine, as far as only its own process can tell."""

from __future__ import annotations

import sys

__all__ = ["gpu_memory"]


def gpu_memory() -> list[tuple[int, int, int]]:
    """Return number, bytes in use and bytes free of each GPU on which torch has memory.

    Nothing is imported or begun for it: asking about any other GPU would take memory of it.
    """
    torch = sys.modules.get("torch")
    try:
        if torch is None or not torch.cuda.is_initialized():
            return []
        devices = [
            each for each in range(torch.cuda.device_count()) if torch.cuda.memory_reserved(each)
        ]
        memory = [(each, *torch.cuda.mem_get_info(each)) for each in devices]
        return [(device, total - free, free) for device, free, total in memory]
    except Exception:  # noqa: BLE001 - a driver's fault, or torch is half imported
        return []
