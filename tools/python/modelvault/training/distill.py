"""The training loop that most people need."""

import math
from typing import Any, Callable, Iterable, Iterator, List, NamedTuple, Optional, Tuple, Union

import torch
from torch import nn
from torch.nn import functional

from .attach import plan_of
from .batch import Batch
from .errors import AttachError
from .modes import evaluating

Teacher = Union[None, nn.Module, Callable[[Any], torch.Tensor]]


class Progress(NamedTuple):
    """What `report` is called with after each step."""
    step: int
    steps: int
    loss: float


def distill(model: nn.Module, teacher: Teacher, batches: Iterable[Any], steps: int, *, kl: float = 0.5,
            rate: float = 1.0, report: Optional[Callable[[Progress], None]] = None) -> List[float]:
    """Trains a model that attach() was called on, or a module around it; the loss of each step.

    batches: (inputs, targets), or (inputs, targets, probabilities) with the teacher's own answer, computed before, or
        mappings as language models of the usual kind take them (batch.py has every form); gone through again and again
        until there were `steps`. The model answers with logits [..., classes], as such, as `.logits`, or first in a
        tuple; targets are [...] of class numbers, or -100 where there is none (padding): such places do not count. A
        batch without any target changes nothing but what the price does.
    teacher: the float fine-tune, a module or a function, called as the model is; None: there is none, or batches have
        its answer.
    kl: the loss is (1 - kl) times the cross-entropy against the targets and kl times that against the teacher's answer,
        which is the Kullback-Leibler divergence from the teacher (G. Hinton, O. Vinyals, J. Dean, "Distilling the
        Knowledge in a Neural Network", arXiv:1503.02531) plus the teacher's entropy, which nothing depends on. With 1
        no targets are needed.
    rate: multiplies the learning rates, which then fall to zero along a cosine.

    On a CPU the result depends on the model's start, the batches, the number of threads and, where the model draws
    random numbers (dropout), on torch.manual_seed()."""
    plan = plan_of(model)
    if steps < 1:
        raise AttachError(f"steps must be positive, not {steps}")
    if not 0 <= kl <= 1:
        raise AttachError(f"kl is a share of the loss, 0 to 1, not {kl}")
    optimizer = torch.optim.Adam(plan.parameter_groups())
    rates = [group["lr"] * rate for group in optimizer.param_groups]
    losses = []
    source = _forever(batches)
    with evaluating(*([teacher] if isinstance(teacher, nn.Module) else [])):
        for step in range(steps):
            for group, first in zip(optimizer.param_groups, rates):
                group["lr"] = first * 0.5 * (1 + math.cos(math.pi * step / steps))
            # No torch.nn.utils.parametrize.cached() around this: a model that checkpoints its activations makes weights
            # anew in the backward pass, and would find cached ones, which no gradient goes through.
            loss, counted = _loss(model, teacher, Batch(next(source)), kl)
            loss = loss + plan.penalty()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if counted:
                optimizer.step()
            else:
                # Adam would go on in the last steps' direction.
                optimizer.zero_grad(set_to_none=False)
            plan.step(optimizer)
            losses.append(float(loss.detach()))
            if report is not None:
                report(Progress(step + 1, steps, losses[-1]))
    return losses


def _forever(batches: Iterable[Any]) -> Iterator[Any]:
    while True:
        empty = True
        for batch in batches:
            empty = False
            yield batch
        if empty:
            raise AttachError("batches ran out: give a list, or something that can be gone through again")


def _loss(model: nn.Module, teacher: Teacher, batch: Batch, kl: float) -> Tuple[torch.Tensor, bool]:
    """The loss, and whether any place counted."""
    logits = batch.logits(model)
    kept = batch.kept(logits)
    whole = bool(kept.all())
    logits = logits.reshape(-1, logits.shape[-1])
    if not whole:
        logits = logits[kept]
    if not len(logits):
        return logits.sum(), False  # 0.
    targets = None
    if kl < 1:
        if batch.targets is None:
            raise AttachError("kl < 1 needs targets: (inputs, targets), or \"labels\" in a mapping")
        targets = batch.targets.reshape(-1) if whole else batch.targets.reshape(-1)[kept]
    if kl == 0:
        return functional.cross_entropy(logits, targets), True
    probabilities = _answer(teacher, batch)
    if len(probabilities) != len(kept):
        raise AttachError(f"the teacher answers {len(probabilities)} places, there are {len(kept)} targets")
    if probabilities.shape[-1] != logits.shape[-1]:
        raise AttachError(f"the teacher knows {probabilities.shape[-1]} classes, the model {logits.shape[-1]}")
    # One cross-entropy against the mixture: both terms are linear in it.
    mixture = torch.empty_like(logits).copy_(probabilities if whole else probabilities[kept]).mul_(kl)
    if targets is not None:
        mixture.scatter_add_(1, targets[:, None], torch.full_like(mixture[:, :1], 1 - kl))
    return -(mixture * functional.log_softmax(logits, -1)).sum() / len(logits), True


def _answer(teacher: Teacher, batch: Batch) -> torch.Tensor:
    """The teacher's probabilities, [places, classes]."""
    probabilities = batch.probabilities
    if probabilities is None:
        if teacher is None:
            raise AttachError("kl > 0 needs a teacher, or batches with its probabilities")
        with torch.no_grad():
            probabilities = batch.logits(teacher).softmax(-1)
    return probabilities.reshape(-1, probabilities.shape[-1])
