"""An open vault."""

import ctypes
import os
from types import TracebackType
from typing import Iterator, List, Optional, Tuple, Type, Union

from . import c_library
from .calls import Handle, Progress, text_of
from .errors import InvalidArgument, NotFound
from .model import Model
from .opened import Opened, encode_name
from .source import BinaryFile, FileObject, Memory
from .trust import Input, Inputs, OpenOptions, Signature, Time

Source = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, BinaryFile]

_BASE = "base"


class Vault:
    """One base model and its variants, in one file. Iterating gives the variants' names, vault[name] a Model:

        vault = modelvault.Vault("hospital.mvlt")
        weights = vault["radiology"]["layers.0.wq"]

    Only lists are read to open it. Several threads may use it and its models at once."""

    def __init__(self, source: Source, *, name: Optional[str] = None, threads: int = 1, trust: Inputs = (),
                 threshold: int = 0, key_set: Optional[str] = None, require_signature: bool = False, keys: Inputs = (),
                 min_version: int = 0, at: Optional[Time] = None, revocations: Optional[Input] = None,
                 min_revocations: int = 0):
        """Opens a vault, a file or what an http, https or file URL names, its bytes, or a binary file-like object
        that has it, with seek() and read(). Bytes and object
        must stay as they are, and the object open, as long as the vault and its models live; the object is not closed.

        name: for messages, of bytes ("memory") and objects (their own name, or "source"). threads: how many decode a
        model; -1: one a processor.

        Keys and the list are paths of files as mvault writes them, or these files' bytes; trust and keys are one or
        several. trust: public keys; the vault is taken only if it is signed by them, and every byte is proven before
        it is handed out. threshold: how many of them must have signed; 0: all. key_set: instead of trust, the key_set
        of the Signature that the vault had when it was opened last. require_signature: having neither is an error.
        min_version: of the vault that is taken. at: the time when it must be valid, in seconds since 1970 or with a
        time zone; None: now; -1: any. keys: tenants' content keys and secret keys of device groups (mode 0600), open
        what is sealed for them. revocations: a list of what is refused; min_revocations: its number at least.

        Raises FileMissing; InvalidArgument for what is no regular file, and for a key or a combination that cannot
        serve; Damaged, for what is no vault, too; Unsupported; Storage; LibraryMissing; Untrusted, RolledBack and
        Expired."""
        if threads < -1:
            raise InvalidArgument(f"threads: expected -1 or more, found {threads}")
        options = OpenOptions(trust=trust, threshold=threshold, key_set=key_set, require_signature=require_signature,
                              keys=keys, min_version=min_version, at=at, revocations=revocations,
                              min_revocations=min_revocations)
        self._state: Optional[_State] = _open(source, name, threads, options)
        self._path = self._state.opened.path

    @property
    def path(self) -> str:
        """The path or name that it was opened under."""
        return self._path

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._state is None

    @property
    def signature(self) -> Optional[Signature]:
        """What it says of its signature; None if it has none."""
        state = self._open_state()
        info = c_library.SignatureInfo(ctypes.sizeof(c_library.SignatureInfo))
        try:
            state.opened.call("mv_vault_signature", state.handle, ctypes.byref(info))
        except NotFound:
            return None
        return Signature.of(info)

    @property
    def names(self) -> List[str]:
        """The variants' names, sorted byte by byte. The base, "base", is none."""
        return list(self._all_names())

    @property
    def base(self) -> Model:
        """The base."""
        return self[_BASE]

    def __len__(self) -> int:
        return len(self._all_names())

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._all_names()

    def __getitem__(self, name: str) -> Model:
        """A variant, or the base under "base". Raises NotFound, Revoked, and Sealed, also for a name that may be of a
        tenant who has sealed its variants' names."""
        state = self._open_state()
        model = state.last
        if model is None or model.name != name:
            handle = Handle(c_library.load().mv_model_free, state.handle.keeps)
            state.opened.call("mv_vault_model", state.handle, encode_name(name, "variant", state.opened),
                              handle.to_fill())
            state.last = model = Model(state.opened, handle)
        return model

    def verify(self, progress: Optional[Progress] = None) -> None:
        """Restores every model, compares its digests, and checks all other bytes of the file; of sealed variants that
        no key opens, what is stored. Raises Damaged, Untrusted or Revoked for the first that is; Model.verify() tells
        of one. `progress` counts models."""
        state = self._open_state()
        state.opened.read(progress, "mv_vault_verify", state.handle)

    def close(self) -> None:
        """Closes it, once or more. Models that were taken from it stay usable; the file is closed with the last."""
        self._state = None

    def __enter__(self) -> "Vault":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 traceback: Optional[TracebackType]) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"{len(self)} variants"
        return f"<modelvault.Vault {self.path!r}, {state}>"

    def _open_state(self) -> "_State":
        state = self._state
        if state is None:
            raise InvalidArgument(f"{self.path}: the vault is closed", self.path)
        return state

    def _all_names(self) -> Tuple[str, ...]:
        state = self._open_state()
        if state.names is None:
            names = []
            for i in range(c_library.load().mv_vault_variant_count(state.handle)):
                info = c_library.ModelInfo(ctypes.sizeof(c_library.ModelInfo))
                state.opened.call("mv_vault_variant_info", state.handle, i, ctypes.byref(info))
                names.append(text_of(info.name))
            state.names = tuple(names)
        return state.names


class _State:
    """What there is until the vault is closed. Calls keep it until they are over."""

    def __init__(self, opened: Opened, handle: Handle):
        self.opened = opened
        self.handle = handle
        self.names: Optional[Tuple[str, ...]] = None
        # The model that was asked for last, so that vault["a"]["x"], vault["a"]["y"] reads its parts once.
        self.last: Optional[Model] = None


def _open(source: Source, name: Optional[str], threads: int, options: OpenOptions) -> _State:
    close = c_library.load().mv_vault_close
    if isinstance(source, (str, os.PathLike)):
        path = os.fsencode(source)
        opened, handle = Opened(os.fsdecode(path), threads, None), Handle(close, None)
        if b"\0" in path:
            raise InvalidArgument(f"{opened.path!r} is no path: it has a NUL")
        opened.call("mv_vault_open_with", path, options.argument(), handle.to_fill())
    elif isinstance(source, BinaryFile):
        own = getattr(source, "name", None)
        known_as = name or (own if isinstance(own, str) else "source")
        file = FileObject(source, known_as)
        opened, handle = Opened(known_as, threads, file), Handle(close, file)
        opened.call("mv_vault_open_source_with", ctypes.byref(file.source), options.argument(), handle.to_fill())
    else:
        known_as = name or "memory"
        memory = Memory(source)
        opened, handle = Opened(known_as, threads, None), Handle(close, memory)
        opened.call("mv_vault_open_memory_with", memory.address, memory.size, known_as.encode("utf-8", "replace"),
                    options.argument(), handle.to_fill())
    return _State(opened, handle)
