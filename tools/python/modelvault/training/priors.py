"""Where variants differ, by row and column: the tables in MODEL that tell every variant's coder what to expect, made as
`mvault pack` makes them (codec/delta_statistics.cc)."""

import json
import os
import pathlib
from typing import Dict, Iterable, List, Mapping, Optional, Union

import torch

from . import safetensors
from .coder_cost import CLASS_STEPS, CLASSES, HIT_AT, LEVELS, MISS_AT, STEPS
from .errors import AttachError, ModelFileError
from .grid import rows_of

_MAX_ROWS = 1 << 22
_MAX_COLUMNS = 65535
_STEP = torch.tensor(CLASS_STEPS)


class Prior:
    """Of one tensor: its level, and a class for each row and each column (or None)."""

    def __init__(self, level: int = 20, rows: Optional[torch.Tensor] = None, columns: Optional[torch.Tensor] = None):
        self.level = level
        self.rows = rows
        self.columns = columns

    @property
    def by_class(self) -> bool:
        """Whether rows or columns have classes at all."""
        return self.rows is not None or self.columns is not None

    def steps(self, rows: int, columns: int) -> torch.Tensor:
        """What the classes add to the level of each weight, [rows, columns]."""
        row = _STEP[self.rows] if self.rows is not None else torch.zeros(rows, dtype=torch.int64)
        column = _STEP[self.columns] if self.columns is not None else torch.zeros(columns, dtype=torch.int64)
        return row[:, None] + column[None, :]

    def bytes(self) -> int:
        """What it adds to MODEL."""
        return sum((c.numel() + 1) // 2 for c in (self.rows, self.columns) if c is not None)


class Hits:
    """How often each row and each column of one tensor differs, over `variants` variants."""

    def __init__(self, rows: int, columns: int):
        self.rows = torch.zeros(rows, dtype=torch.float64)
        self.columns = torch.zeros(columns, dtype=torch.float64)
        self.variants = 0

    def add(self, differs: torch.Tensor) -> None:
        """Counts a variant's differing weights, a tensor of booleans."""
        differs = differs.reshape(self.rows.numel(), -1)
        self.rows += differs.sum(dim=1)
        self.columns += differs.sum(dim=0)
        self.variants += 1

    def prior(self) -> Prior:
        """The prior that costs least; whatever saves no more than it costs to store is left out."""
        rows, columns = self.rows.numel(), self.columns.numel()
        counted = 2 <= rows <= _MAX_ROWS and 16 <= columns <= _MAX_COLUMNS
        if not counted or self.variants == 0:
            return Prior()
        row_classes = _best_classes(self.rows, columns, self.variants)
        column_classes = _best_classes(self.columns, rows, self.variants)
        best_bits = 0.0
        best = None
        for row_choice in (None, row_classes):
            for column_choice in (None, column_classes):
                bits, level = _estimate(_totals(self.rows, row_choice), _totals(self.columns, column_choice),
                                        self.variants)
                bits += (4 * rows if row_choice is not None else 0) + (4 * columns if column_choice is not None else 0)
                if best is None or bits < best_bits:
                    best_bits = bits
                    best = Prior(level, row_choice, column_choice)
        assert best is not None
        return best


class Priors:
    """A prior for each tensor, by the tensor's name in the base's file."""

    def __init__(self, priors: Mapping[str, Prior]):
        self._priors: Dict[str, Prior] = dict(priors)

    def __getitem__(self, name: str) -> Prior:
        return self._priors.get(name) or Prior()

    def bytes(self) -> int:
        """What they take in MODEL."""
        return sum(p.bytes() for p in self._priors.values())

    def check(self, base: Mapping[str, torch.Tensor]) -> None:
        """Raises AttachError if they are not of this base's tensors."""
        for name, prior in self._priors.items():
            tensor = base.get(name)
            if tensor is None or tensor.dtype != torch.int8:
                raise AttachError(f"the priors have '{name}', which is no INT8 tensor of the base: they are another base's")
            rows = rows_of(tensor)
            for what, classes, count in (("row", prior.rows, rows), ("column", prior.columns, tensor.numel() // rows)):
                if classes is not None and classes.numel() != count:
                    raise AttachError(f"the priors have {classes.numel()} {what} classes for '{name}', expected {count}")

    @classmethod
    def from_variants(cls, base: "safetensors.Path",
                      variants: Union["safetensors.Path", Iterable["safetensors.Path"]]) -> "Priors":
        """The priors that `mvault pack` makes of these INT8 files, or of all *.safetensors of a folder. Files whose
        names begin with a point are left out: systems leave such beside others."""
        if isinstance(variants, (str, os.PathLike)):
            variants = sorted(pathlib.Path(variants).glob("*.safetensors"))
        variants = [path for path in variants if not pathlib.Path(path).name.startswith(".")]
        if not variants:
            raise ModelFileError("no variants to make priors of")
        reference = safetensors.read(base)
        hits = {name: Hits(rows_of(t), t.numel() // max(1, rows_of(t)))
                for name, t in reference.tensors.items() if t.dtype == torch.int8 and t.numel() > 0}
        for path in variants:
            variant = safetensors.read(path)
            for name, counts in hits.items():
                tensor = variant.tensors.get(name)
                if tensor is None or tensor.dtype != torch.int8 or tensor.shape != reference.tensors[name].shape:
                    raise ModelFileError(f"{variant.path}: no INT8 tensor '{name}' of the base's shape")
                counts.add(tensor != reference.tensors[name])
        return cls({name: counts.prior() for name, counts in hits.items()})

    def save(self, path: "safetensors.Path") -> None:
        """Writes them as JSON."""
        document = {name: {"level": p.level,
                           "rows": None if p.rows is None else p.rows.tolist(),
                           "columns": None if p.columns is None else p.columns.tolist()}
                    for name, p in sorted(self._priors.items())}
        safetensors.write_bytes(path, [json.dumps(document).encode()])

    @classmethod
    def load(cls, path: "safetensors.Path") -> "Priors":
        """Reads what save() wrote."""
        try:
            document = json.loads(pathlib.Path(path).read_text())
            return cls({name: Prior(_level(p["level"]), _classes(p["rows"]), _classes(p["columns"]))
                        for name, p in document.items()})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelFileError(f"{path}: not a file of priors: {error}") from None


def _level(level: int) -> int:
    if not 0 <= level < LEVELS:
        raise ValueError(f"a level is not in 0 … {LEVELS - 1}")
    return int(level)


def _classes(numbers: Optional[List[int]]) -> Optional[torch.Tensor]:
    if numbers is None:
        return None
    if not all(0 <= n < CLASSES for n in numbers):
        raise ValueError(f"a class is not in 0 … {CLASSES - 1}")
    return torch.tensor(numbers, dtype=torch.int64)


def _totals(hits: torch.Tensor, classes: Optional[torch.Tensor]) -> torch.Tensor:
    """[lines, hits] of each class."""
    if classes is None:
        classes = torch.zeros(hits.numel(), dtype=torch.int64)
    return torch.stack([torch.bincount(classes, minlength=CLASSES).to(torch.float64),
                        torch.bincount(classes, weights=hits, minlength=CLASSES)])


_PAIR_STEPS = (_STEP[:, None] + _STEP[None, :]).reshape(-1)


def _estimate(rows: torch.Tensor, columns: torch.Tensor, variants: int) -> tuple:
    """Bits of the positions at the best level, rows and columns taken as independent given the classes; that level."""
    weights = torch.bincount(_PAIR_STEPS, weights=(rows[0][:, None] * columns[0][None, :] * variants).reshape(-1),
                             minlength=STEPS)
    all_hits = float(rows[1].sum())
    hits = torch.zeros(STEPS, dtype=torch.float64)
    if all_hits > 0:
        hits = torch.bincount(_PAIR_STEPS, weights=(rows[1][:, None] * columns[1][None, :] / all_hits).reshape(-1),
                              minlength=STEPS)
    costs = HIT_AT @ hits + MISS_AT @ torch.clamp(weights - hits, min=0)
    # Of equals the lowest level, as the coder has it; sums differ in their last bits.
    level = int((costs <= costs.min() * (1 + 1e-12)).nonzero()[0])
    return float(costs[level]), level


def _best_classes(hits: torch.Tensor, other_lines: int, variants: int) -> torch.Tensor:
    """Classes by density, half an octave each, from the top that costs least."""
    other = torch.zeros(2, CLASSES, dtype=torch.float64)
    other[0, 0] = other_lines
    other[1, 0] = hits.sum()
    below = torch.log2((hits.max() + 0.3) / (hits + 0.3))
    best: Optional[torch.Tensor] = None
    best_bits = 0.0
    for half_octaves in range(9):
        octaves = below - half_octaves / 2
        # Half away from zero, as std::round; negative ones are clamped away.
        classes = torch.clamp(torch.floor(2 * octaves + 0.5), 0, 14).to(torch.int64)
        classes[octaves > 8.5] = 15
        bits, _ = _estimate(_totals(hits, classes), other, variants)
        if best is None or bits < best_bits:
            best = classes
            best_bits = bits
    assert best is not None
    return best


assert LEVELS == HIT_AT.shape[0]
