"""Writes a trained model as the INT8 file that `mvault pack` takes."""

from typing import Dict

import torch
from torch import nn

from . import safetensors
from .attach import plan_of
from .base_model import BaseModel
from .byte_count import ByteCount


def export(model: nn.Module, path: safetensors.Path) -> ByteCount:
    """Writes the model that attach() was called on: the base's tensors in the base's order, INT8 weights with the
    base's steps, norms and biases as trained. Computing with INT8 * step gives, bit for bit, what the model computes.
    Moves the threshold so that the budget is met first; returns what `mvault pack` will store."""
    plan = plan_of(model)
    count = plan.finish()
    tensors: Dict[str, torch.Tensor] = dict(plan.base.tensors)
    for name, tensor in plan.tensors().items():
        tensors[name] = tensor.to(tensors[name].dtype).reshape(tensors[name].shape)
    safetensors.write(path, tensors, plan.base.metadata, plan.base.foreign)
    return count


def load(path: safetensors.Path) -> Dict[str, torch.Tensor]:
    """The tensors of a file as a model computes with them: INT8 ones times their steps, in F32, without the steps
    themselves; floats in F32; all others as they are, without those of dtypes that torch does not have. Nothing is
    rounded."""
    file = safetensors.read(path)
    model = BaseModel(file.tensors, file.metadata, file.path, file.foreign)
    steps = {name + ".scale" for name in model.weights}
    loaded: Dict[str, torch.Tensor] = {}
    for name, tensor in model.tensors.items():
        if name in file.foreign:
            own = safetensors.as_torch(tensor, file.foreign[name])
            if own is not None:
                loaded[name] = own
        elif name not in steps:
            computed = tensor.dtype.is_floating_point or name in model.steps
            loaded[name] = model.value(name) if computed else tensor
    return loaded
