"""A weight that differs from a fixed INT8 base by k * {-1, 0, +1}, trainable (docs/fine-tuning.md has the formulas)."""

from typing import Any, Optional, Tuple

import torch
from torch import nn

from .coder_cost import GROUP_SIZE
from .grid import per_row

# What a latent must reach to count: round(latent) is ±1 from here on.
HALF = 0.5
MAX_SCALE = 255.0


class _TernaryFunction(torch.autograd.Function):
    """Straight-through: rounding passes gradients as if it were not there (Y. Bengio, N. Léonard, A. Courville,
    "Estimating or Propagating Gradients Through Stochastic Neurons", arXiv:1308.3432)."""

    @staticmethod
    def forward(ctx: Any, latent: torch.Tensor, scale: torch.Tensor, base: torch.Tensor, step: torch.Tensor,
                threshold: float, first_scale: float) -> torch.Tensor:  # pylint: disable=arguments-differ
        symbols = symbols_of(latent, threshold)
        spread = spread_scale(scale * first_scale, latent)
        ctx.save_for_backward(symbols, spread, step)
        ctx.groups, ctx.first_scale = scale.numel(), first_scale
        return torch.mul(symbols, spread).add_(base).clamp_(-128.0, 127.0).mul_(step)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Tuple[Optional[torch.Tensor], ...]:  # pylint: disable=arguments-differ
        symbols, spread, step = ctx.saved_tensors
        gradient = gradient * step
        of_scale = None
        if ctx.needs_input_grad[1]:
            of_scale = _sum_groups(gradient * symbols, ctx.groups) * ctx.first_scale
        return gradient.mul_(spread), of_scale, None, None, None, None


def symbols_of(latent: torch.Tensor, threshold: float) -> torch.Tensor:
    """-1, 0 or +1 for each latent: 0 where its magnitude is at most the threshold."""
    # round() takes halves to even, so a latent at the threshold itself is 0.
    return torch.mul(latent, HALF / threshold).clamp_(-1.0, 1.0).round_()


def spread_scale(scale: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """`scale` in whole grid steps, one value for all weights or one for each of them."""
    whole = scale.round().clamp_(1.0, MAX_SCALE)
    if whole.numel() == 1:
        return whole
    return whole[:, None].expand(-1, GROUP_SIZE).reshape(-1)[:like.numel()].view(like.shape)


def _sum_groups(values: torch.Tensor, groups: int) -> torch.Tensor:
    if groups == 1:
        return values.sum().reshape(1)
    flat = values.reshape(-1)
    padding = groups * GROUP_SIZE - flat.numel()
    if padding:
        flat = torch.nn.functional.pad(flat, (0, padding))
    return flat.view(groups, GROUP_SIZE).sum(dim=1)


class TernaryWeight(nn.Module):
    """The parametrisation of one weight (torch.nn.utils.parametrize). What it is called with is the latent: one number
    for each weight, in units of the scale, so that round(latent) is the symbol.

    name: the tensor's in the base's file. base: INT8. step: of the grid, one a row or one for all. first_scale: in grid
    steps; what is learnt is the share of it. scales: "group" (one for each 128 weights, as the vault counts them),
    "tensor" (one for all) or "fixed"."""

    def __init__(self, name: str, base: torch.Tensor, step: torch.Tensor, first_scale: float, scales: str):
        super().__init__()
        self.name = name
        self.threshold = HALF
        self.first_scale = float(first_scale)
        self.was_read = False
        groups = -(-base.numel() // GROUP_SIZE) if scales == "group" else 1
        self.register_buffer("base", base.to(torch.float32))
        self.register_buffer("step", per_row(step.to(torch.float32), base))
        self.scale = nn.Parameter(torch.ones(groups), requires_grad=scales != "fixed")

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        """The weight, bit for bit what the exported INT8 weight times its row's step gives."""
        self.was_read = True
        return _TernaryFunction.apply(latent, self.scale, self.base, self.step, self.threshold,
                                      self.first_scale)

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        """The latent that a weight of the model becomes when it is attached: its distance from the base."""
        steps = weight.detach().to(torch.float32) / self.step - self.base
        return torch.clamp(steps / spread_scale(self.scale.detach() * self.first_scale, steps), -1.0, 1.0)

    @torch.no_grad()
    def int8(self, latent: torch.Tensor) -> torch.Tensor:
        """The weight as it is stored."""
        delta = symbols_of(latent, self.threshold) * spread_scale(self.scale * self.first_scale, latent)
        return torch.clamp(self.base + delta, -128.0, 127.0).to(torch.int8)
