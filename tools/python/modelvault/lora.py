"""LoRA adapters: W + alpha / rank * B A (E. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models",
arXiv:2106.09685)."""

from typing import Dict, List, Mapping, Union

import torch
from torch import nn

from . import safetensors
from .errors import AttachError, ModelFileError

_A, _B = ".lora_A", ".lora_B"
_PREFIXES = ("base_model.model.", "")


@torch.no_grad()
def apply_lora(model: nn.Module, adapter: Union[safetensors.Path, Mapping[str, torch.Tensor]],
               alpha: float) -> List[str]:
    """Adds an adapter to a model's own weights, in place; the names of those it changed. Do so before attach(): on a
    copy of the model, which then is the teacher, or on the model itself, with attach(start="model").

    adapter: a safetensors file, or its tensors: for a weight NAME.weight the pair NAME.lora_A.weight [rank, in] and
        NAME.lora_B.weight [out, rank], with or without ".weight" at their ends and "base_model.model." before.
    alpha: the adapter's, as its configuration has it.

    Raises AttachError or ModelFileError, and then has changed nothing."""
    where = "the adapter"
    if not isinstance(adapter, Mapping):
        file = safetensors.read(adapter)
        adapter, where = file.tensors, file.path
    pairs = _pairs(adapter, where)
    parameters = dict(model.named_parameters())
    changes: Dict[str, torch.Tensor] = {}
    for target, (a, b) in pairs.items():
        name = f"{target}.weight" if f"{target}.weight" in parameters else target
        if name not in parameters:
            raise AttachError(f"{where}: '{target}' is no weight of the model")
        weight = parameters[name]
        if a.dim() < 2 or b.dim() < 2 or b.shape[1] != a.shape[0]:
            raise ModelFileError(f"{where}: '{target}': A {list(a.shape)} and B {list(b.shape)} do not multiply")
        change = b.flatten(1).to(torch.float32) @ a.flatten(1).to(torch.float32)
        if change.numel() != weight.numel() or change.shape[0] != weight.shape[0]:
            raise AttachError(f"{where}: '{target}': B A is {list(change.shape)}, the weight {list(weight.shape)}")
        changes[name] = (change * (alpha / a.shape[0])).reshape(weight.shape)
    for name, change in changes.items():
        parameters[name] += change.to(parameters[name])
    return sorted(changes)


def _pairs(tensors: Mapping[str, torch.Tensor], where: str) -> Dict[str, tuple]:
    halves: Dict[str, Dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        prefix = next(p for p in _PREFIXES if key.startswith(p))
        name = key[len(prefix):]
        if name.endswith(".weight"):
            name = name[:-len(".weight")]
        half = name[-len(_A):]
        if half not in (_A, _B):
            raise ModelFileError(f"{where}: '{key}' is neither a lora_A nor a lora_B")
        halves.setdefault(name[:-len(_A)], {})[half] = tensor
    for name, pair in halves.items():
        if len(pair) != 2:
            raise ModelFileError(f"{where}: '{name}' has {next(iter(pair))[1:]} only; A and B come in pairs")
    if not halves:
        raise ModelFileError(f"{where}: no tensors")
    return {name: (pair[_A], pair[_B]) for name, pair in halves.items()}
