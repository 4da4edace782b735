"""How much a model's loss minds errors in its weights: the files that `mvault fit --curvature --importance` takes."""

from typing import Any, Dict, Iterable, List, Optional

import torch
from torch import nn
from torch.nn import functional

from . import safetensors
from .base_model import Names
from .errors import AttachError

# Wider layers get no factors, only importance: a factor has the square of this many values.
_MOST_WIDE = 4096


def curvature(model: nn.Module, batches: Iterable[Any], path: safetensors.Path, *,
              importance: Optional[safetensors.Path] = None, names: Names = None, seed: int = 0) -> List[str]:
    """Writes `path` with, for each linear or convolution weight NAME, NAME.H (in x in) and NAME.G (out x out), the
    second moments of the layer's input and of the gradient at its output (J. Martens, R. Grosse, arXiv:1503.05671; for
    convolutions R. Grosse, J. Martens, arXiv:1602.01407). Writes `importance`, if given, with a value for each weight:
    the Fisher information's diagonal. Both are of the loss of one target, which is drawn from the model's own
    distribution (F. Kunstner, L. Balles, P. Hennig, arXiv:1905.12558, on why not from the data). Returns the names.

    batches: inputs, or tuples that begin with them; model(inputs) gives logits [..., classes].
    names: the model's tensor to the file's, where they differ by more than ".weight". The model is not changed."""
    factors: Dict[str, _Factors] = {}
    hooks = []
    taken = set()
    for name, module in model.named_modules():
        suitable = isinstance(module, (nn.Linear, nn.Conv2d)) and getattr(module, "groups", 1) == 1
        if not suitable or id(module.weight) in taken or isinstance(getattr(module, "padding", 0), str):
            continue
        taken.add(id(module.weight))
        if max(module.weight[0].numel(), module.weight.shape[0]) <= _MOST_WIDE:
            factors[f"{name}.weight" if name else "weight"] = factor = _Factors(module)
            hooks.append(module.register_forward_hook(factor.see))
    parameters = dict(model.named_parameters())
    squares = {name: torch.zeros_like(p) for name, p in parameters.items()} if importance is not None else {}
    generator = torch.Generator().manual_seed(seed)
    targets = 0
    training = model.training
    model.eval()
    try:
        for batch in batches:
            inputs = batch[0] if isinstance(batch, (tuple, list)) else batch
            with torch.enable_grad():
                logits = model(inputs)
                logits = logits.reshape(-1, logits.shape[-1])
                drawn = torch.multinomial(logits.detach().softmax(-1).cpu(), 1, generator=generator)[:, 0]
                loss = functional.cross_entropy(logits, drawn.to(logits.device), reduction="sum")
                gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
            targets += logits.shape[0]
            for name, gradient in zip(parameters, gradients):
                if gradient is not None and name in squares:
                    # Targets are drawn independently: the mixed terms of the square vanish on average.
                    squares[name] += gradient.square()
    finally:
        for hook in hooks:
            hook.remove()
        model.train(training)
    if targets == 0:
        raise AttachError("curvature needs at least one batch")
    used = {_name(key, names): f for key, f in factors.items() if f.positions > 0}
    tensors: Dict[str, torch.Tensor] = {}
    for name, factor in used.items():
        tensors[name + ".H"] = (factor.inputs / targets).to(torch.float32)
        tensors[name + ".G"] = (factor.gradients / factor.positions).to(torch.float32)
    safetensors.write(path, tensors, {"role": "Kronecker curvature"})
    if importance is not None:
        safetensors.write(importance, {_name(key, names): (s / targets).to(torch.float32)
                                       for key, s in squares.items()}, {"role": "Fisher diagonal"})
    return list(used)


class _Factors:
    """Sums of one layer's second moments."""

    def __init__(self, module: nn.Module):
        weight = module.weight
        size = weight[0].numel()
        self._module = module
        self.inputs = torch.zeros(size, size, dtype=torch.float64)
        self.gradients = torch.zeros(weight.shape[0], weight.shape[0], dtype=torch.float64)
        self.positions = 0

    def see(self, module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        """A forward hook."""
        x = inputs[0].detach()
        if isinstance(module, nn.Conv2d):
            x = functional.unfold(x, module.kernel_size, module.dilation, module.padding, module.stride).transpose(1, 2)
        x = x.reshape(-1, self.inputs.shape[0])
        self.inputs += (x.T @ x).cpu()
        if output.requires_grad:
            output.register_hook(self._see_gradient)

    def _see_gradient(self, gradient: torch.Tensor) -> None:
        g = gradient.detach()
        if isinstance(self._module, nn.Conv2d):
            g = g.flatten(2).transpose(1, 2)
        g = g.reshape(-1, self.gradients.shape[0])
        self.gradients += (g.T @ g).cpu()
        self.positions += g.shape[0]


def _name(key: str, names: Names) -> str:
    if callable(names):
        return names(key)
    if names is not None and key in names:
        return names[key]
    return key[:-len(".weight")] if key.endswith(".weight") else key
