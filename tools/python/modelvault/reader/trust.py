"""Whose vaults are taken, and what opens sealed variants."""

import ctypes
import datetime
import os
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple, Union

from . import c_library
from .errors import InvalidArgument

# A file, or the bytes that it has.
Input = Union[str, "os.PathLike[str]", bytes]
Inputs = Union[Input, Sequence[Input]]
Time = Union[int, datetime.datetime]


class Signature(NamedTuple):
    """What a vault says of its signature."""
    # Whether it was opened with somebody to trust, who has signed it. If not, anybody may have written it.
    trusted: bool
    # Rises with every change.
    version: int
    # None: no limit.
    not_before: Optional[datetime.datetime]
    not_after: Optional[datetime.datetime]
    # Hexadecimal digits.
    vault_id: str
    # The digest of its last key set, in hexadecimal digits; None unless it is trusted.
    key_set: Optional[str]
    # The number of the revocation list that it was opened with; 0: none.
    revocations: int

    @classmethod
    def of(cls, info: c_library.SignatureInfo) -> "Signature":
        """From what the library tells."""
        return cls(bool(info.is_trusted), info.version, _time_of(info.not_before), _time_of(info.not_after),
                   info.vault_id.decode(), info.key_set.decode() or None, info.revocations)


class OpenOptions:
    """mv_open_options, with what it leads to."""

    def __init__(self, *, trust: Inputs, threshold: int, key_set: Optional[str], require_signature: bool, keys: Inputs,
                 min_version: int, at: Optional[Time], revocations: Optional[Input], min_revocations: int):
        self._kept: List[Any] = []
        options = c_library.OpenOptions(ctypes.sizeof(c_library.OpenOptions))
        options.require_signature = bool(require_signature)
        options.trusted_keys, options.trusted_key_count = self._array(trust, "trust")
        options.opening_keys, options.opening_key_count = self._array(keys, "keys")
        options.key_set = None if key_set is None else key_set.encode("utf-8", "replace")
        options.threshold = _number(threshold, 32, "threshold")
        options.least_version = _number(min_version, 64, "min_version")
        options.time = _seconds(at)
        if revocations is not None:
            options.revocations, _ = self._array([revocations], "revocations")
        options.least_revocations = _number(min_revocations, 64, "min_revocations")
        self._options = options

    def argument(self) -> Any:
        """For the functions that open vaults. It lives as long as this."""
        return ctypes.byref(self._options)

    def _array(self, inputs: Inputs, what: str) -> Tuple[Optional[int], int]:
        given = [inputs] if isinstance(inputs, (str, os.PathLike, bytes)) else list(inputs)
        if not given:
            return None, 0
        array = (c_library.Input * len(given))(*(self._input(each, what) for each in given))
        self._kept.append(array)
        return ctypes.addressof(array), len(given)

    def _input(self, given: Input, what: str) -> c_library.Input:
        if isinstance(given, bytes):
            buffer = ctypes.create_string_buffer(given, len(given) or 1)
            self._kept.append(buffer)
            return c_library.Input(None, ctypes.addressof(buffer), len(given))
        if not isinstance(given, (str, os.PathLike)):
            raise TypeError(f"{what}: expected a path or bytes, found {type(given).__name__}")
        path = os.fsencode(given)
        if b"\0" in path:
            raise InvalidArgument(f"{what}: {given!r} is no path: it has a NUL")
        return c_library.Input(path, None, 0)


def _number(value: int, bits: int, what: str) -> int:
    """ctypes would cut what does not fit."""
    if not 0 <= value < 2**bits:
        raise InvalidArgument(f"{what}: expected 0 to 2**{bits} - 1, found {value}")
    return value


def _seconds(at: Optional[Time]) -> int:
    """As mv_open_options has it."""
    if at is None:
        return 0
    if isinstance(at, datetime.datetime):
        if at.tzinfo is None:
            raise InvalidArgument(f"at: {at!r} has no time zone")
        at = int(at.timestamp())
    elif at == 0:
        raise InvalidArgument("at: expected seconds since 1970 or -1, found 0")
    if not -1 <= at < 2**63:
        raise InvalidArgument(f"at: expected seconds since 1970 or -1, found {at}")
    return at


def _time_of(seconds: int) -> Optional[datetime.datetime]:
    """A limit of a validity. What datetime has no room for is after all that it has."""
    if seconds == 0:
        return None
    latest = datetime.datetime.max.replace(tzinfo=datetime.timezone.utc)
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return epoch + datetime.timedelta(seconds=min(seconds, int((latest - epoch).total_seconds())))
