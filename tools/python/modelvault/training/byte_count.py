"""What `mvault pack` will store for a variant, without packing it: the coder's own choices and adaptive costs, added up
(docs/format.md §6, codec/segment_encoder.cc)."""

from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import torch

from .bits import INT_OF_SIZE
from .coder_cost import (GROUP_SIZE, HIT, HIT_AT, LEVELS, LEVEL_OF, MISS_AT, STEPS, STRIP_SIZE, AdaptiveBit,
                         AdaptiveGamma)
from .grid import rows_of
from .priors import Hits, Prior, Priors

SEGMENT_SIZE = 1 << 20
_SAME, _GAP, _RESIDUAL, _FLAT = 0, 1, 3, 5
# A blob's flags and padding, and what a stream's 32-bit state holds besides the symbols, on average.
_BLOB_BYTES = 2
_STREAM_BYTES = 3
_DIRECTORY_BYTES = 8


class ByteCount(NamedTuple):
    """Bytes of a variant's blob, and what they are for."""
    total: float
    trits: float
    scales: float
    side: float


class _Expected(NamedTuple):
    """Of a tensor: its prior, and what its classes add to the level of each weight, flat."""
    prior: Prior
    steps: torch.Tensor


class _State:
    """Everything adaptive in a segment."""

    def __init__(self) -> None:
        self.modes = [[AdaptiveBit() for _ in range(8)] for _ in range(2)]
        self.level = AdaptiveGamma(8)
        self.one_scale = AdaptiveBit()
        self.same_scale = AdaptiveBit()
        self.scale = AdaptiveGamma(8)
        self.residuals = [AdaptiveGamma(64), AdaptiveGamma(64)]
        self.last_scale = 1
        self.level_offset = 0
        self.opened = torch.zeros(LEVELS, dtype=torch.bool)

    def mode(self, int8: bool, mode: int) -> float:
        tree = self.modes[1 if int8 else 0]
        cost, node = 0.0, 1
        for i in (2, 1, 0):
            bit = bool((mode >> i) & 1)
            cost += tree[node].code(bit)
            node = 2 * node + bit
        return cost

    def code_scale(self, scale: int) -> float:
        cost = self.same_scale.code(scale == self.last_scale)
        if scale != self.last_scale:
            cost += self.scale.code(scale)
        self.last_scale = scale
        return cost


class ByteCounter:
    """Counts variants of one base. `base` has the tensors of the base's file in its order. `priors` are those of the
    vault that the variant will be in; None: it will be the only one, and makes its own, which must pay for themselves.
    """

    def __init__(self, base: Mapping[str, torch.Tensor], priors: Optional[Priors] = None):
        self._base = {name: tensor.detach().cpu().contiguous() for name, tensor in base.items() if tensor.numel() > 0}
        self._given: Optional[Dict[str, _Expected]] = None
        if priors is not None:
            priors.check(self._base)
            self._given = {name: self._expect(name, priors[name]) for name, tensor in self._base.items()
                           if tensor.dtype == torch.int8}

    def expected(self, name: str) -> Prior:
        """What the coder expects of an INT8 tensor that does not differ."""
        return self._expected(name, self._base[name]).prior

    def count(self, variant: Mapping[str, torch.Tensor]) -> ByteCount:
        """`variant` has the tensors that may differ from the base's: INT8 ones as they are stored, or any other."""
        return self.measure(variant)[0]

    def measure(self, variant: Mapping[str, torch.Tensor]) -> Tuple[ByteCount, Dict[str, Prior]]:
        """count(), and for each INT8 tensor that differs the level it is coded at, with the classes if they are used."""
        codings: Dict[str, Prior] = {}
        bits = {"trits": 0.0, "scales": 0.0, "side": 0.0}
        total = float(_BLOB_BYTES)
        segment, segments = -1, 0
        state = _State()
        offset = 0
        for name, base in self._base.items():
            actual = variant.get(name, base).detach().cpu().contiguous()
            expected = self._expected(name, actual) if base.dtype == torch.int8 else None
            if expected is not None and self._given is None:
                total += expected.prior.bytes()
            for number, begin, end in _split(offset, base, expected is not None and expected.prior.by_class):
                if number != segment:
                    segment, segments, state = number, segments + 1, _State()
                if expected is None:
                    bits["side"] += _count_side(base, actual, begin, end, state)
                    continue
                coding = _count_int8(name, base, actual, begin, end, expected, state, bits)
                if coding is not None:
                    codings[name] = coding
            offset += base.numel() * base.element_size()
        total += sum(bits.values()) / 8 + segments * _STREAM_BYTES
        if segments > 1:
            total += segments * _DIRECTORY_BYTES + 1
        return ByteCount(total, bits["trits"] / 8, bits["scales"] / 8, bits["side"] / 8), codings

    def _expected(self, name: str, actual: torch.Tensor) -> _Expected:
        if self._given is not None:
            return self._given[name]
        return self._expect(name, _own_prior(self._base[name], actual))

    def _expect(self, name: str, prior: Prior) -> _Expected:
        rows = rows_of(self._base[name])
        return _Expected(prior, prior.steps(rows, self._base[name].numel() // rows).reshape(-1))


def _count_int8(name: str, base: torch.Tensor, actual: torch.Tensor, begin: int, end: int, expected: _Expected,
                state: _State, bits: Dict[str, float]) -> Optional[Prior]:
    """Adds a piece of a tensor to `bits`; how it is coded, or None where nothing differs."""
    prior, steps = expected
    old = base.reshape(-1)[begin:end].to(torch.int16)
    new = actual.reshape(-1)[begin:end].to(torch.int16)
    delta = new - old
    differs = delta != 0
    hit_count = int(differs.sum())
    if hit_count == 0:
        bits["side"] += state.mode(True, _SAME)
        return None
    weights = torch.bincount(steps[begin:end], minlength=STEPS).to(torch.float64)
    hits = torch.bincount(steps[begin:end][differs], minlength=STEPS).to(torch.float64)
    cost, level = _gap_cost(weights, hits, state.opened)
    flat = torch.zeros(STEPS, dtype=torch.float64)
    flat[0] = weights.sum()
    flat_hits = torch.zeros(STEPS, dtype=torch.float64)
    flat_hits[0] = hit_count
    flat_cost, flat_level = _gap_cost(flat, flat_hits, state.opened)
    by_class = prior.by_class and cost < flat_cost
    if not by_class:
        cost, level, weights = flat_cost, flat_level, flat
    state.opened[LEVEL_OF[level][weights > 0]] = True
    offset = level - prior.level
    step = offset - state.level_offset
    state.level_offset = offset
    bits["side"] += state.mode(True, _GAP if by_class else _FLAT)
    bits["side"] += state.level.code(2 * step if step >= 0 else -2 * step - 1)
    bits["trits"] += cost + hit_count
    bits["scales"] += _scale_cost(name, new, delta, begin, state)
    return Prior(level, prior.rows, prior.columns) if by_class else Prior(level)


def _own_prior(base: torch.Tensor, actual: torch.Tensor) -> Prior:
    """The prior of a vault with this variant alone."""
    rows = rows_of(base)
    hits = Hits(rows, base.numel() // rows)
    hits.add(actual != base)
    return hits.prior()


def _split(offset: int, tensor: torch.Tensor, by_row: bool) -> List[Tuple[int, int, int]]:
    """The tensor's pieces: segment, first element, end. A strip belongs to the segment in which it begins."""
    size = tensor.element_size()
    total = tensor.numel() * size
    line = total // rows_of(tensor) if by_row else total
    pieces = []
    begin = 0
    segment = offset // SEGMENT_SIZE
    while begin < total:
        rest = (segment + 1) * SEGMENT_SIZE - offset
        if rest >= total:
            end = total
        else:
            row, within = divmod(rest, line)
            strip = -(-within // STRIP_SIZE) * STRIP_SIZE
            end = min(total, row * line + min(strip, line))
        if end > begin:
            pieces.append((segment, begin // size, end // size))
        begin = end
        segment += 1
    return pieces


def _gap_cost(weights: torch.Tensor, hits: torch.Tensor, opened: torch.Tensor) -> Tuple[float, int]:
    """Bits of the positions at the best level, and that level."""
    costs = HIT_AT @ hits + MISS_AT @ (weights - hits)
    # A level's last gap ends the segment with a hit, and its sign, that nobody needs.
    opening = torch.where(opened, torch.zeros_like(HIT), HIT + 1)
    used = torch.zeros(LEVELS, LEVELS, dtype=torch.bool)
    used.scatter_(1, LEVEL_OF[:, weights > 0], True)
    costs = costs + used.to(torch.float64) @ opening
    level = int(torch.argmin(costs))
    return float(costs[level]), level


def _scale_cost(name: str, new: torch.Tensor, delta: torch.Tensor, begin: int, state: _State) -> float:
    lead = begin % GROUP_SIZE
    size = lead + delta.numel()
    groups = -(-size // GROUP_SIZE)
    padded = torch.zeros(groups * GROUP_SIZE, dtype=torch.int16)
    padded[lead:size] = delta
    magnitude = padded.abs().reshape(groups, GROUP_SIZE)
    # A weight that saturated only says that the scale was at least this large.
    free = torch.ones(groups * GROUP_SIZE, dtype=torch.bool)
    free[lead:size] = (delta == 0) | (new == torch.where(delta > 0, 127, -128))
    least = magnitude.amax(dim=1).clamp(min=1)
    most = torch.where(free.reshape(groups, GROUP_SIZE), torch.full_like(magnitude, 255), magnitude).amin(dim=1)
    if bool((least > most).any()):
        raise ValueError(f"tensor '{name}' is not ternary: a group of {GROUP_SIZE} weights has two scales")
    one_least, one_most = int(least.max()), int(most.min())
    one = one_least <= one_most
    cost = state.one_scale.code(one)
    if one:
        return cost + state.code_scale(state.last_scale if one_least <= state.last_scale <= one_most else one_least)
    hit = (magnitude > 0).any(dim=1)
    for low, high in zip(least[hit].tolist(), most[hit].tolist()):
        cost += state.code_scale(state.last_scale if low <= state.last_scale <= high else low)
    return cost


def _ordered(tensor: torch.Tensor, begin: int, end: int) -> Sequence[int]:
    """Elements as signed integers in the order of their values."""
    bits = tensor.reshape(-1)[begin:end].view(INT_OF_SIZE[tensor.element_size()])
    if tensor.dtype.is_floating_point:
        low = (1 << (8 * tensor.element_size() - 1)) - 1
        bits = torch.where(bits < 0, bits ^ low, bits)
    return bits.tolist()


def _count_side(base: torch.Tensor, actual: torch.Tensor, begin: int, end: int, state: _State) -> float:
    kind = INT_OF_SIZE[base.element_size()]
    new = actual.reshape(-1)[begin:end].view(kind)
    if torch.equal(new, base.reshape(-1)[begin:end].view(kind)):
        return state.mode(False, _SAME)
    width = 8 * base.element_size()
    mask = (1 << (width - 1)) - 1 if base.dtype.is_floating_point else (1 << width) - 1
    any_bit = 0
    for bits in new.tolist():
        any_bit |= bits & mask
    shift = (any_bit & -any_bit).bit_length() - 1 if any_bit else 0
    code = state.residuals[1 if base.element_size() > 1 else 0]
    cost = state.mode(False, _RESIDUAL) + 6
    for a, b in zip(_ordered(actual, begin, end), _ordered(base, begin, end)):
        r = (a >> shift) - (b >> shift)
        cost += code.code(abs(r)) + (1 if r else 0)
    return cost
