"""What the vault's coder spends on symbols, in bits (docs/format.md §4 and §6; codec/rans_encoder.cc, whose tables
these are: a test compares them)."""

import math
from typing import List

import torch

GROUP_SIZE = 128
STRIP_SIZE = 256
LEVELS = 64
CLASSES = 16
# What a class adds to a weight's level.
CLASS_STEPS = [2 * c for c in range(CLASSES - 1)] + [48]
STEPS = 2 * 48 + 1

# Of a weight that differs (its sign apart) and of one that does not, by level, in 1/65,536 bit.
HIT_COSTS = (
    1748, 3330, 5760, 9198, 13749, 19462, 26336, 34328, 43367, 53367, 64234, 75873, 88190, 101101, 114526, 128395,
    142644, 157220, 172074, 187164, 202456, 217918, 233524, 249252, 265083, 281002, 296994, 313047, 329153, 345304,
    361491, 377709, 393954, 410220, 426506, 442807, 459121, 475446, 491781, 508124, 524473, 540827, 557187, 573550,
    589916, 606286, 622657, 639031, 655406, 671783, 688161, 704539, 720919, 737299, 753680, 770062, 786444, 802826,
    819208, 835591, 851974, 868357, 884740, 901123)
MISS_COSTS = (
    378194, 318022, 267423, 224875, 189097, 159011, 133712, 112438, 94548, 79505, 66856, 56219, 47274, 39753, 33428,
    28109, 23637, 19876, 16714, 14055, 11819, 9938, 8357, 7027, 5909, 4969, 4178, 3514, 2955, 2485, 2089, 1757, 1477,
    1242, 1045, 878, 739, 621, 522, 439, 369, 311, 261, 220, 185, 155, 131, 110, 92, 78, 65, 55, 46, 39, 33, 27, 23, 19,
    16, 14, 12, 10, 8, 7)

HIT = torch.tensor(HIT_COSTS, dtype=torch.float64) / 65536
MISS = torch.tensor(MISS_COSTS, dtype=torch.float64) / 65536

# LEVEL_OF[t][step]: the level of a weight whose classes add `step` in a tensor at level t.
LEVEL_OF = torch.clamp(torch.arange(LEVELS)[:, None] + torch.arange(STEPS)[None, :], max=LEVELS - 1)
HIT_AT = HIT[LEVEL_OF]
MISS_AT = MISS[LEVEL_OF]

_RATES = (1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4) + (5,) * 16 + (6,)
_BIT_COST = [0.0] + [-math.log2(f / 4096) for f in range(1, 4097)]


class AdaptiveBit:
    """A bit whose probability follows what was coded."""

    __slots__ = ("one", "count")

    def __init__(self) -> None:
        self.one = 32768
        self.count = 0

    def code(self, bit: bool) -> float:
        """Codes a bit; what it costs."""
        frequency = max(1, self.one >> 4)
        rate = _RATES[self.count]
        self.count = min(self.count + 1, 31)
        if bit:
            self.one += (65535 - self.one) >> rate
            return _BIT_COST[frequency]
        self.one -= self.one >> rate
        return _BIT_COST[4096 - frequency]


class AdaptiveGamma:
    """The adaptive gamma code of unsigned values of at most `max_bits` bits."""

    def __init__(self, max_bits: int):
        self._max_bits = max_bits
        self._unary: List[AdaptiveBit] = [AdaptiveBit() for _ in range(max_bits)]
        self._top = [[AdaptiveBit() for _ in range(3)] for _ in range(max_bits - 1)]

    def code(self, value: int) -> float:
        """Codes a value; what it costs."""
        length = value.bit_length()
        cost = 0.0
        for i in range(min(self._max_bits, length + 1)):
            cost += self._unary[i].code(length > i)
        if length < 2:
            return cost
        top = self._top[length - 2]
        first = (value >> (length - 2)) & 1
        cost += top[0].code(bool(first))
        if length > 2:
            cost += top[1 + first].code(bool((value >> (length - 3)) & 1)) + (length - 3)
        return cost
