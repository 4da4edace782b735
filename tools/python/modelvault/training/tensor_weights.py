"""How much more errors of each tensor cost than the curvature says: what `mvault fit --tensor-weights` takes."""

import copy
import math
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple, Union

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize

from . import model_tensors, safetensors
from .base_model import Names, find_all_names, names_in
from .batch import Batch
from .bits import same_bits
from .curvature_file import Metric
from .errors import AttachError
from .export import load
from .gradients import collecting
from .model_tensors import Found
from .modes import evaluating

# A fine-tune, or a function without arguments that loads it; the file it is restored from; text.
Variant = Tuple[Union[nn.Module, Callable[[], nn.Module]], safetensors.Path, Optional[Iterable[Any]]]


def tensor_weights(variants: Iterable[Variant], curvature: Optional[safetensors.Path], *,
                   importance: Optional[safetensors.Path] = None, names: Names = None, damping: float = 0.1,
                   limit: float = 4.0) -> Dict[str, float]:
    """NAME to X for `mvault fit --tensor-weight NAME=X`, in this order, from what a first fit lost;
    write_tensor_weights() makes a file of it. curvature(variants=...) does all of that at once.

    `fit` adds up q, the quadratic form of the curvature, over tensors. Errors of tensors are alike, so all of them
    together cost more than that, and some more than others. With D the error of a tensor (restored less fine-tune), the
    true cost changes with D's size by m = <gradient of KL(fine-tune || restored) at the restored model, D>, the form by
    2 q(D). X is m / (2 q), both averaged over variants first, divided by the geometric mean over all weights whose X is
    positive: the price of a byte takes up a common factor. It is kept within 1 / limit ... limit; a tensor whose error
    helps gets the least.

    variants: (model, restored, batches): the float32 fine-tune, or a function without arguments that loads it; the file
        that the fit restores it from (`--export-int8`, or `mvault restore`); batches as distill() takes them, of whose
        targets only those count that say where there is none. The model answers with logits [..., classes]. May be a
        generator that loads one model after the other. No model is changed.
    curvature, importance, damping: as they were given to `fit`, None for what was not; tensors of which they say
        nothing keep X = 1, as small ones do.
    names: what the files call a model's tensors, as in attach().

    The first fit may have weights of its own: X is in place of them, not on top."""
    everything: Dict[str, None] = {}
    weights = exact_weights(variants, Metric.read(curvature, importance, damping), names, limit, everything)
    return _as_factors(weights, everything)


def exact_weights(variants: Iterable[Variant], metric: Metric, names: Names = None, limit: float = 4.0,
                  everything: Optional[Dict[str, None]] = None) -> Dict[str, float]:
    """NAME to X, each of exactly this tensor, for those that have one; the rest as tensor_weights(). Notes the names of
    all tensors in `everything`."""
    true: Dict[str, float] = {}
    form: Dict[str, float] = {}
    sizes: Dict[str, int] = {}
    empty = True
    for model, restored, batches in variants:
        empty = False
        file = load(restored)
        if everything is not None:
            everything.update(dict.fromkeys(file))
        own = model if isinstance(model, nn.Module) else model()
        for found, all_names, slope, error in _slopes(own, file, restored, batches, names):
            known = [name for name in all_names if metric.knows(name)]
            if found.tensor.dim() < 2 or not known:
                continue
            # `fit` adds up the form for each name that a tensor has.
            q = sum(metric.form(name, error) for name in known)
            if not (math.isfinite(slope) and math.isfinite(q)):
                raise AttachError(f"'{known[0]}': the divergence's gradient ({slope}) or the curvature's form ({q}) is "
                                  "not finite")
            for name in known:
                true[name] = true.get(name, 0.0) + slope
                form[name] = form.get(name, 0.0) + 2 * q
                sizes[name] = error.numel()
    if empty:
        raise AttachError("tensor_weights needs at least one variant with batches")
    ratios = {name: true[name] / form[name] for name in true if form[name] > 0}
    return _normalised(ratios, sizes, limit)


def write_tensor_weights(weights: Mapping[str, float], path: safetensors.Path) -> None:
    """What tensor_weights() gave, to three digits, as a file for `mvault fit --tensor-weights`."""
    safetensors.write_bytes(path, ["".join(f"{name}={weight:.3g}\n" for name, weight in weights.items()).encode()])


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
    all_names = find_all_names(file, [f.keys for f in found], names, str(path))
    for f, matches in zip(found, all_names):
        _put(f, file, path, matches)
    for f in model_tensors.buffers(other):
        matches = names_in(file, f.keys, names)
        if matches:
            _put(f, file, path, matches)
    own = [f.tensor.detach() for f in model_tensors.parameters(model)]
    errors = [(f.tensor.detach().cpu().to(torch.float64) - o.cpu().to(torch.float64)) for f, o in zip(found, own)]
    slopes = [0.0] * len(found)
    positions = 0
    with evaluating(model), evaluating(other), collecting([f.tensor for f in found]) as gradients:
        for batch in map(Batch, batches or ()):
            with torch.no_grad():
                logits = batch.logits(model)
                kept = batch.kept(logits)
                theirs = _log_probabilities(logits, kept)
            with torch.enable_grad():
                ours = _log_probabilities(batch.logits(other), kept)
                divergence = functional.kl_div(ours, theirs, reduction="sum", log_target=True)
            positions += len(theirs)
            for i, gradient in enumerate(gradients.of(divergence)):
                if gradient is not None:
                    slopes[i] += float((gradient.cpu().to(torch.float64) * errors[i]).sum())
    if positions == 0:
        raise AttachError("tensor_weights needs at least one batch of each variant")
    return [(f, n, slope / positions, error) for f, n, slope, error in zip(found, all_names, slopes, errors)]


def _put(found: Found, file: Mapping[str, torch.Tensor], path: safetensors.Path, matches: List[str]) -> None:
    """Gives a tensor the file's values."""
    value = file[matches[0]]
    for name in matches[1:]:
        if not same_bits(file[name], value):
            raise AttachError(f"{path}: '{matches[0]}' and '{name}' differ, but are one tensor, '{found.keys[0]}', in "
                              "the model")
    if value.shape != found.tensor.shape:
        raise AttachError(f"{path}: '{matches[0]}' is {list(value.shape)}, the model's '{found.keys[0]}' is "
                          f"{list(found.tensor.shape)}")
    with torch.no_grad():
        found.tensor.copy_(value)


def _log_probabilities(logits: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """[places, classes], of the places that count."""
    return functional.log_softmax(logits.reshape(-1, logits.shape[-1]), -1)[kept]


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
    """`fit` applies a factor to every tensor that has the text in its name, and multiplies factors: what shorter names
    do to longer ones ('layers.1.w' to 'layers.1.w2', or 'layers.1.w.bias') is taken back there."""
    factors: Dict[str, float] = {}
    for name in sorted(everything, key=lambda n: (len(n), n)):
        already = math.prod(factor for part, factor in factors.items() if part in name)
        wanted = weights.get(name, 1.0)
        if not math.isclose(wanted, already, rel_tol=1e-9):
            factors[name] = wanted / already
    return factors
