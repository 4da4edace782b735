"""The base that variants differ from: INT8 weights with a grid, and all other tensors, from a file or from a model."""

from typing import Callable, Collection, Dict, Iterable, List, Mapping, Union

import torch

from . import safetensors
from .errors import AttachError, ModelFileError
from .grid import GRID_FACTOR, quantize, rows_of

Names = Union[None, Mapping[str, str], Callable[[str], str]]
_SUFFIX = ".scale"


def candidates(key: str, names: Names) -> List[str]:
    """What a file may call a model's tensor."""
    if callable(names):
        return [names(key)]
    if names is not None and key in names:
        return [names[key]]
    return [key] + ([key[:-len(".weight")]] if key.endswith(".weight") else [])


def names_in(file: Collection[str], keys: Iterable[str], names: Names) -> List[str]:
    """All names that a file has for a tensor with these names in the model: a tied one may be stored under each."""
    found = [next((name for name in candidates(key, names) if name in file), None) for key in keys]
    return list(dict.fromkeys(name for name in found if name is not None))


def find_names(file: Collection[str], keys: List[str], names: Names, where: str) -> List[str]:
    """names_in(), of a tensor that the file `where` must have."""
    found = names_in(file, keys, names)
    if not found:
        looked_for = " and ".join(repr(c) for c in candidates(keys[0], names))
        raise AttachError(f"{where}: no tensor for the model's '{keys[0]}' (looked for {looked_for}); names= can tell "
                          "which it is")
    return found


class BaseModel:
    """Tensors in the order of the file, whose order every variant shares. `weights` names the INT8 tensors that have
    a grid; `steps` has it."""

    def __init__(self, tensors: Dict[str, torch.Tensor], metadata: Dict[str, str], where: str):
        self.tensors = tensors
        self.metadata = metadata
        self.where = where
        self.weights: List[str] = []
        self.steps: Dict[str, torch.Tensor] = {}
        for name, tensor in tensors.items():
            if tensor.dtype != torch.int8:
                continue
            step = tensors.get(name + _SUFFIX)
            if step is None:
                continue
            if step.dtype != torch.float32 or step.numel() not in (1, rows_of(tensor)):
                raise ModelFileError(f"{where}: '{name}{_SUFFIX}' has {step.numel()} values of {step.dtype}; expected "
                                     f"F32, one for each of the {rows_of(tensor)} rows of '{name}' or one for all")
            if not bool((step > 0).all()) or not bool(torch.isfinite(step).all()):
                raise ModelFileError(f"{where}: '{name}{_SUFFIX}' has a step that is not positive and finite")
            self.weights.append(name)
            self.steps[name] = step.reshape(-1)

    @classmethod
    def load(cls, path: safetensors.Path, grid_factor: float = GRID_FACTOR,
             keep: Collection[str] = ()) -> "BaseModel":
        """Of a file: INT8 as `mvault fit --export-int8` leaves it, or float, which is rounded to a grid first."""
        model = safetensors.read(path)
        if any(t.dtype == torch.int8 for t in model.tensors.values()):
            return cls(model.tensors, model.metadata, model.path)
        return cls.from_floats(model.tensors, model.metadata, model.path, grid_factor, keep)

    @classmethod
    def from_floats(cls, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str], where: str,
                    grid_factor: float = GRID_FACTOR, keep: Collection[str] = ()) -> "BaseModel":
        """Every float tensor with rows becomes INT8 with a step a row; all others stay as they are, and those that `keep`
        names: buffers, of whose values nothing is known."""
        rounded: Dict[str, torch.Tensor] = {}
        for name, tensor in tensors.items():
            # A copy: a model's own tensors move on.
            tensor = tensor.detach().cpu().clone()
            if not tensor.dtype.is_floating_point or tensor.dim() < 2 or tensor.numel() == 0 or name in keep:
                rounded[name] = tensor.to(torch.float32) if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
                continue
            if not bool(torch.isfinite(tensor).all()):
                raise ModelFileError(f"{where}: tensor '{name}' has values that are not finite")
            rounded[name], rounded[name + _SUFFIX] = quantize(tensor, grid_factor)
        return cls(rounded, {**metadata, "quantization": "symmetric int8, one F32 scale per row"}, where)

    def value(self, name: str) -> torch.Tensor:
        """A tensor in F32, as a model computes with it."""
        tensor = self.tensors[name]
        if name in self.steps:
            return tensor.to(torch.float32) * self.steps[name].reshape([-1] + [1] * (tensor.dim() - 1))
        return tensor.to(torch.float32)

    def buffer(self, name: str, dtype: torch.dtype) -> torch.Tensor:
        """A tensor as a model's buffer has it."""
        return (self.value(name) if name in self.steps else self.tensors[name]).to(dtype)

    def save(self, path: safetensors.Path) -> None:
        """Writes it as the INT8 file that `mvault pack --base` takes."""
        safetensors.write(path, self.tensors, self.metadata)
