"""A model under training for the vault: what is trained, and the price that holds it to its bytes."""

import math
import warnings
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import nn

from .base_model import BaseModel
from .bits import same_bits
from .byte_count import ByteCount, ByteCounter
from .coder_cost import HIT, LEVEL_OF, MISS
from .errors import AttachError
from .priors import Prior
from .side_tensor import SideTensor
from .ternary import HALF, TernaryWeight

# Learning rates (Adam): latents in units of the scale, scales as a share of the first, norms and biases in units of
# their last bit.
LATENT_RATE = 0.057
SCALE_RATE = 0.006
SIDE_RATE = 0.1
# Each step shrinks latents by this share of the learning rate, before the budget has its say.
FIRST_SHRINK = 0.16
# Steps between two counts of the bytes: with a small model a count takes a good part of a step's time.
CONTROL_INTERVAL = 8
# How fast the price follows: its logarithm moves by this much of the threshold's distance, a count.
_GAIN = 0.25
_LEAST_THRESHOLD, _MOST_THRESHOLD = 0.25, 0.95
_NEARBY = 0.8
# A hit that costs what most do at a few percent of density: the unit of prices. Where hits are so many that they cost
# next to nothing, they still have a price.
_TYPICAL_HIT_BITS = 7.0
_LEAST_PRICE = 0.1
# export() stops moving the threshold when the bytes are this near the budget, or after so many counts.
_NEAR = 0.002
_MOST_COUNTS = 24


class Ternary(NamedTuple):
    """A weight under training: its parametrisation, its latent, and its names in the file."""
    weight: TernaryWeight
    latent: nn.Parameter
    names: List[str]


class Side(NamedTuple):
    """A norm or bias under training."""
    tensor: SideTensor
    latent: nn.Parameter
    names: List[str]


class Buffer(NamedTuple):
    """A buffer that the file has, by the module it is in: moving a model makes new tensors."""
    module: nn.Module
    attribute: str
    names: List[str]

    def now(self) -> torch.Tensor:
        """Its values."""
        return getattr(self.module, self.attribute)


class Plan:
    """Made by attach(). In a training loop: an optimiser over parameter_groups(), penalty() added to the loss, step()
    after the optimiser's."""

    def __init__(self, base: BaseModel, ternaries: List[Ternary], sides: List[Side], buffers: List[Buffer],
                 counter: ByteCounter, budget_bytes: float, *, price: str, shrink: float):
        self.base = base
        self.ternaries = ternaries
        self.sides = sides
        self.budget_bytes = float(budget_bytes)
        self.shrink = float(shrink)
        self.threshold = HALF
        self.steps = 0
        self._counter = counter
        # How tensors were coded when prices were last set, which must not change because somebody asks for predicted().
        self._codings: Dict[str, Prior] = {name: counter.expected(name) for t in ternaries for name in t.names}
        self._price = price
        self._prices: Dict[str, Any] = {}
        self._buffers = buffers
        # With price="loss" the unit of `shrink`: the mean gradient of a latent at the first step.
        self._loss_unit = 0.0
        self._count: Optional[ByteCount] = None
        self._least_bytes = self._counter.count({}).total

    def parameter_groups(self) -> List[Dict[str, Any]]:
        """For the optimiser, learning rates included: those suit Adam. A scheduler that scales `lr` scales the price
        with it."""
        groups = [
            {"params": [t.latent for t in self.ternaries], "lr": LATENT_RATE},
            {"params": [t.weight.scale for t in self.ternaries if t.weight.scale.requires_grad], "lr": SCALE_RATE},
            {"params": [s.latent for s in self.sides], "lr": SIDE_RATE},
        ]
        return [group for group in groups if group["params"]]

    def penalty(self) -> torch.Tensor:
        """The price as a term of the loss, for attach(price="loss"). Otherwise step() takes it, as a proximal step
        (N. Parikh, S. Boyd, "Proximal Algorithms", 2014), and this is zero: a loop that adds it suits both."""
        total = torch.zeros((), device=self.ternaries[0].latent.device)
        if self._price != "loss" or self._loss_unit == 0:
            return total
        for t in self.ternaries:
            total = total + (t.latent.abs() * self._price_of(t)).sum()
        for s in self.sides:
            total = total + s.latent.abs().sum()
        return total * (self.shrink * self._loss_unit)

    @torch.no_grad()
    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """After each step of the optimiser, whose present learning rates the price follows. Raises AttachError at the
        first if no gradient reaches a weight that the model read."""
        rates = self._rates(optimizer)
        if self.steps == 0:
            self._check_gradients(optimizer)
        self.steps += 1
        if self._price == "loss" and self._loss_unit == 0:
            self._loss_unit = self._mean_gradient()
        for t in self.ternaries:
            if self._price != "loss":
                _shrink(t.latent, self.shrink * rates[id(t.latent)], self._price_of(t))
            # Beyond 1 a latent means nothing more, and would take long to come back.
            t.latent.clamp_(-1.0, 1.0)
            if t.weight.scale.numel() > 1:
                # A group costs what a weight does if it has a scale of its own.
                middle = t.weight.scale.median()
                own = t.weight.scale - middle
                _shrink(own, self.shrink * rates[id(t.weight.scale)], 1.0)
                t.weight.scale.copy_(middle + own)
        for s in self.sides:
            if self._price != "loss":
                _shrink(s.latent, self.shrink * rates[id(s.latent)], 1.0)
        if self.steps % CONTROL_INTERVAL == 0:
            self._control()

    def predicted(self) -> ByteCount:
        """What `mvault pack` will store for the variant as it is now."""
        return self._counter.count(self.tensors())

    @property
    def last_count(self) -> Optional[ByteCount]:
        """The last prediction that step() made, or None."""
        return self._count

    @torch.no_grad()
    def tensors(self) -> Dict[str, torch.Tensor]:
        """Every tensor of the model that the base's file has, as it is stored, by its name there."""
        stored = {name: self._stored_buffer(buffer.now().cpu(), name) for buffer in self._buffers
                  for name in buffer.names}
        for t in self.ternaries:
            stored.update(dict.fromkeys(t.names, t.weight.int8(t.latent).cpu()))
        for s in self.sides:
            stored.update(dict.fromkeys(s.names, s.tensor.value(s.latent).cpu()))
        return stored

    def finish(self) -> ByteCount:
        """Moves the threshold until the bytes are the budget; what they are then. export() calls it. Training may go
        on afterwards."""
        if self._least_bytes > self.budget_bytes:
            raise AttachError(f"budget_bytes is {self.budget_bytes:.0f}, but a variant equal to the base takes "
                              f"{self._least_bytes:.0f} bytes already")
        self._check_finite()
        count, codings = self._measure(self._codings)
        best: Optional[Tuple[ByteCount, float]] = None
        over, within = 0.0, 1.0  # Thresholds known to exceed the budget, and not to.
        dropped = 0
        for _ in range(_MOST_COUNTS):
            near = abs(count.total - self.budget_bytes) <= _NEAR * self.budget_bytes
            if near or (count.total < self.budget_bytes and self.threshold <= _LEAST_THRESHOLD):
                break
            if count.total > self.budget_bytes:
                over = max(over, self.threshold)
            else:
                within = min(within, self.threshold)
                if best is None or count.total > best[0].total:
                    best = count, self.threshold
            if self._move_threshold(count, codings) > 1:
                dropped += self._drop_dearest(codings)
                best, over, within = None, 0.0, 1.0  # Those were of other latents.
            elif not over < self.threshold < within:
                # Where few weights differ a weight's cost changes with their number: estimates may go round in a
                # circle.
                self._set_threshold((over + within) / 2)
            count, codings = self._measure(codings)
        else:
            # Bytes jump where many latents are alike.
            if best is not None and not best[0].total < count.total <= self.budget_bytes:
                count = best[0]
                self._set_threshold(best[1])
        if dropped:
            warnings.warn(f"{dropped} weights that differ were dropped to meet budget_bytes: train for more steps, or "
                          "with more bytes", stacklevel=3)
        if count.total > (1 + 5 * _NEAR) * self.budget_bytes:
            raise AttachError(f"the bytes cannot be brought down to budget_bytes: {count.total:.0f} of "
                              f"{self.budget_bytes:.0f}, {count.side:.0f} of them for norms, biases and the like, "
                              f"{count.scales:.0f} for scales")
        self._count = count
        return count

    def state_dict(self) -> Dict[str, Any]:
        """What a checkpoint needs beside the model's and the optimiser's, to go on to the same bytes. Whole numbers and
        tensors alone, which every torch.load(weights_only=True) takes."""
        numbers = torch.tensor([self.shrink, self.threshold, self._loss_unit], dtype=torch.float64)
        return {"steps": self.steps, "numbers": numbers,
                "codings": {name: dict(vars(coding)) for name, coding in self._codings.items()}}

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        """Goes on from a checkpoint, after the model's own state was loaded."""
        self.steps = int(state["steps"])
        self.shrink, threshold, self._loss_unit = state["numbers"].tolist()
        self._set_threshold(threshold)
        self._codings = {name: Prior(**coding) for name, coding in state["codings"].items()}
        if self.steps >= CONTROL_INTERVAL:
            self._update_prices()

    def _check_gradients(self, optimizer: torch.optim.Optimizer) -> None:
        """Such weights would stay the base's, and nobody would know."""
        state = getattr(optimizer, "state", {})
        # An optimiser that has moved a latent remembers it, whatever became of the gradient since.
        left_out = [part.name for part, latent in self._trained()
                    if part.was_read and latent.grad is None and not state.get(latent)]
        if left_out:
            raise AttachError(f"no gradient reaches {', '.join(map(repr, left_out))}, which the model read: is it "
                              "called under torch.no_grad(), or in torch.utils.checkpoint(use_reentrant=True) on "
                              "inputs that need no gradient, or is parametrize.cached() around the backward pass, or "
                              "are gradients cleared before plan.step()? skip= leaves parameters at the base's")

    def _check_finite(self) -> None:
        for part, latent in self._trained():
            scale = getattr(part, "scale", latent)
            if not bool(torch.isfinite(latent).all()) or not bool(torch.isfinite(scale).all()):
                raise AttachError(f"'{part.name}': what is trained is no longer finite; was the loss? (The mean over a "
                                  "batch without targets is not a number)")

    def _trained(self) -> List[Tuple[nn.Module, nn.Parameter]]:
        """All parametrisations and their latents."""
        return [(t.weight, t.latent) for t in self.ternaries] + [(s.tensor, s.latent) for s in self.sides]

    def _rates(self, optimizer: torch.optim.Optimizer) -> Dict[int, float]:
        """By parameter's id (hashing a tensor is slow), not by group: an optimiser replaces its groups when it loads a
        checkpoint."""
        rates = {id(p): float(group["lr"]) for group in optimizer.param_groups for p in group["params"]}
        if any(id(p) not in rates for group in self.parameter_groups() for p in group["params"]):
            raise AttachError("the optimiser lacks parameters of the plan: make it of plan.parameter_groups()")
        return rates

    def _mean_gradient(self) -> float:
        gradients = [t.latent.grad for t in self.ternaries if t.latent.grad is not None]
        count = sum(g.numel() for g in gradients)
        return sum(float(g.abs().sum()) for g in gradients) / count if count else 0.0

    def _stored_buffer(self, now: torch.Tensor, name: str) -> torch.Tensor:
        file = self.base.tensors[name]
        if same_bits(now, self.base.buffer(name, now.dtype)):
            return file
        if name in self.base.foreign:
            return now.contiguous().reshape(-1).view(torch.uint8)
        if now.dtype != file.dtype:
            raise AttachError(f"the buffer '{name}' is no longer the base's, whose {self.base.dtype_of(name)} cannot "
                              "hold what it became")
        return now

    def _price_of(self, ternary: Ternary) -> Any:
        price = self._prices.get(ternary.weight.name, 1.0)
        return price if isinstance(price, float) else price.to(ternary.latent.device)

    def _set_threshold(self, threshold: float) -> None:
        self.threshold = threshold
        for t in self.ternaries:
            t.weight.threshold = threshold

    def _control(self) -> None:
        """The threshold at which the bytes are the budget, at once; the price slowly, towards the threshold of plain
        rounding."""
        self._check_finite()
        count, self._codings = self._measure(self._codings)
        self._update_prices()
        excess = self._move_threshold(count, self._codings)
        self._count = count
        self.shrink *= math.exp(_GAIN * math.log(self.threshold / HALF) + min(1.0, math.log(excess)))

    def _measure(self, codings: Dict[str, Prior]) -> Tuple[ByteCount, Dict[str, Prior]]:
        """The bytes now and how weights are coded; those of which none differs stay at `codings`."""
        count, found = self._counter.measure(self.tensors())
        return count, {**codings, **found}

    def _move_threshold(self, count: ByteCount, codings: Dict[str, Prior]) -> float:
        """Towards the budget from `count`, what the bytes are at the present threshold. Returns by how much the budget
        is exceeded even at the highest, or 1."""
        # Sorting all takes long and the threshold moves little: so first those above a bit less than it.
        for above in (max(_LEAST_THRESHOLD, _NEARBY * self.threshold), _LEAST_THRESHOLD):
            magnitude, bits, _ = self._candidates(above, codings)
            magnitude, order = torch.sort(magnitude, descending=True, stable=True)
            bytes_down_to = torch.cumsum(bits[order], 0) / 8
            rest = count.total - self._bytes_above(magnitude, bytes_down_to, self.threshold)
            wanted = int(torch.searchsorted(bytes_down_to, self.budget_bytes - rest))
            if wanted < magnitude.numel():
                break
        threshold = float(magnitude[wanted]) if wanted < magnitude.numel() else _LEAST_THRESHOLD
        self._set_threshold(min(_MOST_THRESHOLD, max(_LEAST_THRESHOLD, threshold)))
        if threshold <= _MOST_THRESHOLD:
            return 1.0
        least = rest + self._bytes_above(magnitude, bytes_down_to, _MOST_THRESHOLD)
        return max(1.0, least / self.budget_bytes)

    @staticmethod
    def _bytes_above(magnitude: torch.Tensor, bytes_down_to: torch.Tensor, threshold: float) -> float:
        chosen = int((magnitude > threshold).sum())
        return float(bytes_down_to[chosen - 1]) if chosen else 0.0

    def _candidates(self, least: float,
                    codings: Dict[str, Prior]) -> Tuple[torch.Tensor, torch.Tensor, List[torch.Tensor]]:
        """The latents above `least`: their magnitudes, what each costs, and where they are in each weight."""
        magnitudes, bits, places = [], [], []
        for t in self.ternaries:
            magnitude = t.latent.detach().abs().reshape(-1).cpu()
            place = (magnitude > least).nonzero()[:, 0]
            magnitudes.append(magnitude[place])
            # A weight that is stored under two names is paid for twice.
            bits.append(sum(_hit_bits(codings[name], t.latent.shape) for name in t.names)[place])
            places.append(place)
        return torch.cat(magnitudes), torch.cat(bits), places

    def _drop_dearest(self, codings: Dict[str, Prior]) -> int:
        """For a training that was too short for its budget: too many latents are as large as can be, so the threshold
        cannot tell them apart."""
        _, bits, places = self._candidates(_MOST_THRESHOLD, codings)
        # Less than the bytes suggest, since what is left costs more each: finish() comes back for the rest.
        share = 0.8 * (1 - self.budget_bytes / self.predicted().total)
        order = torch.argsort(bits, descending=True, stable=True)
        dropped = torch.zeros(bits.numel(), dtype=torch.bool)
        dropped[order[:math.ceil(share * bits.numel())]] = True
        begin = 0
        for t, place in zip(self.ternaries, places):
            drop = place[dropped[begin:begin + place.numel()]].to(t.latent.device)
            t.latent.detach().view(-1)[drop] = 0.0
            begin += place.numel()
        return int(dropped.sum())

    def _update_prices(self) -> None:
        if self._price == "l1":
            return
        for t in self.ternaries:
            self._prices[t.weight.name] = sum(_prices(self._codings[name], t.latent.shape) for name in t.names)


def _prices(coding: Prior, shape: torch.Size) -> Any:
    """Of all weights one, or of each its own."""
    bits = torch.clamp((HIT - MISS + 1) / _TYPICAL_HIT_BITS, min=_LEAST_PRICE)
    if not coding.by_class:
        return float(bits[coding.level])
    return bits[LEVEL_OF[coding.level]].to(torch.float32)[_steps(coding, shape)].view(shape)


def _steps(coding: Prior, shape: torch.Size) -> torch.Tensor:
    return coding.steps(shape[0], shape[1:].numel()).reshape(-1)


def _hit_bits(coding: Prior, shape: torch.Size) -> torch.Tensor:
    """What each weight costs more if it differs than if it does not."""
    table = torch.clamp(HIT - MISS + 1, min=_LEAST_PRICE * _TYPICAL_HIT_BITS)
    if not coding.by_class:
        return table[coding.level].expand(shape.numel())
    return table[LEVEL_OF[coding.level]][_steps(coding, shape)]


def _shrink(latent: torch.Tensor, amount: float, price: Any) -> None:
    # Not nn.functional.softshrink(), which makes 0 of what is not a number.
    most = price * amount
    latent.sub_(torch.clamp(latent, -most, most))
