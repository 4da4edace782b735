"""Finds the C library, libmodelvault, and declares its functions (modelvault/modelvault.h)."""

import ctypes
import os
import pathlib
import sys
import threading
from typing import List, Optional, Tuple

from .errors import LibraryMissing

# With the number of its interface: a library that breaks programs has another.
FILE_NAME = "libmodelvault.0.dylib" if sys.platform == "darwin" else "libmodelvault.so.0"
_VARIABLE = "MODELVAULT_LIBRARY"

_PACKAGE = pathlib.Path(__file__).resolve().parent.parent

# A pointer into the library, and one to where it is to put something.
_HANDLE, _OUT = ctypes.c_void_p, ctypes.c_void_p
_CODE, _TEXT, _SIZE, _U64 = ctypes.c_int32, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint64

PROGRESS_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, _U64, _U64)
READ_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, _U64, ctypes.c_void_p, _SIZE)

_FUNCTIONS = (
    ("mv_failure_message", _TEXT, (_HANDLE,)),
    ("mv_failure_path", _TEXT, (_HANDLE,)),
    ("mv_failure_variant", _TEXT, (_HANDLE,)),
    ("mv_failure_tensor", _TEXT, (_HANDLE,)),
    ("mv_failure_offset", _U64, (_HANDLE,)),
    ("mv_failure_data_offset", _U64, (_HANDLE,)),
    ("mv_failure_free", None, (_HANDLE,)),
    ("mv_vault_open_with", _CODE, (_TEXT, _OUT, _OUT, _OUT)),
    ("mv_vault_open_memory_with", _CODE, (ctypes.c_void_p, _SIZE, _TEXT, _OUT, _OUT, _OUT)),
    ("mv_vault_open_source_with", _CODE, (_OUT, _OUT, _OUT, _OUT)),
    ("mv_vault_signature", _CODE, (_HANDLE, _OUT, _OUT)),
    ("mv_vault_close", None, (_HANDLE,)),
    ("mv_vault_variant_count", _SIZE, (_HANDLE,)),
    ("mv_vault_variant_info", _CODE, (_HANDLE, _SIZE, _OUT, _OUT)),
    ("mv_vault_verify", _CODE, (_HANDLE, _OUT, _OUT)),
    ("mv_vault_model", _CODE, (_HANDLE, _TEXT, _OUT, _OUT)),
    ("mv_model_free", None, (_HANDLE,)),
    ("mv_model_get_info", _CODE, (_HANDLE, _OUT, _OUT)),
    ("mv_model_sizes", _CODE, (_HANDLE, _OUT, _OUT, _OUT)),
    ("mv_model_tensor_count", _CODE, (_HANDLE, _OUT, _OUT)),
    ("mv_model_tensor_info", _CODE, (_HANDLE, _SIZE, _OUT, _OUT)),
    ("mv_model_find_tensor", _CODE, (_HANDLE, _TEXT, _OUT, _OUT)),
    ("mv_model_restore_file", _CODE, (_HANDLE, _TEXT, _OUT, _OUT)),
    ("mv_model_read_tensor", _CODE, (_HANDLE, _TEXT, ctypes.c_void_p, _SIZE, _OUT, _OUT)),
    ("mv_model_read_data", _CODE, (_HANDLE, _U64, ctypes.c_void_p, _SIZE, _OUT, _OUT)),
    ("mv_model_verify", _CODE, (_HANDLE, _OUT, _OUT)),
)


class Source(ctypes.Structure):
    """mv_source."""
    _fields_ = [("struct_size", ctypes.c_uint32), ("reserved", ctypes.c_uint32), ("context", ctypes.c_void_p),
                ("size", ctypes.c_uint64), ("name", ctypes.c_char_p), ("read", READ_FUNCTION),
                ("close", ctypes.c_void_p)]


class Input(ctypes.Structure):
    """mv_input."""
    _fields_ = [("path", ctypes.c_char_p), ("bytes", ctypes.c_void_p), ("size", ctypes.c_size_t)]


class OpenOptions(ctypes.Structure):
    """mv_open_options."""
    _fields_ = [("struct_size", ctypes.c_uint32), ("require_signature", ctypes.c_uint32),
                ("trusted_keys", ctypes.c_void_p), ("trusted_key_count", ctypes.c_size_t),
                ("key_set", ctypes.c_char_p), ("threshold", ctypes.c_uint32), ("reserved", ctypes.c_uint32),
                ("opening_keys", ctypes.c_void_p), ("opening_key_count", ctypes.c_size_t),
                ("least_version", ctypes.c_uint64), ("time", ctypes.c_int64), ("revocations", ctypes.c_void_p),
                ("least_revocations", ctypes.c_uint64)]


class SignatureInfo(ctypes.Structure):
    """mv_signature_info."""
    _fields_ = [("struct_size", ctypes.c_uint32), ("is_trusted", ctypes.c_uint32), ("version", ctypes.c_uint64),
                ("not_before", ctypes.c_uint64), ("not_after", ctypes.c_uint64), ("vault_id", ctypes.c_char_p),
                ("key_set", ctypes.c_char_p), ("revocations", ctypes.c_uint64)]


class ModelInfo(ctypes.Structure):
    """mv_model_info."""
    _fields_ = [("struct_size", ctypes.c_uint32), ("is_base", ctypes.c_uint32), ("name", ctypes.c_char_p),
                ("stored_size", ctypes.c_uint64), ("xxh3_128", ctypes.c_char_p), ("xxh64", ctypes.c_char_p)]


class TensorInfo(ctypes.Structure):
    """mv_tensor_info."""
    _fields_ = [("struct_size", ctypes.c_uint32), ("dtype", ctypes.c_int32), ("name", ctypes.c_char_p),
                ("type_name", ctypes.c_char_p), ("shape", ctypes.POINTER(ctypes.c_uint64)), ("rank", ctypes.c_uint32),
                ("element_bits", ctypes.c_uint32), ("offset", ctypes.c_uint64), ("size", ctypes.c_uint64)]


class ReadOptions(ctypes.Structure):
    """mv_read_options."""
    _fields_ = [("struct_size", ctypes.c_uint32), ("threads", ctypes.c_int32), ("progress", PROGRESS_FUNCTION),
                ("progress_context", ctypes.c_void_p)]


def _places() -> List[str]:
    """Where the library may be, in the order in which it is looked for. A name without a folder is looked for where the
    system looks for libraries."""
    places = [str(_PACKAGE / FILE_NAME)]
    if _PACKAGE.parts[-3:-1] == ("tools", "python"):
        places.append(str(_PACKAGE.parents[2] / "build" / "restore" / "c_api" / FILE_NAME))
    places += [str(pathlib.Path(sys.prefix) / "lib" / FILE_NAME), FILE_NAME]
    return places


def _open(place: str) -> ctypes.CDLL:
    """Raises OSError, or LibraryMissing if what is there is not the library that is needed."""
    library = ctypes.CDLL(place)
    for name, result, arguments in _FUNCTIONS:
        try:
            function = getattr(library, name)
        except AttributeError:
            raise LibraryMissing(f"{place} has no function {name}: it is not libmodelvault, or is older than this "
                                 "package", path=place) from None
        function.restype, function.argtypes = result, arguments
    return library


def _find() -> ctypes.CDLL:
    chosen = os.environ.get(_VARIABLE)
    tried: List[Tuple[str, OSError]] = []
    for place in [chosen] if chosen else _places():
        try:
            return _open(place)
        except OSError as error:
            tried.append((place, error))
    lines = [f"  {place}: {error}" for place, error in tried]
    advice = f"{_VARIABLE} names it" if chosen else f"build and install it, or set {_VARIABLE} to its path"
    raise LibraryMissing(f"libmodelvault was not found ({advice}); tried:\n" + "\n".join(lines))


_lock = threading.Lock()
_library: Optional[ctypes.CDLL] = None


def load() -> ctypes.CDLL:
    """The library, loaded by the first call. Raises LibraryMissing."""
    global _library  # pylint: disable=global-statement
    with _lock:
        if _library is None:
            _library = _find()
        return _library
