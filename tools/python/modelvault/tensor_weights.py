"""How much more errors of each tensor cost than the curvature says: what `mvault fit --tensor-weights` takes."""

import copy
import math
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize

from . import model_tensors, safetensors
from .base_model import Names, find_names, names_in
from .errors import AttachError, ModelFileError
from .export import load
from .model_tensors import Found
from .modes import evaluating
from .targets import kept_places

# A fine-tune, the file it is restored from, and text.
Variant = Tuple[nn.Module, safetensors.Path, Iterable[Any]]


def tensor_weights(variants: Iterable[Variant], curvature: Optional[safetensors.Path], *,
                   importance: Optional[safetensors.Path] = None, names: Names = None, damping: float = 0.1,
                   limit: float = 4.0) -> Dict[str, float]:
    """NAME to X for `mvault fit --tensor-weight NAME=X`, in this order, from what a first fit lost;
    write_tensor_weights() makes a file of it.

    `fit` adds up q, the quadratic form of the curvature, over tensors. Errors of tensors are alike, so all of them
    together cost more than that, and some more than others. With D the error of a tensor (restored less fine-tune), the
    true cost changes with D's size by m = <gradient of KL(fine-tune || restored) at the restored model, D>, the form by
    2 q(D). X is m / (2 q), both averaged over variants first, divided by the geometric mean over all weights whose X is
    positive: the price of a byte takes up a common factor. It is kept within 1 / limit ... limit; a tensor whose error
    helps gets the least.

    variants: (model, restored, batches): the float32 fine-tune; the file that the fit restores it from (`--export-int8`,
        or `mvault restore`); inputs, or (inputs, targets, ...), of which targets of -100 mark places that do not count.
        model(inputs) gives logits [..., classes]. May be a generator that loads one model after the other. No model is
        changed.
    curvature, importance, damping: as they were given to `fit`, None for what was not; tensors that have neither keep
        X = 1, as small ones do.
    names: what the files call a model's tensors, as in attach().

    The first fit may have weights of its own: X is in place of them, not on top."""
    metric = _Metric(curvature, importance, damping)
    true: Dict[str, float] = {}
    form: Dict[str, float] = {}
    sizes: Dict[str, int] = {}
    everything: Dict[str, None] = {}
    for model, restored, batches in variants:
        file = load(restored)
        everything.update(dict.fromkeys(file))
        for found, all_names, slope, error in _slopes(model, file, restored, batches, names):
            known = [name for name in all_names if metric.knows(name)]
            if found.tensor.dim() < 2 or not known:
                continue
            # `fit` adds up the form for each name that a tensor has.
            q = sum(metric.form(name, error) for name in known)
            if not (math.isfinite(slope) and math.isfinite(q)):
                raise AttachError(f"'{known[0]}': the divergence's gradient ({slope}) or the curvature's form ({q}) is not "
                                  "finite")
            for name in known:
                true[name] = true.get(name, 0.0) + slope
                form[name] = form.get(name, 0.0) + 2 * q
                sizes[name] = error.numel()
    if not everything:
        raise AttachError("tensor_weights needs at least one variant")
    ratios = {name: true[name] / form[name] for name in true if form[name] > 0}
    return _as_factors(_normalised(ratios, sizes, limit), everything)


def write_tensor_weights(weights: Mapping[str, float], path: safetensors.Path) -> None:
    """What tensor_weights() gave, to three digits, as a file for `mvault fit --tensor-weights`."""
    safetensors.write_bytes(path, ["".join(f"{name}={weight:.3g}\n" for name, weight in weights.items()).encode()])


class _Metric:
    """The quadratic form of `fit`, without weights."""

    def __init__(self, curvature: Optional[safetensors.Path], importance: Optional[safetensors.Path], damping: float):
        self._factors = {} if curvature is None else safetensors.read(curvature).tensors
        self._diagonals = {} if importance is None else safetensors.read(importance).tensors
        self._damping = damping

    def knows(self, name: str) -> bool:
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


def _slopes(model: nn.Module, file: Mapping[str, torch.Tensor], path: safetensors.Path, batches: Iterable[Any],
            names: Names) -> List[Tuple[Found, List[str], float, torch.Tensor]]:
    """For each parameter its names in the file, <gradient, error> and the error."""
    if any(parametrize.is_parametrized(module) for module in model.modules()):
        raise AttachError("tensor_weights takes the float fine-tune; this model has parametrisations (attach() makes such)")
    other = copy.deepcopy(model)
    found = model_tensors.parameters(other)
    for f in found:
        if f.tensor.dtype != torch.float32:
            raise AttachError(f"'{f.keys[0]}' is {f.tensor.dtype}; errors are measured in float32: model.float()")
    all_names = [_put(f, file, path, names) for f in found]
    for f in model_tensors.buffers(other):
        if names_in(file, f.keys, names):
            _put(f, file, path, names)
    own = [f.tensor.detach() for f in model_tensors.parameters(model)]
    errors = [(f.tensor.detach().cpu().to(torch.float64) - o.cpu().to(torch.float64)) for f, o in zip(found, own)]
    slopes = [0.0] * len(found)
    positions = 0
    for f in found:
        f.tensor.requires_grad_(True)
    with evaluating(model), evaluating(other):
        for batch in batches:
            inputs, targets = (batch[0], batch[1:2]) if isinstance(batch, (tuple, list)) else (batch, ())
            with torch.no_grad():
                theirs = _log_probabilities(model, inputs, targets)
            with torch.enable_grad():
                divergence = functional.kl_div(_log_probabilities(other, inputs, targets), theirs, reduction="sum",
                                               log_target=True)
                gradients = torch.autograd.grad(divergence, [f.tensor for f in found], allow_unused=True)
            positions += len(theirs)
            for i, gradient in enumerate(gradients):
                if gradient is not None:
                    slopes[i] += float((gradient.cpu().to(torch.float64) * errors[i]).sum())
    if positions == 0:
        raise AttachError("tensor_weights needs at least one batch of each variant")
    return [(f, n, slope / positions, error) for f, n, slope, error in zip(found, all_names, slopes, errors)]


def _put(found: Found, file: Mapping[str, torch.Tensor], path: safetensors.Path, names: Names) -> List[str]:
    """Gives a tensor the file's values; its names there."""
    matches = find_names(file, found.keys, names, str(path))
    value = file[matches[0]]
    for name in matches[1:]:
        if not torch.equal(file[name], value):
            raise AttachError(f"{path}: '{matches[0]}' and '{name}' differ, but are one tensor, '{found.keys[0]}', in the "
                              "model")
    if value.shape != found.tensor.shape:
        raise AttachError(f"{path}: '{matches[0]}' is {list(value.shape)}, the model's '{found.keys[0]}' is "
                          f"{list(found.tensor.shape)}")
    with torch.no_grad():
        found.tensor.copy_(value)
    return matches


def _log_probabilities(model: nn.Module, inputs: Any, targets: Sequence[Optional[torch.Tensor]]) -> torch.Tensor:
    """[places, classes], without places that have no target."""
    logits = model(inputs)
    log_probabilities = functional.log_softmax(logits.reshape(-1, logits.shape[-1]), -1)
    if not targets or targets[0] is None:
        return log_probabilities
    return log_probabilities[kept_places(logits, targets[0])]


def _normalised(ratios: Mapping[str, float], sizes: Mapping[str, int], limit: float) -> Dict[str, float]:
    # Where an error helps, nothing is known of how much it would cost elsewhere: the least weight.
    positive = {name: ratio for name, ratio in ratios.items() if ratio > 0}
    if not positive:
        raise AttachError("no tensor's error costs anything: are these files restored from these models, and the "
                          "batches their text?")
    count = sum(sizes[name] for name in positive)
    mean = math.exp(sum(sizes[name] * math.log(ratio) for name, ratio in positive.items()) / count)
    return {name: min(limit, max(1 / limit, ratio / mean)) for name, ratio in ratios.items()}


def _as_factors(weights: Mapping[str, float], everything: Iterable[str]) -> Dict[str, float]:
    """`fit` applies a factor to every tensor that has the text in its name, and multiplies factors: what shorter names do
    to longer ones ('layers.1.w' to 'layers.1.w2', or 'layers.1.w.bias') is taken back there."""
    factors: Dict[str, float] = {}
    for name in sorted(everything, key=lambda n: (len(n), n)):
        already = math.prod(factor for part, factor in factors.items() if part in name)
        wanted = weights.get(name, 1.0)
        if not math.isclose(wanted, already, rel_tol=1e-9):
            factors[name] = wanted / already
    return factors
