"""What a safetensors file's header says of its tensors, all of it checked. Takes and refuses what `mvault` does
(tools/formats/safetensors.cc)."""

import json
import math
from typing import Dict, Iterable, List, NamedTuple, Optional, Tuple

from .errors import ModelFileError

# Bits of an element. A tensor of a dtype that is not here is as long as its data_offsets say.
DTYPE_BITS = {
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
    "C64": 64, "F64": 64, "I64": 64, "U64": 64,
}
METADATA = "__metadata__"
# More is damage.
_MAX_HEADER = 100_000_000
_MAX_NAME, _MAX_DTYPE, _MAX_RANK, _MAX_DEPTH, _MAX_COUNT = 1024, 32, 64, 128, 2**64 - 1
_FIELDS = ("dtype", "shape", "data_offsets")
# What other files begin with, and what to do about them.
_OTHER_FILES = (
    (b"version https://git-lfs", "a Git LFS pointer: run git lfs pull"),
    (b"GGUF", "a GGUF file"),
    (b"PK\x03\x04", "a ZIP archive, as torch.save writes: load that and save its tensors as safetensors"),
    (b"\x80\x02", "a pickle, as torch.save once wrote: load that and save its tensors as safetensors"),
    (b"\x1f\x8b", "compressed by gzip: unpack it"),
    (b"MVLT\r\n\x1a\n", "a vault: mvault restore takes models out of it"),
    (b"\x00\x05\x16\x07", "what macOS leaves beside a file of that name, not that file"),
    (b"<", "an HTML or XML page: the download failed"),
)


class Entry(NamedTuple):
    """A tensor; `begin` and `end` count from the start of the data."""
    name: str
    dtype: str
    shape: List[int]
    begin: int
    end: int


class Header(NamedTuple):
    """`entries` are in the order of the data, which begins at `data_offset` and which they cover without a hole."""
    entries: List[Entry]
    metadata: Dict[str, str]
    data_offset: int


def parse(data: bytearray, path: str) -> Header:
    """Of a whole file. Raises ModelFileError, with the file and the place, for anything that is not right."""
    size = int.from_bytes(data[:8], "little")
    text = bytes(data[8:8 + min(size, _MAX_HEADER)])
    if len(data) < 8 or size > _MAX_HEADER or size > len(data) - 8 or not text.startswith(b"{"):
        raise ModelFileError(f"{path}: {_what_else(data, size)}")
    header = _parse_json(text, path)
    metadata = _check_metadata(header.pop(METADATA, None), path)
    data_size = len(data) - 8 - size
    entries = sorted((_check_entry(name, entry, data_size, path) for name, entry in header.items()),
                     key=lambda entry: (entry.begin, entry.end, entry.name))
    end = 0
    for entry in entries:
        if entry.begin != end:
            fault = "overlaps the one before it" if entry.begin < end else "leaves a hole before it"
            raise ModelFileError(f"{path}: tensor '{entry.name}' {fault}: it begins at byte {entry.begin} of the data, "
                                 f"expected {end}")
        end = entry.end
    if end != data_size:
        raise ModelFileError(f"{path}: tensors take {end} bytes of data, the file has {_difference(data_size, end)}")
    return Header(entries, metadata, 8 + size)


def _what_else(data: bytearray, size: int) -> str:
    """What a file seems to be that does not begin as it must."""
    if not data:
        return "the file is empty"
    start = bytes(data[:64])
    cut_off = size <= _MAX_HEADER and data[8:9] == b"{"
    for magic, what in () if cut_off else _OTHER_FILES:
        if start.startswith(magic) or start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(magic):
            return f"not a safetensors file, it seems to be {what}"
    if len(data) < 8:
        return f"not a safetensors file: {len(data)} bytes"
    if size > _MAX_HEADER:
        return f"not a safetensors file: its first 8 bytes, {bytes(data[:8])!r}, are no size of a header"
    if size > len(data) - 8:
        return f"the header has {size} bytes, of which the file has {_difference(len(data) - 8, size)}"
    return "not a safetensors file: the header does not start with '{' at offset 8"


def _difference(found: int, expected: int) -> str:
    return f"{found}, {abs(found - expected)} too {'few' if found < expected else 'many'}"


class _Object(Dict[str, object]):
    """A JSON object that knows which key came twice, if one did, and how deep objects and arrays lie in it."""

    def __init__(self, pairs: List[Tuple[str, object]]):
        super().__init__(pairs)
        self.repeated = None if len(self) == len(pairs) else _first_twice(key for key, _ in pairs)
        self.depth = 1 + max((_depth(value) for value in self.values()), default=0)
        if self.depth > _MAX_DEPTH:
            raise ValueError(f"nested more than {_MAX_DEPTH} deep")


def _first_twice(keys: Iterable[str]) -> Optional[str]:
    seen = set()
    for key in keys:
        if key in seen:
            return key
        seen.add(key)
    return None


def _depth(value: object) -> int:
    if isinstance(value, _Object):
        return value.depth
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no JSON number")
    return value


def _whole_number(text: str) -> int:
    # -0 is as negative as any.
    return -1 if text.startswith("-") else int(text)


def _parse_json(text: bytes, path: str) -> _Object:
    padding = len(text) - len(text.rstrip(b"\0"))
    if padding:
        raise ModelFileError(f"{path}: the header ends in padding of {padding} NUL bytes from offset "
                             f"{8 + len(text) - padding}; they must be spaces")
    if b"\0" in text:
        raise ModelFileError(f"{path}: the header contains a NUL at offset {8 + text.index(0)}")
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_Object, parse_float=_number,
                            parse_int=_whole_number, parse_constant=_number)
        # Python's reader lets half a surrogate pair pass.
        json.dumps(header, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: the header is not UTF-8 JSON: {error}") from None
    if header.repeated is not None:
        raise ModelFileError(f"{path}: the header has '{header.repeated}' twice")
    return header


def _shown(value: object) -> str:
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "an array"
    return json.dumps(value)[:80]


def _check_metadata(metadata: object, path: str) -> Dict[str, str]:
    # Absent, or null, which is as good.
    if metadata is None:
        return {}
    if not isinstance(metadata, _Object):
        raise ModelFileError(f"{path}: {METADATA}: expected an object, found {_shown(metadata)}")
    if metadata.repeated is not None:
        raise ModelFileError(f"{path}: {METADATA} has '{metadata.repeated}' twice")
    for key, value in metadata.items():
        if not isinstance(value, str):
            raise ModelFileError(f"{path}: {METADATA}: key '{key}': expected a string, found {_shown(value)}")
    return {key: str(value) for key, value in metadata.items()}


def _check_entry(name: str, entry: object, data_size: int, path: str) -> Entry:
    where = f"{path}: tensor '{name[:80]}'"
    if not 0 < len(name.encode()) <= _MAX_NAME or "\0" in name:
        raise ModelFileError(f"{where}: a name has 1 to {_MAX_NAME} bytes and no NUL")
    if not isinstance(entry, _Object):
        raise ModelFileError(f"{where}: expected an object, found {_shown(entry)}")
    if entry.repeated in _FIELDS:
        raise ModelFileError(f"{where} has '{entry.repeated}' twice")
    missing = [field for field in _FIELDS if field not in entry]
    if missing:
        raise ModelFileError(f"{where}: {missing[0]} is missing")
    dtype, shape, offsets = (entry[field] for field in _FIELDS)
    if not isinstance(dtype, str) or not 0 < len(dtype.encode()) <= _MAX_DTYPE:
        raise ModelFileError(f"{where}: dtype: expected a string of 1 to {_MAX_DTYPE} bytes, found {_shown(dtype)}")
    for what, numbers, most in (("shape", shape, _MAX_RANK), ("data_offsets", offsets, 2)):
        if not isinstance(numbers, list) or not all(type(n) is int and 0 <= n <= _MAX_COUNT for n in numbers):
            raise ModelFileError(f"{where}: {what} is not an array of numbers from 0 to 2^64 - 1")
        if len(numbers) > most:
            raise ModelFileError(f"{where}: {what} has {len(numbers)} numbers, expected at most {most}")
    if len(offsets) != 2:
        raise ModelFileError(f"{where}: data_offsets has {len(offsets)} numbers, expected 2")
    begin, end = offsets
    if begin > end or end > data_size:
        raise ModelFileError(f"{where}: data_offsets {offsets} do not lie within the data, {data_size} bytes" +
                             (f": {end - data_size} are missing" if begin <= end else ""))
    count = math.prod(shape)
    if count > _MAX_COUNT or count * DTYPE_BITS.get(dtype, 1) > _MAX_COUNT:
        raise ModelFileError(f"{where}: shape {shape} of {dtype} has too many elements")
    if dtype in DTYPE_BITS:
        bits = count * DTYPE_BITS[dtype]
        if bits % 8:
            raise ModelFileError(f"{where}: shape {shape} of {dtype} does not fill whole bytes")
        if end - begin != bits // 8:
            raise ModelFileError(f"{where}: shape {shape} of {dtype} takes {bits // 8} bytes, data_offsets {offsets} "
                                 f"hold {end - begin}")
    return Entry(name, dtype, shape, begin, end)
