"""Puts the ternary parametrisation on a model's weights."""

import os
from typing import Dict, Iterable, List, Optional, Tuple, Union

import torch
from torch import nn
from torch.nn.utils import parametrize

from . import safetensors
from .base_model import BaseModel, Names
from .byte_count import ByteCounter
from .errors import AttachError
from .grid import GRID_FACTOR
from .plan import FIRST_SHRINK, Plan, Side, Ternary
from .priors import Priors
from .side_tensor import SideTensor
from .ternary import TernaryWeight

# The first scale, as a share of a row's largest weight: 14 of 127 steps of the finest grid did best in first trials.
FIRST_SCALE = 14 / 127
_PLAN = "_modelvault_plan"
# They hand their weights to the kernels behind the parametrisation's back.
_UNSUITABLE = (nn.RNNBase,)


def attach(model: nn.Module, base: Union[None, safetensors.Path, BaseModel] = None, budget_bytes: float = 8300, *,
           priors: Union[None, safetensors.Path, Priors] = None, start: str = "base", scales: str = "tensor",
           first_scale: float = FIRST_SCALE, side: bool = True, price: str = "coder", shrink: float = FIRST_SHRINK,
           names: Names = None, skip: Iterable[str] = (), grid_factor: float = GRID_FACTOR) -> Plan:
    """Makes `model` a variant of `base` that can be trained: every weight with two or more dimensions becomes the
    base's INT8 weight plus k * {-1, 0, +1}, every norm and bias the base's moved by whole units.

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
    if hasattr(model, _PLAN):
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
    found = _find_parameters(model)
    if base is None:
        base = BaseModel.from_floats({key: owners[0][2] for key, owners in found.items()} | _buffers(model), {},
                                     "the model", grid_factor)
    elif not isinstance(base, BaseModel):
        base = BaseModel.load(base, grid_factor)
    skipped = set(skip)
    unknown = skipped - set(found)
    if unknown:
        raise AttachError(f"skip names no parameter of the model: {', '.join(sorted(unknown))}")
    # All that can go wrong comes before the first change to the model.
    matched = {key: _match(base, key, owners[0][2], names) for key, owners in found.items()}
    if len(set(matched.values())) != len(matched):
        raise AttachError("two parameters of the model go to one tensor of the base; names= can tell them apart")
    fixed = {base.find(key, names): buffer for key, buffer in _buffers(model).items()
             if _has(base, key, names)}
    ternaries: List[Ternary] = []
    sides: List[Side] = []
    for key, owners in found.items():
        name, parameter = matched[key], owners[0][2]
        value = base.value(name).reshape(parameter.shape).to(parameter.device)
        if key in skipped or (parameter.dim() < 2 and not side):
            parameter.data.copy_(value)
            parameter.requires_grad_(False)
        elif parameter.dim() >= 2:
            weight = _ternary(base, name, parameter, scales, first_scale)
            ternaries.append(Ternary(weight, _register(owners, weight, value if start == "base" else None)))
        else:
            tensor = SideTensor(name, value.clone())
            sides.append(Side(tensor, _register(owners, tensor, value if start == "base" else None)))
    plan = Plan(base, ternaries, sides, budget_bytes, counter=ByteCounter(base.tensors, priors), price=price,
                shrink=shrink, fixed=fixed)
    # Not a submodule, and not in its state.
    object.__setattr__(model, _PLAN, plan)
    return plan


def plan_of(model: nn.Module) -> Plan:
    """The plan that attach() made for a model."""
    plan = getattr(model, _PLAN, None)
    if plan is None:
        raise AttachError("the model has no plan: attach() makes one")
    return plan


Owner = Tuple[nn.Module, str, nn.Parameter]


def _find_parameters(model: nn.Module) -> Dict[str, List[Owner]]:
    """Each parameter under its first name, with every module that has it: tied weights have more than one."""
    found: Dict[str, List[Owner]] = {}
    first_names: Dict[int, str] = {}
    for path, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            key = f"{path}.{name}" if path else name
            if isinstance(module, _UNSUITABLE):
                raise AttachError(f"'{key}': {type(module).__name__} keeps its weights where a parametrisation cannot "
                                  "reach them; build it of Linear layers")
            if parametrize.is_parametrized(module):
                raise AttachError(f"'{key}': the module has a parametrisation already")
            if parameter.dtype != torch.float32:
                raise AttachError(f"'{key}' is {parameter.dtype}; training is in float32: model.float()")
            first = first_names.setdefault(id(parameter), key)
            found.setdefault(first, []).append((module, name, parameter))
    if not found:
        raise AttachError("the model has no parameters")
    return found


def _buffers(model: nn.Module) -> Dict[str, torch.Tensor]:
    """Those that a model's file has: running means and the like."""
    kept = model.state_dict()
    return {key: buffer for key, buffer in model.named_buffers() if key in kept}


def _has(base: BaseModel, key: str, names: Names) -> bool:
    try:
        return bool(base.find(key, names))
    except AttachError:
        return False


def _match(base: BaseModel, key: str, parameter: nn.Parameter, names: Names) -> str:
    name = base.find(key, names)
    tensor = base.tensors[name]
    if tuple(tensor.shape) != tuple(parameter.shape):
        raise AttachError(f"'{key}' is {list(parameter.shape)}, but '{name}' of {base.where} is {list(tensor.shape)}")
    if parameter.dim() >= 2 and name not in base.steps:
        raise AttachError(f"'{name}' of {base.where} is {tensor.dtype}; expected INT8 with '{name}.scale', for "
                          f"'{key}' has {parameter.dim()} dimensions")
    if parameter.dim() < 2 and tensor.dtype != torch.float32:
        raise AttachError(f"'{name}' of {base.where} is {tensor.dtype}; expected F32")
    return name


def _ternary(base: BaseModel, name: str, parameter: nn.Parameter, scales: str, first_scale: float) -> TernaryWeight:
    int8 = base.tensors[name].to(parameter.device)
    largest = int8.to(torch.float32).abs().reshape(int8.shape[0], -1).amax(dim=1).mean()
    return TernaryWeight(name, int8, base.steps[name].to(parameter.device), max(1.0, first_scale * float(largest)),
                         scales)


def _register(owners: List[Owner], parametrization: nn.Module, value: Optional[torch.Tensor]) -> nn.Parameter:
    """Parametrises a parameter in every module that has it; its latent."""
    latent: Optional[nn.Parameter] = None
    weight = owners[0][2].detach().clone() if value is None else value
    for module, name, parameter in owners:
        # Registering turned the first owner's weight into the latent, which the others share.
        parameter.data.copy_(weight)
        parametrize.register_parametrization(module, name, parametrization)
        if latent is None:
            latent = module.parametrizations[name].original
        module.parametrizations[name].original = latent
    assert latent is not None
    return latent


def _check_choice(what: str, value: str, choices: Tuple[str, ...]) -> None:
    if value not in choices:
        raise AttachError(f"{what} is {value!r}; expected one of {', '.join(choices)}")
