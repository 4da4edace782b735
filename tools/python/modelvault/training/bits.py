"""Tensors by their bits, whatever a processor is set to make of NaNs and subnormals."""

import torch

# Integers of as many bytes.
INT_OF_SIZE = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two tensors have the same dtype, shape and bits."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    kind = INT_OF_SIZE[a.element_size()]
    return torch.equal(a.contiguous().view(kind), b.contiguous().view(kind))
