"""A vault's bytes that are not in a file of their own: in memory, or in a file-like object."""

import ctypes
import os
import threading
from typing import Any, Callable, List, Optional, Protocol, runtime_checkable

import numpy

from . import c_library
from .errors import Storage

_FAILED = -1


@runtime_checkable
class BinaryFile(Protocol):
    """What a file-like object must have."""

    def seek(self, offset: int, whence: int = 0) -> int:
        """As io.RawIOBase has it."""

    def read(self, size: int = -1) -> bytes:
        """As io.RawIOBase has it."""


class Memory:
    """Bytes of an object with the buffer protocol, which cannot be resized as long as this lives."""

    def __init__(self, buffer: Any):
        view = memoryview(buffer).cast("B")
        self._bytes = numpy.frombuffer(view, numpy.uint8) if len(view) else numpy.empty(0, numpy.uint8)

    @property
    def address(self) -> int:
        """Where they are."""
        return self._bytes.ctypes.data

    @property
    def size(self) -> int:
        """How many they are."""
        return self._bytes.size


class FileObject:
    """A binary file-like object with seek() and read(), read by one thread at a time."""

    def __init__(self, file: BinaryFile, name: str):
        if not isinstance(file.read(0), bytes):
            raise TypeError(f"{name}: expected a file-like object that is open in binary mode")
        self._raised: List[BaseException] = []
        # The library has pointers to the callback and, until the vault is open, to all of this.
        self._callback = c_library.READ_FUNCTION(_reader(file, self._raised))
        self.source = c_library.Source(ctypes.sizeof(c_library.Source), 0, None, file.seek(0, os.SEEK_END),
                                     name.encode("utf-8", "replace"), self._callback, None)

    def explained(self, error: Storage) -> Storage:
        """`error`, with what the object last raised as its cause. Raises that itself if it is none for callers to
        handle, such as KeyboardInterrupt."""
        try:
            raised = self._raised.pop()
        except IndexError:  # Something else failed, or another thread has told of it.
            return error
        if not isinstance(raised, Exception):
            raise raised from None
        error.message += f": {type(raised).__name__}: {raised}"
        error.__cause__ = raised
        return error


def _reader(file: BinaryFile, raised: List[BaseException]) -> Callable[[Optional[int], int, int, int], int]:
    """The source's callback. It does not refer to the object that keeps it: that goes when it is let go, not when
    cycles are looked for."""
    lock = threading.Lock()

    def read(_: Optional[int], offset: int, buffer: int, size: int) -> int:
        try:
            with lock:
                file.seek(offset)
                data = file.read(size)
            if len(data) > size:
                raise ValueError(f"read({size}) returned {len(data)} bytes")
            ctypes.memmove(buffer, data, len(data))
            return len(data)
        except BaseException as error:  # pylint: disable=broad-except
            raised[:] = [error]
            return _FAILED

    return read
