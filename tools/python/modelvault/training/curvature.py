"""How much a model's loss minds errors in its weights: the file that `mvault fit --curvature` takes."""

import contextlib
import warnings
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple, Union

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize

from . import curvature_file, model_tensors, safetensors
from .base_model import Names, candidates, find_all_names
from .batch import Batch
from .errors import AttachError
from .first_fit import exported_variants
from .gradients import collecting
from .layer_moments import LayerMoments
from .model_tensors import Found
from .modes import evaluating
from .tensor_weights import Variant, exact_weights

# Wider layers get no factors, only importance: a factor has the square of this many values.
_MOST_WIDE = 4096


def curvature(model: nn.Module, batches: Iterable[Any], path: safetensors.Path, *,
              variants: Optional[Iterable[Variant]] = None, budget: Union[None, int, str] = None,
              program: safetensors.Path = "mvault", fit_options: Sequence[str] = (),
              importance: Optional[safetensors.Path] = None, base: Optional[safetensors.Path] = None,
              names: Names = None, seed: int = 0) -> List[str]:
    """Writes `path`, all that `mvault fit --curvature` wants to know, and returns the names that have factors:

    - for each linear or convolution weight NAME the factors NAME.H (in x in) and NAME.G (out x out): the second moments
      of the layer's input and of the gradient at its output (J. Martens, R. Grosse, arXiv:1503.05671; for convolutions
      R. Grosse, J. Martens, arXiv:1602.01407);
    - for every parameter NAME.importance, of its shape: the Fisher information's diagonal;
    - with `variants`, for each weight NAME.tensor_weight, a number: how much more its errors cost than the factors say,
      from what a first fit of these variants lost (tensor_weights() has the formula).

    Factors and importance are of the loss of one target, which is drawn from the model's own distribution (F. Kunstner,
    L. Balles, P. Hennig, arXiv:1905.12558, on why not from the data). Warns of weights that get no factors; `fit` goes
    by their importance.

    batches: as distill() takes them; of targets only those count that say where there is none. The model answers with
        logits [..., classes]. It is not changed.
    base, names: NAME is as the base's file has it, found as attach() does; without a file, the model's own name, or
        what `names` makes of it. Tied weights are written under each of their names.
    variants: (fine-tune, its float file, batches of its own text), as tensor_weights() takes them, but with the file
        that `fit` will be given. A fine-tune may be a function without arguments that loads it: then one at a time is
        in memory. Where batches are None the file is only fitted. The first fit takes the base's file if there is one.
    budget: what the first fit may take, as `fit --budget` has it; give it what a vault of these variants is to have.
    program: `mvault`, by its path or its name in PATH; fit_options: more of the first fit's options.
    importance: writes the diagonals to a file of their own as well, as `mvault fit --importance` takes it."""
    if any(parametrize.is_parametrized(module) for module in model.modules()):
        raise AttachError("curvature is of a model's own weights; call it before attach(), or on a model that was "
                          "exported")
    found = model_tensors.parameters(model)
    all_names = _names_of(found, base, names)
    tensors, diagonals = _measure(model, batches, found, all_names, seed)
    if importance is not None:
        safetensors.write(importance, diagonals, {"role": "Fisher diagonal"})
    tensors.update({name + curvature_file.IMPORTANCE: values for name, values in diagonals.items()})
    if variants is not None:
        tensors.update(_derived(tensors, variants, base, names, budget, program, fit_options))
    curvature_file.write(path, tensors)
    return [name[:-len(".H")] for name in tensors if name.endswith(".H")]


def add_tensor_weights(curvature_path: safetensors.Path, path: safetensors.Path, variants: Iterable[Variant], *,
                       importance: Optional[safetensors.Path] = None, base: Optional[safetensors.Path] = None,
                       names: Names = None, budget: Union[None, int, str] = None,
                       program: safetensors.Path = "mvault", fit_options: Sequence[str] = ()) -> None:
    """Writes `path`, a curvature file with all that curvature(variants=...) puts into one, from a file that has factors
    and, of old, `importance` apart. The rest as there."""
    tensors = {name: tensor for name, tensor in safetensors.read(curvature_path).tensors.items()
               if not name.endswith(curvature_file.TENSOR_WEIGHT)}
    if importance is not None:
        tensors.update({name + curvature_file.IMPORTANCE: values
                        for name, values in safetensors.read(importance).tensors.items()})
    tensors.update(_derived(tensors, variants, base, names, budget, program, fit_options))
    curvature_file.write(path, tensors)


def _derived(known: Dict[str, torch.Tensor], variants: Iterable[Variant], base: Optional[safetensors.Path], names: Names,
             budget: Union[None, int, str], program: safetensors.Path,
             fit_options: Sequence[str]) -> Dict[str, torch.Tensor]:
    """NAME.tensor_weight from what a first fit with `known` loses."""
    with exported_variants(list(variants), known, base=base, budget=budget, program=program,
                           options=fit_options) as restored:
        weights = exact_weights(restored, curvature_file.Metric(known), names)
    # Three digits, as in a file of factors: more would be noise.
    return {name + curvature_file.TENSOR_WEIGHT: torch.tensor(float(f"{weight:.3g}"), dtype=torch.float32)
            for name, weight in weights.items()}


def _measure(model: nn.Module, batches: Iterable[Any], found: List[Found], all_names: List[List[str]],
             seed: int) -> Tuple[Dict[str, torch.Tensor], Dict[str, torch.Tensor]]:
    """Factors by NAME.G and NAME.H, and diagonals by NAME."""
    moments = {id(f.tensor): LayerMoments(f.tensor) for f in found if LayerMoments.suits(f, _MOST_WIDE)}
    squares = [torch.zeros_like(f.tensor) for f in found]
    reached = [False] * len(found)
    generator = torch.Generator().manual_seed(seed)
    targets = 0
    with contextlib.ExitStack() as stack:
        stack.enter_context(evaluating(model))
        gradients = stack.enter_context(collecting([f.tensor for f in found]))
        for f in found:
            if id(f.tensor) in moments:
                for module, _ in f.owners:
                    stack.callback(module.register_forward_hook(moments[id(f.tensor)].see).remove)
        for batch in map(Batch, batches):
            with torch.enable_grad():
                logits = batch.logits(model)
                kept = batch.kept(logits)
                logits = logits.reshape(-1, logits.shape[-1])[kept].float()
                if not len(logits):
                    continue
                drawn = torch.multinomial(logits.detach().softmax(-1).cpu(), 1, generator=generator)[:, 0]
                loss = functional.cross_entropy(logits, drawn.to(logits.device), reduction="sum")
            targets += len(logits)
            for i, gradient in enumerate(gradients.of(loss)):
                if gradient is not None:
                    reached[i] = True
                    # Targets are drawn independently: the mixed terms of the square vanish on average.
                    squares[i] += gradient.square()
    if targets == 0:
        raise AttachError("curvature needs at least one batch with a place that counts")
    tensors: Dict[str, torch.Tensor] = {}
    diagonals: Dict[str, torch.Tensor] = {}
    without, unreached = [], []
    for f, own_names, square, is_reached in zip(found, all_names, squares, reached):
        moment = moments.get(id(f.tensor))
        if not is_reached:
            unreached.append(f.keys[0])
            continue
        diagonals.update(dict.fromkeys(own_names, (square / targets).to(torch.float32)))
        if moment is not None and moment.positions > 0:
            for name in own_names:
                tensors[name + ".H"] = (moment.inputs / targets).to(torch.float32)
                tensors[name + ".G"] = (moment.gradients / moment.positions).to(torch.float32)
        elif f.tensor.dim() >= 2 and not all(isinstance(m, (nn.Embedding, nn.EmbeddingBag)) for m, _ in f.owners):
            without.append(f.keys[0])
    if without:
        warnings.warn(f"no factors for {', '.join(without)}: of linear layers and ungrouped convolutions of one or two "
                      f"dimensions only, at most {_MOST_WIDE} wide, that the model calls", stacklevel=3)
    if unreached:
        warnings.warn(f"nothing is known of {', '.join(unreached)}: no gradient reaches them. Is the model's forward "
                      "pass under torch.no_grad(), or in torch.utils.checkpoint(use_reentrant=True) on inputs that need "
                      "none?",
                      stacklevel=3)
    return tensors, diagonals


def _names_of(found: List[Found], base: Optional[safetensors.Path], names: Names) -> List[List[str]]:
    all_keys = [f.keys for f in found]
    if base is None:
        return [list(dict.fromkeys(candidates(key, names)[0] for key in keys)) for keys in all_keys]
    return find_all_names(safetensors.read(base).tensors, all_keys, names, str(base))
