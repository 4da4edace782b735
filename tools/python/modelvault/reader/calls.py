"""Calls of the C library: its failures as exceptions, its handles as objects, its callbacks."""

import ctypes
from typing import Any, Callable, List, Optional, Type

from . import c_library
from .errors import Cancelled, FileMissing, NotFound, VaultError, kind_of

Progress = Callable[[int, int], object]

_NO_OFFSET = 2**64 - 1
# What these do not find is a file, or a folder for one.
_OF_FILES = ("mv_vault_open_with", "mv_vault_open_memory_with", "mv_vault_open_source_with", "mv_model_restore_file")


def text_of(value: Optional[bytes]) -> str:
    """A text of the library's. Paths need not be UTF-8."""
    return (value or b"").decode("utf-8", "surrogateescape")


class Handle:
    """A handle of the library's, to be filled by the call that makes it, and freed with this object. Calls are given
    this object, not the pointer, so that none is freed in use, whatever other threads close."""

    def __init__(self, free: Callable[[Any], Any], keeps: object):
        self._as_parameter_ = ctypes.c_void_p()
        self._free = free
        # What must live as long as the handle.
        self.keeps = keeps

    def to_fill(self) -> Any:
        """The argument for the call that makes the handle."""
        return ctypes.byref(self._as_parameter_)

    def __del__(self) -> None:
        self._free(self._as_parameter_)


def call(name: str, *arguments: Any) -> None:
    """Calls the function `name` of the library; raises what it fails with."""
    loaded = c_library.load()
    failure = ctypes.c_void_p()
    code = getattr(loaded, name)(*arguments, ctypes.byref(failure))
    if code == 0:
        return
    try:
        kind = kind_of(code)
        if kind is NotFound and name in _OF_FILES:
            kind = FileMissing
        raise _error(loaded, kind, failure)
    finally:
        loaded.mv_failure_free(failure)


def _error(loaded: ctypes.CDLL, kind: Type[VaultError], failure: ctypes.c_void_p) -> VaultError:
    message = loaded.mv_failure_message(failure).decode("utf-8", "backslashreplace")

    def text(field: str) -> Optional[str]:
        return text_of(getattr(loaded, "mv_failure_" + field)(failure)) or None

    def offset(field: str) -> Optional[int]:
        value = int(getattr(loaded, "mv_failure_" + field)(failure))
        return None if value == _NO_OFFSET else value

    return kind(message, text("path"), text("variant"), text("tensor"), offset("offset"), offset("data_offset"))


def call_reading(threads: int, progress: Optional[Progress], name: str, *arguments: Any) -> None:
    """As call(), with mv_read_options as the last argument. What `progress` raises ends the call and comes out."""
    raised: List[BaseException] = []

    def report(_: Optional[int], done: int, total: int) -> int:
        assert progress is not None
        try:
            progress(done, total)
        except BaseException as error:  # pylint: disable=broad-except
            raised.append(error)
        return len(raised)

    callback = c_library.PROGRESS_FUNCTION(0) if progress is None else c_library.PROGRESS_FUNCTION(report)
    options = c_library.ReadOptions(ctypes.sizeof(c_library.ReadOptions), threads, callback, None)
    try:
        call(name, *arguments, ctypes.byref(options))
    except Cancelled:
        if raised:
            raise raised[0] from None
        raise
