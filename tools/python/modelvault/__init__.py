"""modelvault for Python. Reads vaults (docs/python.md), which needs NumPy, and trains the fine-tunes that go into them
(docs/fine-tuning.md), which needs PyTorch, too: the first use of a name of the training half imports that."""

import importlib
from typing import TYPE_CHECKING, Any, List

from .reader import (AlreadyExists, Cancelled, Damaged, Digests, Expired, FileMissing, Internal, InvalidArgument,
                     LibraryMissing, Model, NotFound, NotSynced, OutOfMemory, Refused, Revoked, RolledBack, Sealed,
                     Signature, Storage, TensorInfo, Unsupported, Untrusted, Vault, VaultError, float32_of_bfloat16)
from .version import VERSION as __version__

if TYPE_CHECKING:
    from .training import (AttachError, BaseModel, ByteCount, ByteCounter, ModelFileError, Plan, Priors, Progress,
                           add_tensor_weights, allocate, apply_lora, attach, curvature, distill, export, load, plan_of,
                           tensor_weights, write_tensor_weights)

_TRAINING = ("AttachError", "BaseModel", "ByteCount", "ByteCounter", "ModelFileError", "Plan", "Priors", "Progress",
             "add_tensor_weights", "allocate", "apply_lora", "attach", "curvature", "distill", "export", "load",
             "plan_of", "tensor_weights", "write_tensor_weights")

__all__ = ["AlreadyExists", "AttachError", "BaseModel", "ByteCount", "ByteCounter", "Cancelled", "Damaged", "Digests",
           "Expired", "FileMissing", "Internal", "InvalidArgument", "LibraryMissing", "Model", "ModelFileError",
           "NotFound", "NotSynced", "OutOfMemory", "Plan", "Priors", "Progress", "Refused", "Revoked", "RolledBack",
           "Sealed", "Signature", "Storage", "TensorInfo", "Unsupported", "Untrusted", "Vault", "VaultError",
           "__version__", "add_tensor_weights", "allocate", "apply_lora", "attach", "curvature", "distill", "export",
           "float32_of_bfloat16", "load", "plan_of", "tensor_weights", "write_tensor_weights"]


def __getattr__(name: str) -> Any:
    if name not in _TRAINING:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        training = importlib.import_module(".training", __name__)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ModuleNotFoundError(f"modelvault.{name} needs PyTorch: pip install 'modelvault[train]'",
                                  name="torch") from None
    for each in _TRAINING:
        globals()[each] = getattr(training, each)
    return globals()[name]


def __dir__() -> List[str]:
    return sorted(set(globals()) | set(_TRAINING))
