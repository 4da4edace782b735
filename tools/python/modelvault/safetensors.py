"""Reads and writes safetensors files (8 bytes of header size, a JSON header, the data), with torch alone."""

import ctypes
import json
import os
import pathlib
from typing import Dict, Iterable, Mapping, Optional, Tuple, Union

import torch

from .errors import ModelFileError

Path = Union[str, "os.PathLike[str]"]

DTYPES = {
    "BOOL": torch.bool, "U8": torch.uint8, "I8": torch.int8, "I16": torch.int16, "I32": torch.int32,
    "I64": torch.int64, "F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64,
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
# As mvault: a longer header is damage.
_MAX_HEADER = 100_000_000


class Model:
    """A file's tensors, in the order of its data, and its metadata."""

    def __init__(self, tensors: Dict[str, torch.Tensor], metadata: Dict[str, str], path: str):
        self.tensors = tensors
        self.metadata = metadata
        self.path = path


def read(path: Path) -> Model:
    """All tensors of a file. Raises ModelFileError, with the file and the place, for anything that is not right."""
    path = os.fspath(path)
    data = bytearray(pathlib.Path(path).read_bytes())
    header, begin = _parse_header(data, path)
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ModelFileError(f"{path}: __metadata__ is not an object of strings")
    entries = [(name, *_check_entry(path, name, entry)) for name, entry in header.items()]
    entries.sort(key=lambda entry: (entry[3], entry[4]))
    end = 0
    tensors = {}
    for name, dtype, shape, first, last in entries:
        if first != end:
            raise ModelFileError(f"{path}: tensor '{name}' begins at byte {first} of the data, expected {end}")
        end = last
        if begin + last > len(data):
            raise ModelFileError(f"{path}: tensor '{name}' ends at byte {last} of the data, which has "
                                 f"{len(data) - begin}")
        tensors[name] = _tensor(data, begin + first, last - first, dtype, shape)
    if begin + end != len(data):
        raise ModelFileError(f"{path}: {len(data) - begin - end} bytes follow the last tensor")
    return Model(tensors, metadata, path)


def write(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Optional[Mapping[str, str]] = None) -> None:
    """Writes the tensors in their order. The file takes its name only when all of it is on the disk."""
    header: Dict[str, object] = {}
    if metadata:
        header["__metadata__"] = dict(metadata)
    end = 0
    chunks = []
    for name, tensor in tensors.items():
        if tensor.dtype not in _NAMES:
            raise ModelFileError(f"{os.fspath(path)}: tensor '{name}': safetensors has no name for {tensor.dtype}")
        size = tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [end, end + size]}
        end += size
        chunks.append(tensor)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    write_bytes(path, (part for source in ([len(text).to_bytes(8, "little"), text], map(_bytes, chunks))
                       for part in source))


def write_bytes(path: Path, parts: Iterable[bytes]) -> None:
    """Writes a file that appears whole or not at all."""
    path = os.fspath(path)
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


def _parse_header(data: bytearray, path: str) -> Tuple[dict, int]:
    if len(data) < 8:
        raise ModelFileError(f"{path}: {len(data)} bytes are no safetensors file")
    size = int.from_bytes(data[:8], "little")
    if size > len(data) - 8 or size > _MAX_HEADER:
        raise ModelFileError(f"{path}: the header would have {size} bytes, the file has {len(data)}")
    try:
        header = json.loads(bytes(data[8:8 + size]).decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelFileError(f"{path}: the header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise ModelFileError(f"{path}: the header is not a JSON object")
    return header, 8 + size


def _check_entry(path: str, name: str, entry: object) -> tuple:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ModelFileError(f"{path}: tensor '{name}': expected dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if dtype not in DTYPES:
        raise ModelFileError(f"{path}: tensor '{name}': dtype {dtype!r} is not one of {', '.join(DTYPES)}")
    for what, numbers in (("shape", shape), ("data_offsets", offsets)):
        if not isinstance(numbers, list) or not all(type(n) is int and n >= 0 for n in numbers):
            raise ModelFileError(f"{path}: tensor '{name}': {what} is not a list of counts")
    count = 1
    for n in shape:
        count *= n
    size = count * torch.empty((), dtype=DTYPES[dtype]).element_size()
    if len(offsets) != 2 or offsets[1] - offsets[0] != size:
        raise ModelFileError(f"{path}: tensor '{name}': data_offsets {offsets} do not hold {size} bytes")
    return DTYPES[dtype], shape, offsets[0], offsets[1]


def _tensor(data: bytearray, offset: int, size: int, dtype: torch.dtype, shape: list) -> torch.Tensor:
    if size == 0:
        return torch.empty(shape, dtype=dtype)
    # A copy: it is aligned, and outlives the file's bytes.
    return torch.frombuffer(bytearray(data[offset:offset + size]), dtype=dtype).reshape(shape)


def _bytes(tensor: torch.Tensor) -> bytes:
    tensor = tensor.detach().cpu().contiguous()
    return ctypes.string_at(tensor.data_ptr(), tensor.numel() * tensor.element_size()) if tensor.numel() else b""
