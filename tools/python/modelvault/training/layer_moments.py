"""Second moments at a layer: of what comes in, and of the gradient at what goes out."""

from typing import Any, List

import torch
from torch import nn
from torch.nn import functional

from .model_tensors import Found

_Convolution = (nn.Conv1d, nn.Conv2d)


class LayerMoments:
    """Sums over every call of every layer that has the weight, of the places that a gradient comes back to: padding
    that nothing depends on does not count. `positions` counts those places."""

    def __init__(self, weight: torch.Tensor):
        columns = weight[0].numel()
        self.inputs = torch.zeros(columns, columns, dtype=torch.float64)
        self.gradients = torch.zeros(weight.shape[0], weight.shape[0], dtype=torch.float64)
        self.positions = 0

    @staticmethod
    def suits(found: Found, most_wide: int) -> bool:
        """Whether the weight's layers are such that it has factors. A tied embedding's other use does not count."""
        if found.tensor.dim() < 2 or max(found.tensor[0].numel(), found.tensor.shape[0]) > most_wide:
            return False
        layers = [module for module, _ in found.owners if not isinstance(module, nn.Embedding)]
        return bool(layers) and all(isinstance(module, (nn.Linear, *_Convolution)) and
                                    getattr(module, "groups", 1) == 1 for module in layers)

    def see(self, module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        """A forward hook. What comes in is counted when the gradient comes back: under torch.utils.checkpoint a layer
        is called twice, and only one of the calls gets a gradient."""
        if isinstance(module, nn.Embedding) or not output.requires_grad:
            return
        x = inputs[0].detach()
        output.register_hook(lambda gradient: self._count(module, x, gradient.detach()))

    def _count(self, module: nn.Module, x: torch.Tensor, g: torch.Tensor) -> None:
        if isinstance(module, _Convolution):
            x = _patches(module, x)
            # Channels last; a batch dimension there may or may not be.
            g = g.movedim(-1 - len(module.kernel_size), -1)
        x, g = x.reshape(-1, self.inputs.shape[0]), g.reshape(-1, self.gradients.shape[0])
        reached = (g != 0).any(dim=1)
        if not bool(reached.all()):
            x, g = x[reached], g[reached]
        self.inputs += _second_moment(x).cpu()
        self.gradients += _second_moment(g).cpu()
        self.positions += g.shape[0]


def _second_moment(x: torch.Tensor) -> torch.Tensor:
    """Summed up. In 16 bits, as autocast would have it, sums would overflow or lose what is small."""
    x = x.to(torch.promote_types(x.dtype, torch.float32))
    if x.device.type not in ("cpu", "cuda"):
        return x.T @ x
    with torch.autocast(x.device.type, enabled=False):
        return x.T @ x


def _patches(module: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """What each output of a convolution is computed from, [positions, weights of a row]."""
    dimensions = len(module.kernel_size)
    if x.dim() == dimensions + 1:
        x = x[None]
    # As the layer pads: F.pad takes the last dimension first.
    widths = [width for i in reversed(range(dimensions)) for width in _padding(module, i)]
    if any(widths):
        x = functional.pad(x, widths, "constant" if module.padding_mode == "zeros" else module.padding_mode)
    kernel, dilation, stride = list(module.kernel_size), list(module.dilation), list(module.stride)
    if dimensions == 1:
        x, kernel, dilation, stride = x[:, :, None], [1] + kernel, [1] + dilation, [1] + stride
    return functional.unfold(x, kernel, dilation, 0, stride).transpose(1, 2)


def _padding(module: nn.Module, dimension: int) -> List[int]:
    if module.padding == "valid":
        return [0, 0]
    if module.padding == "same":
        total = module.dilation[dimension] * (module.kernel_size[dimension] - 1)
        return [total // 2, total - total // 2]
    return [module.padding[dimension]] * 2
