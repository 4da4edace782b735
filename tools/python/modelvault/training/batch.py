"""What a batch is and what a model answers to it, in the forms that people have them: the one place that knows."""

from typing import Any, Mapping, Optional

import torch

from .errors import AttachError

# As functional.cross_entropy has it.
NO_TARGET = -100


class Batch:
    """A batch in one of these forms:

    - inputs: model(inputs) is called;
    - (inputs, targets) or (inputs, targets, probabilities), a tuple or list: targets [...] of class numbers, NO_TARGET
      where there is none, or None; probabilities [..., classes] that a teacher gave before;
    - in place of inputs a mapping, such as {"input_ids": ..., "attention_mask": ..., "labels": ...}: all but "labels"
      are the model's keyword arguments, "labels" are the targets if there are no others. Labels that are the input_ids
      themselves wherever there is one are meant for the next place and are moved there: so language models of this form
      have it, and their own loss does that. Where an attention_mask [...] is 0, there is no target."""

    def __init__(self, batch: Any):
        inputs, self.targets, self.probabilities = batch, None, None
        if isinstance(batch, (tuple, list)):
            if not batch:
                raise AttachError("a batch is empty; expected inputs, or (inputs, targets)")
            inputs, self.targets, self.probabilities = (*batch[:3], None, None)[:3]
        self._inputs = inputs
        self._mask: Optional[torch.Tensor] = None
        if isinstance(inputs, Mapping):
            self._inputs = {key: value for key, value in inputs.items() if key != "labels"}
            self._mask = inputs.get("attention_mask")
            if self.targets is None:
                self.targets = _aligned(inputs.get("labels"), inputs.get("input_ids"), self._mask)

    def logits(self, model: Any) -> torch.Tensor:
        """What a model, or a function in its place, answers: [..., classes]."""
        return logits_of(model(**self._inputs) if isinstance(self._inputs, dict) else model(self._inputs))

    def kept(self, logits: torch.Tensor) -> torch.Tensor:
        """Of each place of the logits whether it counts, flat: it has a target, where there are any, and is not
        padding. Raises AttachError if the shapes do not go together."""
        shape = logits.shape[:-1]
        kept = torch.ones(shape, dtype=torch.bool, device=logits.device)
        if self.targets is not None:
            if self.targets.shape != shape:
                raise AttachError(f"the model gives logits {list(logits.shape)} for targets "
                                  f"{list(self.targets.shape)}; expected one dimension more, of classes")
            kept = (self.targets != NO_TARGET).to(logits.device)
        if self._mask is not None and self._mask.shape == shape:
            kept = kept & (self._mask != 0).to(logits.device)
        return kept.reshape(-1)


def logits_of(output: Any) -> torch.Tensor:
    """The logits in what a model answers: a tensor, an object or mapping that has them as `logits`, or a tuple or list
    whose first tensor they are (numbers such as a loss may be before them)."""
    found = output
    if isinstance(found, Mapping):
        found = found.get("logits")
    elif not isinstance(found, torch.Tensor):
        found = getattr(output, "logits", None)
        if found is None and isinstance(output, (tuple, list)):
            found = next((part for part in output if isinstance(part, torch.Tensor) and part.dim() > 0), None)
    if not isinstance(found, torch.Tensor) or found.dim() == 0 or not found.is_floating_point():
        raise AttachError(f"the model answers with {_shown(output)}; expected logits [..., classes]: a tensor, "
                          "something with .logits or ['logits'], or a tuple that begins with them. A module around the "
                          "model whose forward() returns them will do: distill() takes it, attach() the model inside")
    return found


def _aligned(labels: Any, input_ids: Any, mask: Any) -> Optional[torch.Tensor]:
    """Labels for the places that answer them."""
    if labels is None or not isinstance(input_ids, torch.Tensor) or labels.shape != input_ids.shape or labels.dim() < 2:
        return labels
    kept = labels != NO_TARGET
    if mask is not None and mask.shape == labels.shape:
        kept = kept & (mask != 0)
    if not bool(kept.any()) or not torch.equal(labels[kept], input_ids[kept].to(labels.dtype)):
        return labels
    next_ones = torch.full_like(labels, NO_TARGET)
    next_ones[..., :-1] = torch.where(kept, labels, torch.full_like(labels, NO_TARGET))[..., 1:]
    return next_ones


def _shown(output: Any) -> str:
    if isinstance(output, torch.Tensor):
        return f"a tensor {list(output.shape)} of {output.dtype}"
    return f"a {type(output).__name__}" + (f" of {', '.join(map(str, output))}" if isinstance(output, Mapping) else "")
