"""What is asked of a GPU beside its arithmetic."""

import torch

__all__ = ["memory_of"]


def memory_of(device: str) -> int:
    """Bytes of a GPU's memory, whoever uses them."""
    return int(torch.cuda.get_device_properties(torch.device(device)).total_memory)
