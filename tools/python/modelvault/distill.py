"""The training loop that most people need."""

import math
from typing import Any, Callable, Iterable, Iterator, List, NamedTuple, Optional, Union

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize

from .attach import plan_of
from .errors import AttachError
from .modes import evaluating
from .targets import kept_places

Teacher = Union[None, nn.Module, Callable[[Any], torch.Tensor]]


class Progress(NamedTuple):
    """What `report` is called with after each step."""
    step: int
    steps: int
    loss: float


def distill(model: nn.Module, teacher: Teacher, batches: Iterable[Any], steps: int, *, kl: float = 0.5,
            rate: float = 1.0, report: Optional[Callable[[Progress], None]] = None) -> List[float]:
    """Trains a model that attach() was called on; the loss of each step.

    batches: (inputs, targets), or (inputs, targets, probabilities) with the teacher's own answer, computed before; gone
        through again and again until there were `steps`. model(inputs) gives logits [..., classes], targets are
        [...] of class numbers, or -100 where there is none (padding): such places do not count.
    teacher: the float fine-tune, a module or a function of the inputs; None: there is none, or batches have its answer.
    kl: the loss is (1 - kl) times the cross-entropy against the targets and kl times that against the teacher's answer,
        which is the Kullback-Leibler divergence from the teacher (G. Hinton, O. Vinyals, J. Dean, "Distilling the
        Knowledge in a Neural Network", arXiv:1503.02531) plus the teacher's entropy, which nothing depends on.
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
            batch = next(source)
            # A module's weight that is read more than once in a step is made once.
            with parametrize.cached():
                loss = _loss(model, teacher, batch, kl) + plan.penalty()
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
            optimizer.step()
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


def _loss(model: nn.Module, teacher: Teacher, batch: Any, kl: float) -> torch.Tensor:
    inputs, targets = batch[0], batch[1]
    logits = model(inputs)
    kept = kept_places(logits, targets)
    logits = logits.reshape(-1, logits.shape[-1])
    targets = targets.reshape(-1)
    whole = bool(kept.all())
    if not whole:
        logits, targets = logits[kept], targets[kept]
    if not targets.numel():
        return logits.sum()  # Nothing to learn from: 0.
    if kl == 0:
        return functional.cross_entropy(logits, targets)
    if len(batch) > 2:
        probabilities = batch[2]
    elif teacher is None:
        raise AttachError("kl > 0 needs a teacher, or batches with its probabilities")
    else:
        with torch.no_grad():
            probabilities = teacher(inputs).softmax(-1)
    # One cross-entropy against the mixture: both terms are linear in it.
    probabilities = probabilities.reshape(-1, logits.shape[-1])
    if len(probabilities) != kept.numel():
        raise AttachError(f"the teacher answers {len(probabilities)} places, there are {kept.numel()} targets")
    mixture = torch.empty_like(logits).copy_(probabilities if whole else probabilities[kept]).mul_(kl)
    mixture.scatter_add_(1, targets[:, None], torch.full_like(mixture[:, :1], 1 - kl))
    return -(mixture * functional.log_softmax(logits, -1)).sum() / targets.numel()
