"""What a model has: each parameter and buffer once, with all its names."""

from typing import Callable, Dict, Iterable, List, NamedTuple, Tuple

import torch
from torch import nn

from .errors import AttachError


class Found(NamedTuple):
    """A parameter or buffer. `keys`: its names in the model's state; a tied one has more than one. `owners`: the
    modules that have it, and as what."""
    tensor: torch.Tensor
    keys: List[str]
    owners: List[Tuple[nn.Module, str]]


def parameters(model: nn.Module) -> List[Found]:
    """In the order of the model's state. Raises AttachError if they would not be what the model is made of."""
    for path, module in model.named_modules():
        _check_unwrapped(path, module)
        _check_own(path, module)
    return _collect(model, lambda module: module.named_parameters(recurse=False))


def buffers(model: nn.Module) -> List[Found]:
    """Those that a model's file has: running means and the like."""
    kept = model.state_dict()
    return [found for found in _collect(model, lambda module: module.named_buffers(recurse=False))
            if found.keys[0] in kept]


def _check_unwrapped(path: str, module: nn.Module) -> None:
    """Wrappers put a word into every name, and hold parameters apart from their modules."""
    inside = "_orig_mod" if "_orig_mod" in dict(module.named_children()) else "module"
    if inside == "_orig_mod" or type(module).__name__.endswith("DataParallel"):
        where = f"'{path}'" if path else "the model"
        raise AttachError(f"{where} is wrapped in {type(module).__name__}: unwrap first (its .{inside}), and wrap it "
                          "after attach()")


def _check_own(path: str, module: nn.Module) -> None:
    """Old weight norm, spectral norm and pruning keep parameters of other names, of which a hook makes the weight."""
    if not module._forward_pre_hooks:  # pylint: disable=protected-access
        return
    for name in [name for name, value in vars(module).items() if isinstance(value, torch.Tensor)]:
        of = [key for key, _ in module.named_parameters(recurse=False) if key.startswith(name + "_")]
        if of:
            raise AttachError(f"'{path + '.' if path else ''}{name}' is made of {' and '.join(of)} by a hook, as "
                              "weight norm, spectral norm and pruning do: make it a plain parameter first "
                              "(torch.nn.utils.remove_weight_norm, remove_spectral_norm, prune.remove)")


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
