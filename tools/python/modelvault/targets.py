"""Which of a model's places have a target."""

import torch

from .errors import AttachError

# As functional.cross_entropy has it.
_NO_TARGET = -100


def kept_places(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Of each place of logits [..., classes] whether its target [...] counts, flat. Raises AttachError if their shapes do
    not go together."""
    if logits.shape[:-1] != targets.shape:
        raise AttachError(f"the model gives logits {list(logits.shape)} for targets {list(targets.shape)}; expected "
                          "one dimension more, of classes")
    return targets.reshape(-1) != _NO_TARGET
