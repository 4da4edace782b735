"""What a model has: each parameter and buffer once, with all its names."""

from typing import Callable, Dict, Iterable, List, NamedTuple, Tuple

import torch
from torch import nn


class Found(NamedTuple):
    """A parameter or buffer. `keys`: its names in the model's state; a tied one has more than one. `owners`: the modules
    that have it, and as what."""
    tensor: torch.Tensor
    keys: List[str]
    owners: List[Tuple[nn.Module, str]]


def parameters(model: nn.Module) -> List[Found]:
    """In the order of the model's state."""
    return _collect(model, lambda module: module.named_parameters(recurse=False))


def buffers(model: nn.Module) -> List[Found]:
    """Those that a model's file has: running means and the like."""
    kept = model.state_dict()
    return [found for found in _collect(model, lambda module: module.named_buffers(recurse=False))
            if found.keys[0] in kept]


def _collect(model: nn.Module, of: Callable[[nn.Module], Iterable[Tuple[str, torch.Tensor]]]) -> List[Found]:
    found: Dict[int, Found] = {}
    # A module that is in the model twice has two names in its state as well.
    for path, module in model.named_modules(remove_duplicate=False):
        for name, tensor in of(module):
            entry = found.setdefault(id(tensor), Found(tensor, [], []))
            entry.keys.append(f"{path}.{name}" if path else name)
            if (module, name) not in entry.owners:
                entry.owners.append((module, name))
    return list(found.values())
