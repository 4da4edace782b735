"""Reads vaults: docs/python.md tells how."""

from .arrays import TensorInfo, float32_of_bfloat16
from .errors import (AlreadyExists, Cancelled, Damaged, Expired, FileMissing, Internal, InvalidArgument,
                     LibraryMissing, NotFound, NotSynced, OutOfMemory, Refused, Revoked, RolledBack, Sealed, Storage,
                     Unsupported, Untrusted, VaultError)
from .model import Digests, Model
from .trust import Signature
from .vault import Vault

__all__ = ["AlreadyExists", "Cancelled", "Damaged", "Digests", "Expired", "FileMissing", "Internal", "InvalidArgument",
           "LibraryMissing", "Model", "NotFound", "NotSynced", "OutOfMemory", "Refused", "Revoked", "RolledBack",
           "Sealed", "Signature", "Storage", "TensorInfo", "Unsupported", "Untrusted", "Vault", "VaultError",
           "float32_of_bfloat16"]
