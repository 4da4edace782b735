"""The INT8 grid of a base: one step a row, weights are whole steps (docs/fit.md, step 1)."""

from typing import Iterable, List, Tuple

import torch

# A grid this much coarser than the row's range / 127 loses nothing measurable on the models of docs/fit.md, and
# saves more than a bit a weight of base.
GRID_FACTOR = 2.3
_MANTISSA_BITS = 3
# Subnormal steps would not divide.
_LEAST_STEP = 1e-30
# What neighbours' steps are to a row's own, or errors to each other: up to here the rows of real models differ.
_FAR_SMALLER, _FAR_LARGER = 1 / 16, 16


def rows_of(tensor: torch.Tensor) -> int:
    """Rows as the vault counts them: the first dimension, if there are two or more."""
    return tensor.shape[0] if tensor.dim() >= 2 else 1


def per_row(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """`values`, one a row or one for all, in a shape that broadcasts against `like`."""
    return values.reshape([-1] + [1] * (like.dim() - 1))


def quantize(weight: torch.Tensor, factor: float = GRID_FACTOR,
             step_of_zeros: float = 1.0) -> Tuple[torch.Tensor, torch.Tensor]:
    """The INT8 weights and F32 row steps of a float tensor. Steps are rounded up to 3 bits of mantissa: they are cheap
    to store then, and a row's largest weight still fits. A row of zeros, or far smaller than its neighbours, has their
    step, so that a variant can move it as far as them; a tensor of zeros has `step_of_zeros`."""
    flat = _rows(weight)
    steps = _own_steps(flat, factor)
    usual = _median(steps[steps > 0]) if bool((steps > 0).any()) else step_of_zeros
    steps = torch.where(steps < usual * _FAR_SMALLER, torch.full_like(steps, usual), steps)
    weights = torch.clamp(torch.round(flat / steps[:, None]), -127, 127).to(torch.int8)
    return weights.reshape(weight.shape), steps


def usual_step(weights: Iterable[torch.Tensor], factor: float = GRID_FACTOR) -> float:
    """The median of the steps that quantize() would give these tensors' rows; 1 where all are zeros."""
    steps = torch.cat([_own_steps(_rows(weight), factor) for weight in weights] or [torch.zeros(0)])
    return _median(steps[steps > 0]) if bool((steps > 0).any()) else 1.0


def rows_lost(weight: torch.Tensor, int8: torch.Tensor, steps: torch.Tensor) -> List[int]:
    """The rows of a float tensor that its INT8 form has lost most of: more than half of their weights became zeros, and
    the error is far above that of the other rows. One weight that is far larger than all others does that."""
    flat, symbols = _rows(weight), int8.reshape(rows_of(weight), -1)
    error = (flat - symbols * steps[:, None]).square().mean(dim=1).sqrt()
    vanished = ((symbols == 0) & (flat != 0)).sum(dim=1)
    lost = (2 * vanished > (flat != 0).sum(dim=1)) & (error > _FAR_LARGER * _median(error))
    return lost.nonzero()[:, 0].tolist()


def _rows(weight: torch.Tensor) -> torch.Tensor:
    return weight.detach().cpu().reshape(rows_of(weight), -1).to(torch.float32)


def _own_steps(flat: torch.Tensor, factor: float) -> torch.Tensor:
    """What each row's range asks for; 0 where that would be too small to divide by."""
    largest = flat.abs().amax(dim=1) if flat.shape[1] else torch.zeros(flat.shape[0])
    mantissa, exponent = torch.frexp(largest * (factor / 127.0))
    unit = float(2 << _MANTISSA_BITS)
    steps = torch.ldexp(torch.ceil(mantissa * unit) / unit, exponent).to(torch.float32)
    return torch.where(steps < _LEAST_STEP, torch.zeros_like(steps), steps)


def _median(values: torch.Tensor) -> float:
    return float(values.median())


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
