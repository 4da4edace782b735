"""A small float tensor (norm, bias) that moves from the base's by whole units of a few bits of mantissa, trainable."""

from typing import Any, Tuple

import torch
from torch import nn

from .grid import mantissa_zero_bits, round_mantissa

# Of a base that was not rounded itself: 7 bits of mantissa are kept, steps of less than a percent.
COARSE_ZERO_BITS = 16


class _SideFunction(torch.autograd.Function):
    """Straight-through rounding; the gradient is that of the value times the unit of its latent."""

    @staticmethod
    def forward(ctx: Any, latent: torch.Tensor, base: torch.Tensor, unit: torch.Tensor,
                zero_bits: int) -> torch.Tensor:  # pylint: disable=arguments-differ
        ctx.save_for_backward(unit)
        return moved(latent, base, unit, zero_bits)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Tuple:  # pylint: disable=arguments-differ
        (unit,) = ctx.saved_tensors
        return gradient * unit, None, None, None


def moved(latent: torch.Tensor, base: torch.Tensor, unit: torch.Tensor, zero_bits: int) -> torch.Tensor:
    """The base's values moved by whole units and rounded; the base's own where no latent rounds to anything."""
    whole = torch.round(latent)
    if not bool(whole.any()):
        return base.clone()
    # What does not move is not added to: a processor set to flush subnormals would make zeros of them.
    return round_mantissa(torch.where(whole == 0, base, base + whole * unit), zero_bits)


class SideTensor(nn.Module):
    """The parametrisation of one norm or bias. Its latent counts units: the last kept bit of mantissa of the base's
    value (of a sixteenth of the tensor's largest, if that is more, so that zeros can move)."""

    def __init__(self, name: str, base: torch.Tensor):
        super().__init__()
        self.name = name
        self.was_read = False
        zero_bits = mantissa_zero_bits(base)
        # A base of powers of two has 23 zero bits and no bits to move by.
        self.zero_bits = zero_bits if 8 <= zero_bits <= 20 else COARSE_ZERO_BITS
        magnitude = base.abs()
        floor = float(magnitude.max()) / 16 if base.numel() else 0.0
        _, exponent = torch.frexp(torch.clamp(magnitude, min=floor if floor > 0 else 0.125))
        self.register_buffer("base", base.detach().clone())
        self.register_buffer("unit", torch.ldexp(torch.ones_like(base), exponent - 1 - (23 - self.zero_bits)))

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        """The values, bit for bit as exported."""
        self.was_read = True
        return _SideFunction.apply(latent, self.base, self.unit, self.zero_bits)

    def right_inverse(self, value: torch.Tensor) -> torch.Tensor:
        """The latent of a value of the model when it is attached."""
        return (value.detach() - self.base) / self.unit

    @torch.no_grad()
    def value(self, latent: torch.Tensor) -> torch.Tensor:
        """The values as they are stored."""
        return moved(latent, self.base, self.unit, self.zero_bits)
