"""What the reader raises: VaultError, and of its subclasses one for each kind of failure."""

import errno
from typing import Dict, Optional, Type


class VaultError(Exception):
    """A call failed. str() is a sentence with all that is known; what a program may want of it is in the attributes,
    None where it is not known or concerns nothing."""

    def __init__(self, message: str, path: Optional[str] = None, variant: Optional[str] = None,
                 tensor: Optional[str] = None, offset: Optional[int] = None, data_offset: Optional[int] = None):
        super().__init__(message)
        self.message = message
        # The vault's path or name, or that of the file that was to be written.
        self.path = path
        # The variant, or "base".
        self.variant = variant
        # The tensor that was asked for, or in or after whose first bytes restoring a model ended.
        self.tensor = tensor
        # Where in the vault's file the damaged part begins, or the read that failed.
        self.offset = offset
        # From which byte of the model's data section on nothing was restored.
        self.data_offset = data_offset

    def __str__(self) -> str:
        # A KeyError's would quote it.
        return self.message


class InvalidArgument(VaultError, ValueError):
    """The call is wrong: a range outside the data, a path that is a folder, a vault that is closed."""


class NotFound(VaultError, KeyError):
    """No such variant, or tensor; the message names the nearest."""


class FileMissing(NotFound, FileNotFoundError):
    """No such file, or, where one is to be written, folder."""

    def __init__(self, message: str, path: Optional[str] = None, variant: Optional[str] = None,
                 tensor: Optional[str] = None, offset: Optional[int] = None, data_offset: Optional[int] = None):
        super().__init__(message, path, variant, tensor, offset, data_offset)
        self.errno = errno.ENOENT
        self.filename = path


class Damaged(VaultError):
    """The vault's bytes are not those of a sound vault, or of a vault at all."""


class Unsupported(VaultError):
    """A vault of a version, or with a feature, that the library does not know; a tensor for which NumPy or PyTorch has
    no room or type."""


class Storage(VaultError, OSError):
    """Reading or writing failed: the disk, the rights, a file-like object, whose exception is then the cause."""


class OutOfMemory(VaultError, MemoryError):
    """Memory ran out."""


class Cancelled(VaultError):
    """A callback ended the call. Not raised where a progress function raised something: that comes out itself."""


class NotSynced(Storage):
    """A file is in place, whole, but may not survive a power cut."""


class AlreadyExists(VaultError, FileExistsError):
    """Something has the name of the folder that a model of several files was to become."""


class Refused(VaultError, PermissionError):
    """A vault, or a variant, that is sound but not to be used: the subclasses say why."""


class Sealed(Refused):
    """A tenant's variant, which only its keys open: none of them was given."""


class Untrusted(Refused):
    """Not what those who are trusted have signed, or a tenant has sealed."""


class RolledBack(Refused):
    """An older vault, or revocation list, than is taken."""


class Expired(Refused):
    """A vault that is not valid at the time: no longer, or not yet."""


class Revoked(Refused):
    """A variant that the revocation list revokes, or its tenant."""


class Internal(VaultError):
    """A bug."""


class LibraryMissing(VaultError, ImportError):
    """libmodelvault was not found, or is of another version."""


# By mv_code.
_KINDS: Dict[int, Type[VaultError]] = {
    1: InvalidArgument, 2: NotFound, 3: Damaged, 4: Unsupported, 5: Internal, 6: Storage, 7: OutOfMemory, 8: Cancelled,
    9: NotSynced, 10: Internal, 11: AlreadyExists, 12: Sealed, 13: Untrusted, 14: RolledBack, 15: Expired, 16: Revoked,
}


def kind_of(code: int) -> Type[VaultError]:
    """The class for an mv_code. What a later library adds is a VaultError."""
    return _KINDS.get(code, VaultError)
