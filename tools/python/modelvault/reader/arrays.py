"""Tensors as NumPy arrays."""

import math
from dataclasses import dataclass
from typing import Any, Tuple

import numpy
import numpy.typing

from . import c_library
from .calls import text_of
from .errors import Internal, Unsupported

Array = numpy.typing.NDArray[Any]

# By mv_dtype. Files are little-endian.
_NUMPY = {1: "?", 2: "u1", 3: "i1", 4: "<i2", 5: "<u2", 6: "<i4", 7: "<u4", 8: "<i8", 9: "<u8", 10: "<f2", 12: "<f4",
          13: "<f8"}
# Of types that the library has no arithmetic for, the one that NumPy has.
_NUMPY_BY_NAME = {"C64": "<c8"}
_BITS = {8: "u1", 16: "<u2", 32: "<u4", 64: "<u8"}


@dataclass(frozen=True)
class TensorInfo:
    """What is known of a tensor before it is read. `dtype` is what the file calls its type, e.g. "I8", `element_bits`
    0 if that is not known. `offset` and `size` are bytes in the model's data section. Reading it gives an array of
    `array_dtype` and `array_shape`: see docs/python.md for types that NumPy lacks."""
    name: str
    dtype: str
    shape: Tuple[int, ...]
    element_bits: int
    offset: int
    size: int
    array_dtype: "numpy.dtype[Any]"
    array_shape: Tuple[int, ...]

    @classmethod
    def of(cls, info: c_library.TensorInfo) -> "TensorInfo":
        """A copy of what the library lends."""
        dtype = text_of(info.type_name)
        shape = tuple(info.shape[i] for i in range(info.rank))
        as_array = _NUMPY.get(info.dtype) or _NUMPY_BY_NAME.get(dtype) or _BITS.get(info.element_bits)
        array_dtype = numpy.dtype(as_array or "u1")
        # Elements that share bytes are given as these bytes.
        whole = as_array is not None and math.prod(shape) * array_dtype.itemsize == info.size
        return cls(text_of(info.name), dtype, shape, info.element_bits, info.offset, info.size,
                   array_dtype if whole else numpy.dtype("u1"), shape if whole else (info.size,))

    def new_array(self, path: str, variant: str) -> Array:
        """An array for the tensor, its values not set. `path` and `variant` are for messages."""
        try:
            array = numpy.empty(self.array_shape, self.array_dtype)
        except ValueError as error:  # More dimensions, or larger ones, than NumPy takes.
            raise Unsupported(f"{path}: '{variant}', tensor '{self.name}' of shape {list(self.shape)}: {error}", path,
                              variant, self.name) from None
        if array.nbytes != self.size:
            raise Internal(f"{path}: '{variant}', tensor '{self.name}' has {self.size} bytes, its array "
                           f"{array.nbytes}", path, variant, self.name)
        return array


def float32_of_bfloat16(bits: Array) -> Array:
    """The values of a BF16 tensor, which NumPy has no type for, from its bits as they were read."""
    if bits.dtype != numpy.uint16:
        raise TypeError(f"expected an array of uint16, found one of {bits.dtype}")
    return numpy.asarray(numpy.left_shift(bits, 16, dtype=numpy.uint32)).view(numpy.float32)
