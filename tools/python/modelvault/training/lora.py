"""LoRA adapters: W + s B A (E. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685)."""

import os
import pathlib
from typing import Any, Dict, List, Mapping, Optional, Union

import torch
from torch import nn

from . import model_tensors, safetensors
from .errors import AttachError
from .lora_config import LoraConfig
from .lora_tensors import Adapter, Pair

_OUT_BY_IN = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Embedding)
_CONFIG, _TENSORS = "adapter_config.json", "adapter_model.safetensors"


@torch.no_grad()
def apply_lora(model: nn.Module, adapter: Union[safetensors.Path, Mapping[str, torch.Tensor]],
               alpha: Optional[float] = None, *, config: Union[None, safetensors.Path, Mapping[str, Any]] = None,
               fan_in_fan_out: Optional[bool] = None) -> List[str]:
    """Adds an adapter to a model's own weights, in place; the names of those it changed. Do so before attach(): on a
    copy of the model, which then is the teacher, or on the model itself, with attach(start="model").

    adapter: a safetensors file, a folder with `adapter_model.safetensors`, or tensors: for a weight NAME.weight the
        pair NAME.lora_A.weight [rank, in] and NAME.lora_B.weight [out, rank], with or without ".weight" and an
        adapter's name at their ends and "base_model.model." before; NAME.lora_embedding_A and _B of an embedding; or
        pairs lora_..._NAME.lora_down.weight and .lora_up.weight with dots of NAME as underscores, each with its own
        .alpha.
    config: the adapter's configuration, as a file or what is in it; None: `adapter_config.json` beside the adapter's
        file, if there is one. It tells s for each pair: lora_alpha, its patterns, rank-stabilised or not.
    alpha: where there is no configuration, lora_alpha: s is alpha / rank. None: as each pair's own .alpha.
    fan_in_fan_out: as the configuration has it: whether weights are [in, out], as those of GPT-2's Conv1D, and B A is
        transposed. None: as the configuration, the layer or the shape tells, and an error where none does.

    Raises AttachError or ModelFileError, and then has changed nothing: also for adapters that are no sum (DoRA), or are
    one with another base than the model (PiSSA and the like)."""
    path = None if isinstance(adapter, Mapping) else pathlib.Path(adapter)
    if path is not None and path.is_dir():
        path = path / _TENSORS
    if config is None and path is not None and (path.parent / _CONFIG).exists():
        config = path.parent / _CONFIG
    where = "the adapter" if path is None else os.fspath(path)
    parts = Adapter(adapter if path is None else safetensors.read(path).tensors, where)
    scaling = LoraConfig.read(config) if config is not None else None
    if scaling is not None:
        scaling.check(parts, alpha)
        fan_in_fan_out = scaling.fan_in_fan_out if fan_in_fan_out is None else fan_in_fan_out
    else:
        parts.check_alone(alpha)
    parameters = {key: found.tensor for found in model_tensors.parameters(model) for key in found.keys}
    changes: Dict[int, torch.Tensor] = {}
    changed: Dict[int, str] = {}
    for pair in parts.pairs:
        name = parts.name_in(parameters, pair.target)
        own = pair.alpha if pair.alpha is not None else alpha
        scale = scaling.scale(pair) if scaling is not None else own / pair.rank
        change = _change(model, name, parameters[name], pair, fan_in_fan_out, where) * scale
        # Of a tied weight each name may have an adapter.
        key = id(parameters[name])
        changes[key] = changes[key] + change if key in changes else change
        changed.setdefault(key, name)
    replaced = {parts.name_in(parameters, key): tensor for key, tensor in parts.whole.items()}
    for name, tensor in replaced.items():
        if tensor.shape != parameters[name].shape:
            raise AttachError(f"{where}: '{name}' is {list(tensor.shape)}, the model's {list(parameters[name].shape)}")
    for name, tensor in replaced.items():
        parameters[name].copy_(tensor)
    for key, change in changes.items():
        parameters[changed[key]] += change.to(parameters[changed[key]])
    return sorted({*changed.values(), *replaced})


def _change(model: nn.Module, name: str, weight: torch.Tensor, pair: Pair, fan_in_fan_out: Optional[bool],
            where: str) -> torch.Tensor:
    """B A in the shape of the weight."""
    change = pair.b.flatten(1).to(torch.float32) @ pair.a.flatten(1).to(torch.float32)
    flat = weight.flatten(1).shape
    transposed = fan_in_fan_out
    if pair.of_embedding:
        transposed = True
    elif isinstance(model.get_submodule(name.rpartition(".")[0]), _OUT_BY_IN):
        transposed = False
    elif transposed is None and flat[0] == flat[1]:
        raise AttachError(f"{where}: '{pair.target}' is square and not of a layer of torch: fan_in_fan_out= must tell "
                          "whether it is [in, out]")
    elif transposed is None:
        transposed = change.shape != flat
    change = change.T if transposed else change
    if change.shape != flat:
        raise AttachError(f"{where}: '{pair.target}': B A is {list(change.shape)}, the weight {list(weight.shape)}")
    return change.reshape(weight.shape)
