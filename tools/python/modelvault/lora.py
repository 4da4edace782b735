"""LoRA adapters: W + alpha / rank * B A (E. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models",
arXiv:2106.09685)."""

from typing import Dict, List, Mapping, Optional, Union

import torch
from torch import nn

from . import model_tensors, safetensors
from .errors import AttachError, ModelFileError

_A, _B = ".lora_A", ".lora_B"
_PREFIXES = ("base_model.model.", "")
_OUT_BY_IN = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Embedding)


@torch.no_grad()
def apply_lora(model: nn.Module, adapter: Union[safetensors.Path, Mapping[str, torch.Tensor]],
               alpha: float, *, fan_in_fan_out: Optional[bool] = None) -> List[str]:
    """Adds an adapter to a model's own weights, in place; the names of those it changed. Do so before attach(): on a
    copy of the model, which then is the teacher, or on the model itself, with attach(start="model").

    adapter: a safetensors file, or its tensors: for a weight NAME.weight the pair NAME.lora_A.weight [rank, in] and
        NAME.lora_B.weight [out, rank], with or without ".weight" at their ends and "base_model.model." before.
    alpha: the adapter's, as its configuration has it.
    fan_in_fan_out: likewise: whether weights are [in, out], as those of GPT-2's Conv1D, and B A is transposed. None: as
        the layer or the shape tells, and an error where neither does.

    Raises AttachError or ModelFileError, and then has changed nothing."""
    where = "the adapter"
    if not isinstance(adapter, Mapping):
        file = safetensors.read(adapter)
        adapter, where = file.tensors, file.path
    pairs = _pairs(adapter, where)
    parameters = {key: found.tensor for found in model_tensors.parameters(model) for key in found.keys}
    changes: Dict[str, torch.Tensor] = {}
    for target, (a, b) in pairs.items():
        name = f"{target}.weight" if f"{target}.weight" in parameters else target
        if name not in parameters:
            raise AttachError(f"{where}: '{target}' is no weight of the model")
        weight = parameters[name]
        if a.dim() < 2 or b.dim() < 2 or b.shape[1] != a.shape[0]:
            raise ModelFileError(f"{where}: '{target}': A {list(a.shape)} and B {list(b.shape)} do not multiply")
        change = b.flatten(1).to(torch.float32) @ a.flatten(1).to(torch.float32)
        flat = weight.flatten(1).shape
        transposed = fan_in_fan_out
        if isinstance(model.get_submodule(name.rpartition(".")[0]), _OUT_BY_IN):
            transposed = False
        elif transposed is None and flat[0] == flat[1]:
            raise AttachError(f"{where}: '{target}' is square and not of a layer of torch: fan_in_fan_out= must tell "
                              "whether it is [in, out]")
        elif transposed is None:
            transposed = change.shape != flat
        change = change.T if transposed else change
        if change.shape != flat:
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
