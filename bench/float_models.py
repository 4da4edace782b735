"""Safetensors files as numpy arrays, for the scripts that compute with weights."""

import json
import pathlib

import numpy

import harness

_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I8": "|i1", "U8": "|u1"}
_NAMES = {numpy.dtype(code): name for name, code in _DTYPES.items()}


def read(path):
    """Tensors by name, in the order of the file, each as it is stored."""
    data = pathlib.Path(path).read_bytes()
    entries, begin = harness.tensor_entries(path)
    tensors = {}
    for name, entry in entries.items():
        first, end = entry["data_offsets"]
        values = numpy.frombuffer(data[begin + first:begin + end], dtype=_DTYPES[entry["dtype"]])
        tensors[name] = values.reshape(entry["shape"])
    return tensors


def write(path, tensors):
    """A file of these tensors, of a dtype that safetensors has."""
    header = {}
    at = 0
    for name, values in tensors.items():
        header[name] = {"dtype": _NAMES[values.dtype], "shape": list(values.shape),
                        "data_offsets": [at, at + values.nbytes]}
        at += values.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for values in tensors.values():
            file.write(numpy.ascontiguousarray(values).tobytes())


def restored(tensors):
    """F32 tensors of an INT8 model: values times the F32 scales of their rows; the others as they are."""
    floats = {}
    for name, values in tensors.items():
        if name.removesuffix(".scale") in tensors and name.endswith(".scale"):
            continue
        if values.dtype == numpy.int8:
            values = values * tensors[name + ".scale"].reshape(-1, *[1] * (values.ndim - 1))
        floats[name] = values.astype(numpy.float32)
    return floats
