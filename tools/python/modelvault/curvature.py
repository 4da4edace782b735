"""How much a model's loss minds errors in its weights: the files that `mvault fit --curvature --importance` takes."""

import contextlib
import warnings
from typing import Any, Dict, Iterable, Iterator, List, Optional

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize

from . import model_tensors, safetensors
from .base_model import Names, candidates, names_in
from .errors import AttachError
from .layer_moments import LayerMoments
from .model_tensors import Found
from .modes import evaluating

# Wider layers get no factors, only importance: a factor has the square of this many values.
_MOST_WIDE = 4096


def curvature(model: nn.Module, batches: Iterable[Any], path: safetensors.Path, *,
              importance: Optional[safetensors.Path] = None, base: Optional[safetensors.Path] = None,
              names: Names = None, seed: int = 0) -> List[str]:
    """Writes `path` with, for each linear or convolution weight NAME, NAME.H (in x in) and NAME.G (out x out), the
    second moments of the layer's input and of the gradient at its output (J. Martens, R. Grosse, arXiv:1503.05671; for
    convolutions R. Grosse, J. Martens, arXiv:1602.01407). Writes `importance`, if given, with a value for each weight:
    the Fisher information's diagonal. Both are of the loss of one target, which is drawn from the model's own
    distribution (F. Kunstner, L. Balles, P. Hennig, arXiv:1905.12558, on why not from the data). Returns the names.
    Warns of weights that get no factors; `fit` goes by their importance.

    batches: inputs, or tuples that begin with them; model(inputs) gives logits [..., classes].
    base, names: NAME is as the base's file has it, found as attach() does; without a file, the model's own name, or what
        `names` makes of it. Tied weights are written under each of their names. The model is not changed."""
    if any(parametrize.is_parametrized(module) for module in model.modules()):
        raise AttachError("curvature is of a model's own weights; call it before attach(), or on a model that was exported")
    found = model_tensors.parameters(model)
    moments = {id(f.tensor): LayerMoments(f.tensor) for f in found if LayerMoments.suits(f, _MOST_WIDE)}
    known = None if base is None else set(safetensors.read(base).tensors)
    squares = [torch.zeros_like(f.tensor) for f in found] if importance is not None else []
    generator = torch.Generator().manual_seed(seed)
    targets = 0
    with contextlib.ExitStack() as stack:
        stack.enter_context(evaluating(model))
        stack.enter_context(_differentiable(found))
        for f in found:
            if id(f.tensor) in moments:
                for module, _ in f.owners:
                    stack.callback(module.register_forward_hook(moments[id(f.tensor)].see).remove)
        for batch in batches:
            inputs = batch[0] if isinstance(batch, (tuple, list)) else batch
            with torch.enable_grad():
                logits = model(inputs)
                logits = logits.reshape(-1, logits.shape[-1])
                drawn = torch.multinomial(logits.detach().softmax(-1).cpu(), 1, generator=generator)[:, 0]
                loss = functional.cross_entropy(logits, drawn.to(logits.device), reduction="sum")
                gradients = torch.autograd.grad(loss, [f.tensor for f in found], allow_unused=True)
            targets += logits.shape[0]
            for square, gradient in zip(squares, gradients):
                if gradient is not None:
                    # Targets are drawn independently: the mixed terms of the square vanish on average.
                    square += gradient.square()
    if targets == 0:
        raise AttachError("curvature needs at least one batch")
    tensors: Dict[str, torch.Tensor] = {}
    of_file = [_names_of(f, known, names) for f in found]
    without = []
    for f, all_names in zip(found, of_file):
        moment = moments.get(id(f.tensor))
        if moment is not None and moment.positions > 0:
            for name in all_names:
                tensors[name + ".H"] = (moment.inputs / targets).to(torch.float32)
                tensors[name + ".G"] = (moment.gradients / moment.positions).to(torch.float32)
        elif f.tensor.dim() >= 2 and not all(isinstance(m, (nn.Embedding, nn.EmbeddingBag)) for m, _ in f.owners):
            without.append(f.keys[0])
    if without:
        warnings.warn(f"no factors for {', '.join(without)}: of linear layers and ungrouped convolutions of one or two "
                      f"dimensions only, at most {_MOST_WIDE} wide, that the model calls", stacklevel=2)
    safetensors.write(path, tensors, {"role": "Kronecker curvature"})
    if importance is not None:
        safetensors.write(importance, {name: (square / targets).to(torch.float32)
                                       for all_names, square in zip(of_file, squares) for name in all_names},
                          {"role": "Fisher diagonal"})
    return [name[:-2] for name in tensors if name.endswith(".H")]


def _names_of(found: Found, known: Optional[set], names: Names) -> List[str]:
    if known is None:
        return list(dict.fromkeys(candidates(key, names)[0] for key in found.keys))
    matches = names_in(known, found.keys, names)
    if not matches:
        raise AttachError(f"the base has no tensor for the model's '{found.keys[0]}'; names= can tell which it is")
    return matches


@contextlib.contextmanager
def _differentiable(found: List[Found]) -> Iterator[None]:
    """Frozen parameters are quantised as others are, so their curvature counts as well."""
    frozen = [f.tensor for f in found if not f.tensor.requires_grad]
    for parameter in frozen:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)
