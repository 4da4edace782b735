"""The file of `mvault fit --curvature`: what it may have of a tensor NAME, and the metric that `fit` makes of it."""

from typing import Dict, Mapping, Optional

import torch

from . import safetensors
from .errors import ModelFileError

# F32, of NAME's shape: the Fisher information's diagonal.
IMPORTANCE = ".importance"
# F32, a scalar: a factor of exactly this tensor's errors.
TENSOR_WEIGHT = ".tensor_weight"


def write(path: safetensors.Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """A file of these."""
    safetensors.write(path, tensors, {"role": "Kronecker curvature"})


def diagonals(known: Mapping[str, torch.Tensor]) -> Dict[str, torch.Tensor]:
    """What the file has of importance, by NAME."""
    return {name[:-len(IMPORTANCE)]: values for name, values in known.items() if name.endswith(IMPORTANCE)}


class Metric:
    """The quadratic form of `fit`, without tensor weights. `known` is what the file has; `importance`, where given, is
    by NAME and in place of the file's."""

    def __init__(self, known: Mapping[str, torch.Tensor], importance: Optional[Mapping[str, torch.Tensor]] = None,
                 damping: float = 0.1):
        self._factors = known
        self._diagonals = diagonals(known) if importance is None else importance
        self._damping = damping

    @classmethod
    def read(cls, curvature: Optional[safetensors.Path], importance: Optional[safetensors.Path],
             damping: float) -> "Metric":
        """Of the files that `fit` was given."""
        return cls({} if curvature is None else safetensors.read(curvature).tensors,
                   None if importance is None else safetensors.read(importance).tensors, damping)

    def knows(self, name: str) -> bool:
        """Whether it has a form for the tensor."""
        return self._has_factors(name) or name in self._diagonals

    def form(self, name: str, error: torch.Tensor) -> float:
        """Half the form of an error."""
        error = error.flatten(1)
        if not self._has_factors(name):
            diagonal = self._diagonals[name].to(torch.float64)
            if diagonal.flatten(1).shape != error.shape:
                raise ModelFileError(f"the importance of '{name}' is {list(diagonal.shape)}, the model has "
                                     f"{list(error.shape)} weights")
            diagonal = diagonal.flatten(1)
            return 0.5 * float(((diagonal + self._damping * diagonal.mean()) * error.square()).sum())
        g, h = (self._damped(self._factors[name + end]) for end in (".G", ".H"))
        if len(g) != error.shape[0] or len(h) != error.shape[1]:
            raise ModelFileError(f"the curvature of '{name}' is for {len(g)} x {len(h)} weights, the model has "
                                 f"{error.shape[0]} x {error.shape[1]}")
        return 0.5 * float(((g @ error @ h) * error).sum())

    def _has_factors(self, name: str) -> bool:
        return name + ".G" in self._factors and name + ".H" in self._factors

    def _damped(self, factor: torch.Tensor) -> torch.Tensor:
        factor = factor.to(torch.float64)
        return factor + self._damping * factor.diagonal().mean() * torch.eye(len(factor), dtype=torch.float64)
