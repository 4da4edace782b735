"""Puts the ternary parametrisation on a model's weights."""

import os
import warnings
from typing import Any, Iterable, List, Optional, Tuple, Union

import torch
from torch import nn
from torch.nn.utils import parametrize

from . import model_tensors, safetensors
from .base_model import BaseModel, Names, candidates, find_all_names, names_in
from .bits import same_bits
from .byte_count import ByteCounter
from .errors import AttachError
from .grid import GRID_FACTOR
from .model_tensors import Found
from .plan import FIRST_SHRINK, Buffer, Plan, Side, Ternary
from .priors import Priors
from .side_tensor import SideTensor
from .ternary import TernaryWeight

# The first scale, as a share of a row's largest weight: 14 of 127 steps of the finest grid did best in first trials.
FIRST_SCALE = 14 / 127
_PLAN = "_modelvault_plan"
# They hand their weights to the kernels behind the parametrisation's back.
_UNSUITABLE = (nn.RNNBase,)
# Batch and instance norms.
_Statistics = nn.modules.batchnorm._NormBase  # pylint: disable=protected-access


def attach(model: nn.Module, base: Union[None, safetensors.Path, BaseModel] = None, budget_bytes: float = 8300, *,
           priors: Union[None, safetensors.Path, Priors] = None, start: str = "base", scales: str = "tensor",
           first_scale: float = FIRST_SCALE, side: bool = True, price: str = "coder", shrink: float = FIRST_SHRINK,
           names: Names = None, skip: Iterable[str] = (), grid_factor: float = GRID_FACTOR) -> Plan:
    """Makes `model` a variant of `base` that can be trained: every weight with two or more dimensions becomes the
    base's INT8 weight plus k * {-1, 0, +1}, every norm and bias the base's moved by whole units. Buffers become the
    base's; running statistics stay so. Parameters with requires_grad False are as those that `skip` names.

    base: a safetensors file, INT8 as `mvault fit --export-int8` writes it, or float, which is rounded to a grid first
        (`grid_factor` coarser than a row's range / 127); None: the model's own weights, rounded so.
    budget_bytes: what `mvault pack` may store for the variant (`stored_bytes`).
    priors: of the vault it will be in (Priors, or a file of Priors.save); None: it is to be alone in it.
    start: "base", or "model": from the model's weights as they are, a fine-tune's for example.
    scales: "tensor": one learnt scale for each tensor; "group": one for each 128 weights; "fixed".
    first_scale: the first scale, as a share of a row's largest weight.
    side: whether norms and biases are trained; if not they are the base's.
    price: "coder": a weight's by what the coder spends on it; "l1": the same for all; "loss": as the coder's, but as a
        term of the loss, penalty().
    shrink: where the price begins; it is moved to meet the budget.
    names: a model's tensor to the file's, a dict or a function, where they differ by more than ".weight".
    skip: parameters that stay the base's, untrained, by their names in the model.

    Raises AttachError or ModelFileError and leaves the model as it was."""
    if any(_PLAN in vars(module) for module in model.modules()):
        raise AttachError("the model has a plan already; export() it, or attach to a new model")
    _check_choice("start", start, ("base", "model"))
    _check_choice("scales", scales, ("tensor", "group", "fixed"))
    _check_choice("price", price, ("coder", "l1", "loss"))
    if not budget_bytes > 0:
        raise AttachError(f"budget_bytes must be positive, not {budget_bytes}")
    if not 0 < first_scale < 1:
        raise AttachError(f"first_scale is a share of a row's largest weight, between 0 and 1, not {first_scale}")
    if isinstance(priors, (str, os.PathLike)):
        priors = Priors.load(priors)
    found = model_tensors.parameters(model)
    _check_model(model, found)
    buffers = model_tensors.buffers(model)
    base = _base_of(base, found, buffers, grid_factor, names)
    skipped = set(skip)
    unknown = skipped - {key for f in found for key in f.keys}
    if unknown:
        raise AttachError(f"skip names no parameter of the model: {', '.join(sorted(unknown))}")
    # All that can go wrong comes before the first change to the model.
    matched = _match_all(base, found, names)
    of_file = [name for matches in matched for name in matches]
    if len(set(of_file)) != len(of_file):
        raise AttachError("two parameters of the model go to one tensor of the base; names= can tell them apart")
    _warn_of_copies(base, of_file)
    kept = [kept for kept in (_match_buffer(base, b, names) for b in buffers) if kept.names]
    counter = ByteCounter(base.tensors, priors)
    frozen: List[Tuple[nn.Parameter, torch.Tensor]] = []
    new: List[Tuple[Found, List[str], nn.Module]] = []
    for f, matches in zip(found, matched):
        if not f.tensor.requires_grad or skipped.intersection(f.keys) or (f.tensor.dim() < 2 and not side):
            frozen.append((f.tensor, base.value(matches[0])))
        elif f.tensor.dim() >= 2:
            new.append((f, matches, _ternary(base, matches[0], f.tensor.device, scales, first_scale)))
        else:
            new.append((f, matches, SideTensor(matches[0], base.value(matches[0])).to(f.tensor.device)))
    if not any(isinstance(part, TernaryWeight) for _, _, part in new):
        raise AttachError("no weight with two or more dimensions is left to train: all are skipped, or have "
                          "requires_grad False")
    ternaries: List[Ternary] = []
    sides: List[Side] = []
    for parameter, value in frozen:
        parameter.data.copy_(value)
        parameter.requires_grad_(False)
    for f, matches, part in new:
        value = base.value(matches[0]) if start == "base" else f.tensor.detach().clone()
        latent = _register(f, part, value)
        part.was_read = False  # Registering reads it.
        if isinstance(part, TernaryWeight):
            ternaries.append(Ternary(part, latent, matches))
        else:
            sides.append(Side(part, latent, matches))
    for buffer in kept:
        buffer.now().copy_(base.buffer(buffer.names[0], buffer.now().dtype))
    for module in model.modules():
        if isinstance(module, _Statistics) and module.running_mean is not None:
            module.register_forward_pre_hook(_evaluate)
    plan = Plan(base, ternaries, sides, kept, counter, budget_bytes, price=price, shrink=shrink)
    # Not a submodule, and not in its state.
    object.__setattr__(model, _PLAN, plan)
    return plan


def plan_of(model: nn.Module) -> Plan:
    """The plan that attach() made for a model, or for the one inside a wrapper."""
    plans = [vars(module)[_PLAN] for module in model.modules() if _PLAN in vars(module)]
    if len(plans) != 1:
        raise AttachError("the model has no plan: attach() makes one" if not plans else
                          f"the model has {len(plans)} plans: give each of its attached parts alone")
    return plans[0]


def _base_of(base: Union[None, safetensors.Path, BaseModel], found: List[Found], buffers: List[Found],
             grid_factor: float, names: Names) -> BaseModel:
    """What attach() was given, read, or made of the model."""
    if base is None:
        return BaseModel.from_floats({f.keys[0]: f.tensor for f in found + buffers}, {}, "the model", grid_factor,
                                     {b.keys[0] for b in buffers})
    if isinstance(base, BaseModel):
        return base
    of_buffers = {name for b in buffers for key in b.keys for name in candidates(key, names)}
    return BaseModel.load(base, grid_factor, of_buffers)


def _check_model(model: nn.Module, found: List[Found]) -> None:
    for path, module in model.named_modules():
        if parametrize.is_parametrized(module):
            raise AttachError(f"'{path}': the module has a parametrisation already")
    for f in found:
        for module, _ in f.owners:
            if isinstance(module, _UNSUITABLE):
                raise AttachError(f"'{f.keys[0]}': {type(module).__name__} keeps its weights where a parametrisation "
                                  "cannot reach them; build it of Linear layers")
            if isinstance(module, (nn.Embedding, nn.EmbeddingBag)) and module.sparse:
                raise AttachError(f"'{f.keys[0]}': its gradients are sparse, latents' are not: build it with sparse=False")
        if f.tensor.dtype != torch.float32:
            raise AttachError(f"'{f.keys[0]}' is {f.tensor.dtype}; training is in float32: model.float()")
    if not found:
        raise AttachError("the model has no parameters")


def _match_all(base: BaseModel, found: List[Found], names: Names) -> List[List[str]]:
    """The names of each parameter in the base's file."""
    try:
        matched = find_all_names(base.tensors, [f.keys for f in found], names, base.where)
    except AttachError as error:
        missing = [f for f in found if not names_in(base.tensors, f.keys, names)]
        twin = next((f for f in found if len(missing) == 1 and f is not missing[0] and f.tensor.dim() >= 2 and
                     f.tensor.shape == missing[0].tensor.shape and
                     any(isinstance(m, nn.Embedding) for m, _ in f.owners + missing[0].owners)), None)
        if twin is None:
            raise
        raise AttachError(f"{error}. Or is it tied to '{twin.keys[0]}', and stored once? Then tie it in the model: "
                          "give both modules one parameter") from None
    for f, matches in zip(found, matched):
        _check_match(base, f, matches)
    return matched


def _check_match(base: BaseModel, found: Found, matches: List[str]) -> None:
    key, parameter = found.keys[0], found.tensor
    for name in matches:
        _check_shape(base, key, parameter, name)
        if parameter.dim() >= 2 and name not in base.steps:
            raise AttachError(f"'{name}' of {base.where} is {base.dtype_of(name)}; expected INT8 with '{name}.scale', "
                              f"for '{key}' has {parameter.dim()} dimensions")
        if parameter.dim() < 2 and base.tensors[name].dtype != torch.float32:
            raise AttachError(f"'{name}' of {base.where} is {base.dtype_of(name)}; expected F32")
        if not same_bits(base.value(name), base.value(matches[0])):
            raise AttachError(f"'{matches[0]}' and '{name}' of {base.where} differ, but are one tensor, '{key}', in "
                              "the model")


def _warn_of_copies(base: BaseModel, of_model: List[str]) -> None:
    """Of weights that the model does not have but that equal one it has: a head tied by the model's code alone, say."""
    for name in base.weights:
        if name in of_model:
            continue
        twin = next((other for other in of_model if other in base.steps and len(base.tensors[other].unique()) > 1 and
                     same_bits(base.value(other), base.value(name))), None)
        if twin is not None:
            warnings.warn(f"'{name}' of {base.where} equals '{twin}', but the model has no such tensor: it stays the "
                          "base's while the other is trained. If they are tied, leave one out of the base's file, or "
                          "give the model both names", stacklevel=3)


def _match_buffer(base: BaseModel, found: Found, names: Names) -> Buffer:
    matches = names_in(base.tensors, found.keys, names)
    for name in matches:
        _check_shape(base, found.keys[0], found.tensor, name)
        base.buffer(name, found.tensor.dtype)
    return Buffer(*found.owners[0], matches)


def _check_shape(base: BaseModel, key: str, tensor: torch.Tensor, name: str) -> None:
    if base.shape_of(name) != list(tensor.shape):
        raise AttachError(f"'{key}' is {list(tensor.shape)}, but '{name}' of {base.where} is {base.shape_of(name)}")


def _ternary(base: BaseModel, name: str, device: torch.device, scales: str, first_scale: float) -> TernaryWeight:
    int8 = base.tensors[name]
    largest = int8.to(torch.float32).abs().reshape(int8.shape[0], -1).amax(dim=1).mean()
    return TernaryWeight(name, int8, base.steps[name], max(1.0, first_scale * float(largest)), scales).to(device)


def _register(found: Found, parametrization: nn.Module, value: torch.Tensor) -> nn.Parameter:
    """Parametrises a parameter in every module that has it; its latent."""
    latent: Optional[nn.Parameter] = None
    for module, name in found.owners:
        # Registering turned the first owner's weight into the latent, which the others share.
        found.tensor.data.copy_(value)
        parametrize.register_parametrization(module, name, parametrization)
        if latent is None:
            latent = module.parametrizations[name].original
        module.parametrizations[name].original = latent
    assert latent is not None
    return latent


def _evaluate(module: nn.Module, _: Any) -> None:
    """Before each forward pass of a module with running statistics: they are the base's, and stay so. A vault would
    have to store every change of them, in full."""
    module.eval()


def _check_choice(what: str, value: str, choices: Tuple[str, ...]) -> None:
    if value not in choices:
        raise AttachError(f"{what} is {value!r}; expected one of {', '.join(choices)}")
