"""Second moments at a layer: of what comes in, and of the gradient at what goes out."""

from typing import Any, List

import torch
from torch import nn
from torch.nn import functional

from .model_tensors import Found

_Convolution = (nn.Conv1d, nn.Conv2d)


class LayerMoments:
    """Sums over every call of every layer that has the weight; `positions` counts the outputs."""

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
        """A forward hook."""
        if isinstance(module, nn.Embedding):
            return
        x = inputs[0].detach()
        if isinstance(module, _Convolution):
            x = _patches(module, x)
        x = x.reshape(-1, self.inputs.shape[0])
        self.inputs += (x.T @ x).cpu()
        if output.requires_grad:
            output.register_hook(lambda gradient: self._see_gradient(module, gradient))

    def _see_gradient(self, module: nn.Module, gradient: torch.Tensor) -> None:
        g = gradient.detach()
        if isinstance(module, _Convolution):
            # Channels last; a batch dimension there may or may not be.
            g = g.movedim(-1 - len(module.kernel_size), -1)
        g = g.reshape(-1, self.gradients.shape[0])
        self.gradients += (g.T @ g).cpu()
        self.positions += g.shape[0]


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
