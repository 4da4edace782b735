"""A model of a vault."""

import builtins
import ctypes
import os
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple, Union

import numpy

from . import c_library, torch_tensors
from .arrays import Array, TensorInfo
from .calls import Handle, Progress, text_of
from .errors import InvalidArgument
from .opened import Opened, encode_name

if TYPE_CHECKING:
    # By name: `torch` is a method here.
    from torch import Tensor, nn

Path = Union[str, "os.PathLike[str]"]

# Reading every tensor for itself would decode what lies before it in its segment again each time; so neighbours are
# read together, as many as fit into this.
_RUN = 16 << 20


class Digests(NamedTuple):
    """Digests of a model's data section as hexadecimal digits. They find accidents, they do not authenticate."""
    xxh3_128: str
    xxh64: str


class Model:
    """A variant of a vault, or its base; a Vault makes them. Nothing of the file is read before it is asked for. It
    stays usable, and the file open, when the vault is closed. Several threads may use it at once."""

    def __init__(self, opened: Opened, handle: Handle):
        self._opened = opened
        self._handle = handle
        self._infos: Optional[Dict[str, TensorInfo]] = None
        info = c_library.ModelInfo(ctypes.sizeof(c_library.ModelInfo))
        opened.call("mv_model_get_info", handle, ctypes.byref(info))
        self._name = text_of(info.name)
        self._is_base = bool(info.is_base)
        self._stored_size = int(info.stored_size)
        self._digests = Digests(text_of(info.xxh3_128), text_of(info.xxh64))

    @property
    def name(self) -> str:
        """The variant's name; "base" for the base, which no variant is called."""
        return self._name

    @property
    def is_base(self) -> bool:
        """Whether it is the base."""
        return self._is_base

    @property
    def stored_size(self) -> int:
        """Bytes that it takes in the vault; 0: it is the same as the base."""
        return self._stored_size

    @property
    def digests(self) -> Digests:
        """Digests of its data section."""
        return self._digests

    @property
    def file_size(self) -> int:
        """Bytes of the model's file."""
        return self._sizes()[0]

    @property
    def data_size(self) -> int:
        """Bytes of its data section: its tensors, one after the other."""
        return self._sizes()[1]

    @property
    def names(self) -> List[str]:
        """Names of its tensors, in the order of its file."""
        return list(self._all_infos())

    def info(self, name: str) -> TensorInfo:
        """What is known of a tensor before it is read. Raises NotFound."""
        found = self._new_info()
        self._opened.call("mv_model_find_tensor", self._handle, self._encoded(name), ctypes.byref(found))
        return TensorInfo.of(found)

    def __len__(self) -> int:
        return len(self._all_infos())

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._all_infos()

    def __getitem__(self, name: str) -> Array:
        """Restores a tensor into an array of its own. Raises NotFound."""
        array = self.info(name).new_array(self._opened.path, self._name)
        self._opened.read(None, "mv_model_read_tensor", self._handle, self._encoded(name), array.ctypes.data,
                          array.nbytes)
        return array

    def tensors(self, names: Optional[Iterable[str]] = None,
                progress: Optional[Progress] = None) -> Iterator[Tuple[str, Array]]:
        """Restores all tensors, or those that `names` has, in the order of the file, each into an array of its own; at
        most 16 MiB or one tensor are restored ahead. Reading all of them in one go is many times faster than one by
        one. Raises NotFound. `progress` counts bytes."""
        infos = self._selected(names)
        total = sum(info.size for info in infos)
        done = 0
        for run in _runs(infos):
            yield from self._read_run(run, _part(progress, done, total))
            done += sum(info.size for info in run)

    def torch(self, names: Optional[Iterable[str]] = None,
              progress: Optional[Progress] = None) -> Dict[str, "Tensor"]:
        """tensors() as tensors of PyTorch. Raises Unsupported for those of a type that the PyTorch at hand lacks."""
        infos = {info.name: info for info in self._selected(names)}
        return {name: torch_tensors.tensor_of(array, infos[name], self._opened.path, self._name)
                for name, array in self.tensors(infos, progress)}

    def load_state_dict(self, module: "nn.Module", strict: bool = True, progress: Optional[Progress] = None) -> Any:
        """Loads all tensors into a PyTorch module, as module.load_state_dict() does, and returns what that does. INT8
        weights with steps beside them (NAME and NAME.scale) become floats, weights times steps, where the module has
        floats by that name and no NAME.scale. Raises Unsupported for steps that are not F32, one a row or one for
        all."""
        state = torch_tensors.computed(self.torch(None, progress), module.state_dict(), self._opened.path, self._name)
        return module.load_state_dict(state, strict)

    def bytes(self, offset: int, length: int) -> builtins.bytes:
        """Restores `length` bytes from byte `offset` of the data section on. Raises InvalidArgument unless they lie
        within it."""
        size = self.data_size
        if offset < 0 or length < 0 or offset + length > size:
            raise InvalidArgument(f"{self._opened.path}: '{self._name}': {length} bytes at offset {offset} do not lie "
                                  f"within the data section, which has {size}", self._opened.path, self._name)
        return self._read_data(offset, length, None).tobytes()

    def save(self, path: Path, progress: Optional[Progress] = None) -> None:
        """Restores the model's file: there appears the whole file, proven by its digests, or nothing changes. A file
        that is there is replaced and keeps its permissions. Raises FileMissing if the folder does not exist."""
        where = os.fsencode(path)
        if b"\0" in where:
            raise InvalidArgument(f"{path!r} is no path: it has a NUL")
        self._opened.read(progress, "mv_model_restore_file", self._handle, where)

    def verify(self, progress: Optional[Progress] = None) -> None:
        """Restores the model, keeping nothing, and compares its digests. Raises Damaged."""
        self._opened.read(progress, "mv_model_verify", self._handle)

    def __repr__(self) -> str:
        return f"<modelvault.Model {self._name!r} of {self._opened.path!r}>"

    def _encoded(self, name: str) -> builtins.bytes:
        return encode_name(name, "tensor", self._opened, self._name)

    def _sizes(self) -> Tuple[int, int]:
        file_size, data_size = ctypes.c_uint64(), ctypes.c_uint64()
        self._opened.call("mv_model_sizes", self._handle, ctypes.byref(file_size), ctypes.byref(data_size))
        return file_size.value, data_size.value

    def _new_info(self) -> c_library.TensorInfo:
        return c_library.TensorInfo(ctypes.sizeof(c_library.TensorInfo))

    def _all_infos(self) -> Dict[str, TensorInfo]:
        # Threads that come at the same time make the same dictionary.
        if self._infos is None:
            count = ctypes.c_size_t()
            self._opened.call("mv_model_tensor_count", self._handle, ctypes.byref(count))
            infos = {}
            for i in range(count.value):
                info = self._new_info()
                self._opened.call("mv_model_tensor_info", self._handle, i, ctypes.byref(info))
                infos[text_of(info.name)] = TensorInfo.of(info)
            self._infos = infos
        return self._infos

    def _selected(self, names: Optional[Iterable[str]]) -> List[TensorInfo]:
        infos = self._all_infos()
        if names is None:
            return list(infos.values())
        if isinstance(names, str):
            raise TypeError("expected names of tensors, found one string")
        chosen = set(names)
        for name in chosen.difference(infos):
            self.info(name)  # Raises what there is to say.
        return [info for name, info in infos.items() if name in chosen]

    def _read_data(self, offset: int, size: int, progress: Optional[Progress]) -> Array:
        data = numpy.empty(size, numpy.uint8)
        self._opened.read(progress, "mv_model_read_data", self._handle, offset, data.ctypes.data, size)
        return data

    def _read_run(self, run: List[TensorInfo], progress: Optional[Progress]) -> Iterator[Tuple[str, Array]]:
        begin, size = run[0].offset, run[-1].offset + run[-1].size - run[0].offset
        arrays = [info.new_array(self._opened.path, self._name) for info in run]
        if len(run) == 1:
            self._opened.read(progress, "mv_model_read_data", self._handle, begin, arrays[0].ctypes.data, size)
        else:
            data = self._read_data(begin, size, progress)
            for info, array in zip(run, arrays):
                at = info.offset - begin
                array.reshape(-1).view(numpy.uint8)[:] = data[at:at + info.size]
        for info, array in zip(run, arrays):
            yield info.name, array


def _runs(infos: List[TensorInfo]) -> Iterator[List[TensorInfo]]:
    """Tensors that follow each other, in groups that are read together."""
    run: List[TensorInfo] = []
    for info in infos:
        adjoins = bool(run) and info.offset == run[-1].offset + run[-1].size
        if not adjoins or info.offset + info.size - run[0].offset > _RUN:
            if run:
                yield run
            run = []
        run.append(info)
    if run:
        yield run


def _part(progress: Optional[Progress], before: int, total: int) -> Optional[Progress]:
    """What reports a part of the work, before which there was other."""
    if progress is None:
        return None
    whole = progress
    return lambda done, _: whole(before + done, total)
