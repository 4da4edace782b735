"""The same models as files of other formats: only what bench/formats needs of each. Python's standard library only."""

import json
import struct
import zipfile

GGUF_TYPES = {"F32": 0, "F16": 1, "I8": 24}
ONNX_TYPES = {"F32": 1, "I8": 3, "F16": 10}
NUMPY_TYPES = {"F32": "<f4", "F16": "<f2", "I8": "|i1"}


def read_safetensors(path):
    """Name, dtype, shape and bytes of each tensor, in the file's order."""
    data = path.read_bytes()
    end = 8 + struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:end])
    header.pop("__metadata__", None)
    tensors = sorted(header.items(), key=lambda item: item[1]["data_offsets"])
    return [(name, t["dtype"], t["shape"], data[end + t["data_offsets"][0]:end + t["data_offsets"][1]])
            for name, t in tensors]


def write_gguf(tensors, path):
    def text(value):
        return struct.pack("<Q", len(value.encode())) + value.encode()

    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 1) + text("general.architecture")
    head += struct.pack("<I", 8) + text("llama")
    data = b""
    for name, dtype, shape, stored in tensors:
        dimensions = shape[::-1] or [1]
        head += text(name) + struct.pack("<I", len(dimensions)) + struct.pack(f"<{len(dimensions)}Q", *dimensions)
        head += struct.pack("<IQ", GGUF_TYPES[dtype], len(data))
        data += stored + bytes(-len(stored) % 32)
    path.write_bytes(head + bytes(-len(head) % 32) + data)


def write_onnx(tensors, path):
    def varint(value):
        out = b""
        while value >= 128:
            out += bytes([value & 127 | 128])
            value >>= 7
        return out + bytes([value])

    def field(number, value):
        if isinstance(value, int):
            return varint(number << 3) + varint(value)
        return varint(number << 3 | 2) + varint(len(value)) + value

    graph = b""
    for name, dtype, shape, stored in tensors:
        dimensions = b"".join(field(1, size) for size in shape)
        graph += field(5, dimensions + field(2, ONNX_TYPES[dtype]) + field(8, name.encode()) + field(9, stored))
    path.write_bytes(field(1, 8) + field(7, graph))


def write_npz(tensors, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, dtype, shape, stored in tensors:
            sizes = "".join(f"{size}, " for size in shape)
            header = f"{{'descr': '{NUMPY_TYPES[dtype]}', 'fortran_order': False, 'shape': ({sizes}), }}"
            header += " " * (-(len(header) + 11) % 64) + "\n"
            member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + stored
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member)


WRITERS = {"gguf": write_gguf, "onnx": write_onnx, "npz": write_npz}
