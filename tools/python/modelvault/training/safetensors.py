"""Reads and writes safetensors files (8 bytes of header size, a JSON header, the data), with torch alone."""

import contextlib
import ctypes
import json
import os
import pathlib
import sys
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Union

import torch

from . import safetensors_header
from .errors import ModelFileError

Path = Union[str, "os.PathLike[str]"]

DTYPES = {
    "BOOL": torch.bool, "U8": torch.uint8, "I8": torch.int8, "I16": torch.int16, "I32": torch.int32,
    "I64": torch.int64, "F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64,
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
# Of the others those that some torch has, by its names: nothing is computed with them, but a model may have such
# buffers.
_FOREIGN = {"F8_E5M2": "float8_e5m2", "F8_E4M3": "float8_e4m3fn", "F8_E8M0": "float8_e8m0fnu",
            "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz", "U16": "uint16", "U32": "uint32",
            "U64": "uint64"}
# Files are little-endian.
_BIG_ENDIAN = sys.byteorder == "big"


class Foreign(NamedTuple):
    """How a file has a tensor whose dtype is none of DTYPES."""
    dtype: str
    shape: List[int]


class Model:
    """A file's tensors, in the order of its data, and its metadata. Tensors in `foreign` are their bytes, U8: they are
    carried, not computed with."""

    def __init__(self, tensors: Dict[str, torch.Tensor], metadata: Dict[str, str], path: str,
                 foreign: Optional[Dict[str, Foreign]] = None):
        self.tensors = tensors
        self.metadata = metadata
        self.path = path
        self.foreign = foreign or {}


def read(path: Path) -> Model:
    """All tensors of a file. Raises ModelFileError, with the file and the place, for anything that is not right."""
    path = os.fspath(path)
    data = bytearray(pathlib.Path(path).read_bytes())
    header = safetensors_header.parse(data, path)
    tensors: Dict[str, torch.Tensor] = {}
    foreign: Dict[str, Foreign] = {}
    for entry in header.entries:
        # A copy: it is aligned, and outlives the file's bytes.
        part = data[header.data_offset + entry.begin:header.data_offset + entry.end]
        if entry.dtype in DTYPES:
            tensors[entry.name] = _tensor(part, DTYPES[entry.dtype], entry.shape)
        else:
            tensors[entry.name] = _tensor(part, torch.uint8, [len(part)])
            foreign[entry.name] = Foreign(entry.dtype, entry.shape)
    return Model(tensors, header.metadata, path, foreign)


def write(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Optional[Mapping[str, str]] = None,
          foreign: Optional[Mapping[str, Foreign]] = None) -> None:
    """Writes the tensors in their order; those in `foreign` are given by their bytes. The file takes its name only when
    all of it is on the disk."""
    header: Dict[str, object] = {}
    if metadata:
        header[safetensors_header.METADATA] = dict(metadata)
    end = 0
    for name, tensor in tensors.items():
        if tensor.dtype not in _NAMES:
            raise ModelFileError(f"{os.fspath(path)}: tensor '{name}': {tensor.dtype} is not written; expected one of "
                                 f"{', '.join(DTYPES)}")
        size = tensor.numel() * tensor.element_size()
        dtype, shape = (foreign or {}).get(name) or (_NAMES[tensor.dtype], list(tensor.shape))
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    write_bytes(path, (part for source in ([len(text).to_bytes(8, "little"), text], map(_bytes, tensors.values()))
                       for part in source))


def write_bytes(path: Path, parts: Iterable[bytes]) -> None:
    """Writes a file that appears whole or not at all. Where the name is a link, what it points to is replaced."""
    path = os.path.realpath(path)
    temporary = f"{path}.partial"
    try:
        with open(temporary, "wb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    _sync_folder(os.path.dirname(path))


def _sync_folder(path: str) -> None:
    """So that the name is on the disk, too. Some file systems cannot; the file is in place all the same."""
    with contextlib.suppress(OSError):
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def as_torch(data: torch.Tensor, foreign: Foreign) -> Optional[torch.Tensor]:
    """A foreign tensor in the dtype that the torch at hand has for it; None if it has none."""
    dtype = getattr(torch, _FOREIGN.get(foreign.dtype, ""), None)
    return None if dtype is None else _tensor(bytearray(_bytes(data)), dtype, foreign.shape)


def foreign_of(tensor: torch.Tensor) -> Optional[Foreign]:
    """How a file would have a tensor whose dtype is none of DTYPES, or None."""
    for dtype, name in _FOREIGN.items():
        if tensor.dtype is getattr(torch, name, None):
            return Foreign(dtype, list(tensor.shape))
    return None


def _tensor(data: bytearray, dtype: torch.dtype, shape: List[int]) -> torch.Tensor:
    if not data:
        return torch.empty(shape, dtype=dtype)
    _swap_if_big_endian(data, torch.empty((), dtype=dtype).element_size())
    return torch.frombuffer(data, dtype=dtype).reshape(shape)


def _bytes(tensor: torch.Tensor) -> bytes:
    tensor = tensor.detach().cpu().contiguous()
    if not tensor.numel():
        return b""
    data = bytearray(ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size()))
    _swap_if_big_endian(data, tensor.element_size())
    return data


def _swap_if_big_endian(data: bytearray, size: int) -> None:
    """Elements of `size` bytes, between the file's order and this machine's."""
    if not _BIG_ENDIAN:
        return
    turned = bytes(data)
    for i in range(size):
        data[i::size] = turned[size - 1 - i::size]
