"""Reads vaults: docs/python.md tells how."""

from .arrays import TensorInfo, float32_of_bfloat16
from .errors import (AlreadyExists, Cancelled, Damaged, FileMissing, Internal, InvalidArgument, LibraryMissing,
                     NotFound, NotSynced, OutOfMemory, Sealed, Storage, Unsupported, VaultError)
from .model import Digests, Model
from .vault import Vault

__all__ = ["AlreadyExists", "Cancelled", "Damaged", "Digests", "FileMissing", "Internal", "InvalidArgument",
           "LibraryMissing", "Model", "NotFound", "NotSynced", "OutOfMemory", "Sealed", "Storage", "TensorInfo",
           "Unsupported", "Vault", "VaultError", "float32_of_bfloat16"]
