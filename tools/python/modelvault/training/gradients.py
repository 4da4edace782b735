"""Gradients of a model's own parameters, one backward pass at a time, on which nothing is left in the model."""

import contextlib
from typing import Iterator, List, Optional, Sequence

import torch
from torch import nn


@contextlib.contextmanager
def collecting(parameters: Sequence[nn.Parameter]) -> Iterator["Gradients"]:
    """All of them get gradients inside, frozen ones too: they are quantised as others are."""
    kept = [(p, p.grad, p.requires_grad) for p in parameters]
    try:
        for parameter in parameters:
            parameter.grad = None
            parameter.requires_grad_(True)
        yield Gradients(parameters)
    finally:
        for parameter, gradient, required in kept:
            parameter.grad = gradient
            parameter.requires_grad_(required)


class Gradients:
    """Made by collecting()."""

    def __init__(self, parameters: Sequence[nn.Parameter]):
        self._parameters = parameters

    def of(self, loss: torch.Tensor) -> List[Optional[torch.Tensor]]:
        """The gradient of a loss at each parameter, None where the loss does not depend on it. By backward():
        torch.autograd.grad() does not go with torch.utils.checkpoint(use_reentrant=True)."""
        loss.backward()
        found = [p.grad for p in self._parameters]
        for parameter in self._parameters:
            parameter.grad = None
        return found
