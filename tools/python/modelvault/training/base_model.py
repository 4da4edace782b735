"""The base that variants differ from: INT8 weights with a grid, and all other tensors, from a file or from a model."""

import warnings
from typing import Callable, Collection, Dict, Iterable, List, Mapping, Optional, Sequence, Union

import torch

from . import safetensors
from .errors import AttachError, ModelFileError
from .grid import GRID_FACTOR, quantize, rows_lost, rows_of, usual_step
from .safetensors import Foreign

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


def find_all_names(file: Collection[str], all_keys: Sequence[List[str]], names: Names, where: str) -> List[List[str]]:
    """names_in() of each of these tensors, which the file `where` must have. An AttachError tells all that are missing,
    and what they seem to be called there."""
    found = [names_in(file, keys, names) for keys in all_keys]
    missing = [keys[0] for keys, matches in zip(all_keys, found) if not matches]
    if missing:
        looked_for = " and ".join(repr(c) for c in candidates(missing[0], names))
        others = f" and {len(missing) - 1} of its other {len(all_keys) - 1} tensors" if len(missing) > 1 else ""
        raise AttachError(f"{where}: no tensor for the model's '{missing[0]}'{others} (looked for {looked_for}); "
                          f"{_guess(file, missing, names)}")
    return found


def _guess(file: Collection[str], missing: List[str], names: Names) -> str:
    """What the user might do about tensors that the file lacks."""
    if names is None:
        for prefix in [name[:-len(missing[0])] for name in file if name.endswith("." + missing[0])]:
            if all(prefix + key in file for key in missing):
                return f"all are there with '{prefix}' in front: names=lambda key: '{prefix}' + key"
        parts = missing[0].split(".")
        for i in range(1, len(parts)):
            prefix = ".".join(parts[:i]) + "."
            if all(key.startswith(prefix) and key[len(prefix):] in file for key in missing):
                return f"all are there without '{prefix}' in front: names=lambda key: key[{len(prefix)}:]"
    return "names= can tell which it is"


def _is_weight(tensor: torch.Tensor) -> bool:
    """Whether a base that is rounded has it in INT8."""
    return (tensor.dtype.is_floating_point and tensor.dim() >= 2 and tensor.numel() > 0 and
            safetensors.foreign_of(tensor) is None)


class BaseModel:
    """Tensors in the order of the file, whose order every variant shares. `weights` names the INT8 tensors that have
    a grid; `steps` has it."""

    def __init__(self, tensors: Dict[str, torch.Tensor], metadata: Dict[str, str], where: str,
                 foreign: Optional[Dict[str, Foreign]] = None):
        self.tensors = tensors
        self.metadata = metadata
        self.where = where
        self.foreign = foreign or {}
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
        if any(t.dtype == torch.int8 and name + _SUFFIX in model.tensors for name, t in model.tensors.items()):
            return cls(model.tensors, model.metadata, model.path, model.foreign)
        return cls.from_floats(model.tensors, model.metadata, model.path, grid_factor, keep, model.foreign)

    @classmethod
    def from_floats(cls, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str], where: str,
                    grid_factor: float = GRID_FACTOR, keep: Collection[str] = (),
                    foreign: Optional[Dict[str, Foreign]] = None) -> "BaseModel":
        """Every float tensor with rows becomes INT8 with a step a row; all others stay as they are, and those that
        `keep` names: buffers, of whose values nothing is known. Warns of rows that the grid does not suit."""
        rounded: Dict[str, torch.Tensor] = {}
        foreign = dict(foreign or {})
        poor: List[str] = []
        # Where a tensor has no weight that is not zero, its steps are as the others'.
        weights = [tensor for name, tensor in tensors.items() if _is_weight(tensor) and name not in keep]
        steps_of_others = usual_step(weights, grid_factor)
        for name, tensor in tensors.items():
            # A copy: a model's own tensors move on.
            tensor = tensor.detach().cpu().clone()
            own = safetensors.foreign_of(tensor)
            if own is not None:
                rounded[name], foreign[name] = tensor.reshape(-1).view(torch.uint8), own
                continue
            if not _is_weight(tensor) or name in keep:
                rounded[name] = tensor.to(torch.float32) if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
                continue
            if not bool(torch.isfinite(tensor).all()):
                raise ModelFileError(f"{where}: tensor '{name}' has values that are not finite")
            rounded[name], rounded[name + _SUFFIX] = quantize(tensor, grid_factor, steps_of_others)
            rows = rows_lost(tensor, rounded[name], rounded[name + _SUFFIX])
            if rows:
                poor.append(f"'{name}' row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows[:5]))}"
                            f"{', ...' if len(rows) > 5 else ''}")
        if poor:
            warnings.warn(f"{where}: {'; '.join(poor)}: a weight far larger than the row's others takes most of them "
                          "to zero in INT8; make it smaller before, or leave the row's loss as it is", stacklevel=3)
        return cls(rounded, {**metadata, "quantization": "symmetric int8, one F32 scale per row"}, where, foreign)

    def value(self, name: str) -> torch.Tensor:
        """A tensor in F32, as a model computes with it."""
        tensor = self.tensors[name]
        if name in self.steps:
            return tensor.to(torch.float32) * self.steps[name].reshape([-1] + [1] * (tensor.dim() - 1))
        return tensor.to(torch.float32)

    def buffer(self, name: str, dtype: torch.dtype) -> torch.Tensor:
        """A tensor as a model's buffer has it."""
        if name in self.foreign:
            tensor = safetensors.as_torch(self.tensors[name], self.foreign[name])
            if tensor is None or tensor.dtype != dtype:
                raise AttachError(f"'{name}' of {self.where} is {self.foreign[name].dtype}, the model's is {dtype}")
            return tensor
        return (self.value(name) if name in self.steps else self.tensors[name]).to(dtype)

    def dtype_of(self, name: str) -> str:
        """What to call a tensor's dtype."""
        return self.foreign[name].dtype if name in self.foreign else str(self.tensors[name].dtype)

    def shape_of(self, name: str) -> List[int]:
        """A tensor's shape in the file."""
        return self.foreign[name].shape if name in self.foreign else list(self.tensors[name].shape)

    def save(self, path: safetensors.Path) -> None:
        """Writes it as the INT8 file that `mvault pack --base` takes."""
        safetensors.write(path, self.tensors, self.metadata, self.foreign)
