"""The tensors of a LoRA adapter, by the several names that they go under."""

from typing import Dict, Iterable, Mapping, NamedTuple, Optional

import torch

from .errors import AttachError, ModelFileError

_PREFIX = "base_model.model."
_HALVES = {"lora_A": "A", "lora_B": "B", "lora_embedding_A": "A", "lora_embedding_B": "B", "lora_down": "A",
           "lora_up": "B"}
_MAGNITUDES = {"lora_magnitude_vector", "dora_scale"}


class Pair(NamedTuple):
    """B A is added to the weight `target`: a [rank, in], b [out, rank]; to an embedding its transpose. `alpha`: where
    the file itself has one."""
    target: str
    a: torch.Tensor
    b: torch.Tensor
    of_embedding: bool
    alpha: Optional[float]

    @property
    def rank(self) -> int:
        """Of the product."""
        return self.a.shape[0]


class Adapter:
    """`pairs`, and `whole`: tensors that are saved in full, by their names."""

    def __init__(self, tensors: Mapping[str, torch.Tensor], where: str):
        self.where = where
        self.whole: Dict[str, torch.Tensor] = {}
        parts: Dict[str, Dict[str, torch.Tensor]] = {}
        adapters = set()
        for key, tensor in tensors.items():
            name = key[len(_PREFIX):] if key.startswith(_PREFIX) else key
            words = name.split(".")
            if _MAGNITUDES.intersection(words):
                raise ModelFileError(f"{where}: '{key}': a DoRA adapter rescales weights and is no sum; merge it with "
                                     "the library that made it")
            at = next((i for i, word in enumerate(words) if word in _HALVES), None)
            if at is not None:
                rest = words[at + 1:-1] if words[-1] == "weight" else words[at + 1:]
                if len(rest) > 1 or rest == ["bias"]:
                    raise ModelFileError(f"{where}: '{key}' is neither a lora_A nor a lora_B")
                adapters.update(rest)
                part = parts.setdefault(".".join(words[:at]), {})
                part[_HALVES[words[at]]] = tensor
                if "embedding" in words[at]:
                    part["embedding"] = tensor
            elif words[-1] == "alpha" and tensor.numel() == 1:
                parts.setdefault(".".join(words[:-1]), {})["alpha"] = tensor
            else:
                self.whole[".".join(_without_wrapper(words))] = tensor
        if len(adapters) > 1:
            raise ModelFileError(f"{where}: several adapters, {', '.join(sorted(adapters))}; give one")
        if not tensors:
            raise ModelFileError(f"{where}: no tensors")
        self.pairs = [_pair(target, part, where) for target, part in parts.items()]

    def check_alone(self, alpha: Optional[float]) -> None:
        """Whether the scales are known without a configuration. Raises AttachError or ModelFileError."""
        for name in self.whole:
            raise ModelFileError(f"{self.where}: '{name}' is neither a lora_A nor a lora_B, and there is no "
                                 "configuration to say that it is saved in full")
        for pair in self.pairs:
            if pair.alpha is None and alpha is None:
                raise AttachError(f"{self.where}: nothing tells the scale of '{pair.target}': give config= or alpha=")
            if pair.alpha is not None and alpha is not None and pair.alpha != alpha:
                raise AttachError(f"{self.where}: '{pair.target}' has an alpha of its own, {pair.alpha:g}, not "
                                  f"{alpha:g}: leave alpha= out")
        ranks = sorted({pair.rank for pair in self.pairs if pair.alpha is None})
        if len(ranks) > 1:
            raise AttachError(f"{self.where}: ranks differ ({', '.join(map(str, ranks))}), and so may alphas: give "
                              "config=")

    def name_in(self, parameters: Iterable[str], target: str) -> str:
        """What the model calls it."""
        for name in (f"{target}.weight", target):
            if name in parameters:
                return name
        # Some files have underscores for dots, and "lora_unet_" or the like in front.
        after = target.split("_", 1)[1] if target.startswith("lora_") else target
        forms = {after, after.split("_", 1)[-1]}
        found = [name for name in parameters if name.rpartition(".")[0].replace(".", "_") in forms and
                 name.endswith(".weight")] if target.startswith("lora_") else []
        if len(found) != 1:
            raise AttachError(f"{self.where}: '{target}' is no weight of the model" if not found else
                              f"{self.where}: '{target}' may be {' or '.join(found)}")
        return found[0]


def _without_wrapper(words: list) -> list:
    """The model's name of a tensor that is saved in full; its module may be wrapped."""
    if "modules_to_save" in words:
        at = words.index("modules_to_save")
        # The wrapper, and the adapter's name where the tensor's own is not next.
        return words[:at] + words[at + (2 if len(words) - at > 2 else 1):]
    return words


def _pair(target: str, part: Mapping[str, torch.Tensor], where: str) -> Pair:
    if "A" not in part or "B" not in part:
        has = f"lora_{'A' if 'A' in part else 'B'} only" if "A" in part or "B" in part else "an alpha only"
        raise ModelFileError(f"{where}: '{target}' has {has}; A and B come in pairs")
    a, b = part["A"], part["B"]
    if a.dim() < 2 or b.dim() < 2 or b.shape[1] != a.shape[0]:
        raise ModelFileError(f"{where}: '{target}': A {list(a.shape)} and B {list(b.shape)} do not multiply")
    return Pair(target, a, b, "embedding" in part, float(part["alpha"]) if "alpha" in part else None)
