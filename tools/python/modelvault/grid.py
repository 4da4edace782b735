"""The INT8 grid of a base: one step a row, weights are whole steps (docs/fit.md, step 1)."""

from typing import Tuple

import torch

# A grid this much coarser than the row's range / 127 loses nothing measurable on the models of docs/fit.md, and
# saves more than a bit a weight of base.
GRID_FACTOR = 2.3
_MANTISSA_BITS = 3


def rows_of(tensor: torch.Tensor) -> int:
    """Rows as the vault counts them: the first dimension, if there are two or more."""
    return tensor.shape[0] if tensor.dim() >= 2 else 1


def per_row(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """`values`, one a row or one for all, in a shape that broadcasts against `like`."""
    return values.reshape([-1] + [1] * (like.dim() - 1))


def quantize(weight: torch.Tensor, factor: float = GRID_FACTOR) -> Tuple[torch.Tensor, torch.Tensor]:
    """The INT8 weights and F32 row steps of a float tensor. Steps are rounded up to 3 bits of mantissa: they are cheap
    to store then, and a row's largest weight still fits."""
    flat = weight.detach().reshape(rows_of(weight), -1).to(torch.float32)
    largest = flat.abs().amax(dim=1) if flat.shape[1] else torch.zeros(flat.shape[0])
    steps = largest * (factor / 127.0)
    mantissa, exponent = torch.frexp(steps)
    unit = float(2 << _MANTISSA_BITS)
    steps = torch.ldexp(torch.ceil(mantissa * unit) / unit, exponent)
    # A row of zeros: any step will do. Subnormal steps would not divide.
    steps = torch.where(steps < 1e-30, torch.ones_like(steps), steps).to(torch.float32)
    weights = torch.clamp(torch.round(flat / steps[:, None]), -127, 127).to(torch.int8)
    return weights.reshape(weight.shape), steps


def round_mantissa(values: torch.Tensor, zero_bits: int) -> torch.Tensor:
    """F32 values rounded to nearest with the low `zero_bits` bits of the mantissa zero."""
    if zero_bits == 0:
        return values
    bits = values.contiguous().view(torch.int32)
    # Magnitudes round half up; a carry into the exponent is the next power of two, as it should be.
    return ((bits + (1 << (zero_bits - 1))) & (-1 << zero_bits)).view(torch.float32)


def mantissa_zero_bits(values: torch.Tensor) -> int:
    """How many low mantissa bits are zero in all F32 values: the coder's shift (docs/format.md, residuals); 23 at most,
    and for no values or zeros alone."""
    if values.numel() == 0:
        return 23
    any_bit = 0
    for bits in values.detach().cpu().contiguous().reshape(-1).view(torch.int32).tolist():
        any_bit |= bits & 0x7FFFFF
    return 23 if any_bit == 0 else min(23, (any_bit & -any_bit).bit_length() - 1)
