"""What a LoRA adapter's configuration (adapter_config.json) says of its sum."""

import json
import math
import os
import pathlib
import re
from typing import Any, Dict, Mapping, Optional, Union

from .errors import AttachError, ModelFileError
from .lora_tensors import Adapter, Pair

# Ways to begin that leave the base as it is; the others move what A and B begin with out of it.
_KEEP_BASE = (True, False, None, "gaussian", "orthogonal", "eva")


class LoraConfig:
    """A configuration of a kind that can be added up."""

    def __init__(self, fields: Mapping[str, Any], where: str):
        self._fields: Dict[str, Any] = dict(fields)
        self._where = where
        reasons = {
            f"its peft_type is {fields.get('peft_type')}": fields.get("peft_type") not in (None, "LORA"),
            "DoRA rescales weights and is no sum": fields.get("use_dora"),
            f"init_lora_weights {fields.get('init_lora_weights')!r} changes the base's weights, too":
                fields.get("init_lora_weights") not in _KEEP_BASE,
            "it repeats layers (layer_replication)": fields.get("layer_replication"),
            "it is on for some inputs only (alora_invocation_tokens)": fields.get("alora_invocation_tokens"),
        }
        for reason, holds in reasons.items():
            if holds:
                raise ModelFileError(f"{where}: {reason}: merge the adapter with the library that made it")
        if not isinstance(fields.get("lora_alpha"), (int, float)) or not isinstance(fields.get("r"), int):
            raise ModelFileError(f"{where}: expected numbers lora_alpha and r, found {fields.get('lora_alpha')!r} and "
                                 f"{fields.get('r')!r}")

    @classmethod
    def read(cls, config: Union[str, "os.PathLike[str]", Mapping[str, Any]]) -> "LoraConfig":
        """Of a file, or of what is in one."""
        if isinstance(config, Mapping):
            return cls(config, "the configuration")
        where = os.fspath(config)
        try:
            fields = json.loads(pathlib.Path(config).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ModelFileError(f"{where}: not JSON: {error}") from None
        if not isinstance(fields, dict):
            raise ModelFileError(f"{where}: not a JSON object")
        return cls(fields, where)

    @property
    def fan_in_fan_out(self) -> Optional[bool]:
        """True where weights are [in, out]. False says nothing: it is what a configuration has that was not asked."""
        return True if self._fields.get("fan_in_fan_out") else None

    def check(self, adapter: Adapter, alpha: Optional[float]) -> None:
        """Whether the adapter is one of this configuration. Raises AttachError or ModelFileError."""
        if alpha is not None and alpha != self._fields["lora_alpha"]:
            raise AttachError(f"alpha is {alpha:g}, but {self._where} has lora_alpha {self._fields['lora_alpha']:g}")
        in_full = self._fields.get("modules_to_save") or []
        with_biases = self._fields.get("bias", "none") != "none"
        for name in adapter.whole:
            module, _, last = name.rpartition(".")
            if not (_last(module) in in_full or _last(name) in in_full or (last == "bias" and with_biases)):
                raise ModelFileError(f"{adapter.where}: '{name}' is neither a lora_A nor a lora_B, nor in "
                                     f"modules_to_save of {self._where}")
        for pair in adapter.pairs:
            rank = self._of("rank_pattern", pair.target, self._fields["r"])
            if pair.rank != rank:
                raise ModelFileError(f"{adapter.where}: '{pair.target}' has rank {pair.rank}, {self._where} says "
                                     f"{rank}")

    def scale(self, pair: Pair) -> float:
        """What the product is multiplied by."""
        alpha = self._of("alpha_pattern", pair.target, self._fields["lora_alpha"])
        if pair.alpha is not None and pair.alpha != alpha:
            raise ModelFileError(f"{self._where}: alpha of '{pair.target}' is {alpha:g}, the adapter's own is "
                                 f"{pair.alpha:g}")
        # Rank-stabilised: D. Kalajdzievski, arXiv:2312.03732.
        return alpha / (math.sqrt(pair.rank) if self._fields.get("use_rslora") else pair.rank)

    def _of(self, field: str, target: str, default: float) -> float:
        """A pattern is a regular expression of the end of a module's name; the first that fits counts."""
        for pattern, value in (self._fields.get(field) or {}).items():
            if re.match(rf"(.*\.)?({pattern})$", target):
                return value
        return default


def _last(name: str) -> str:
    return name.rpartition(".")[2]
