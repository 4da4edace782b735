"""What a vault and its models share."""

from typing import Any, NamedTuple, Optional

from .calls import Progress, call, call_reading
from .errors import NotFound, Storage
from .source import FileObject


class Opened(NamedTuple):
    """A source that was opened: its name for messages, how many threads read, and the object that is read, if it is
    none of the library's."""
    path: str
    threads: int
    file: Optional[FileObject]

    def call(self, name: str, *arguments: Any) -> None:
        """Calls a function of the library's that takes no options."""
        try:
            call(name, *arguments)
        except Storage as error:
            raise self._explained(error)

    def read(self, progress: Optional[Progress], name: str, *arguments: Any) -> None:
        """Calls one that takes mv_read_options."""
        try:
            call_reading(self.threads, progress, name, *arguments)
        except Storage as error:
            raise self._explained(error)

    def _explained(self, error: Storage) -> Storage:
        return error if self.file is None else self.file.explained(error)


def encode_name(name: str, what: str, opened: Opened, variant: Optional[str] = None) -> bytes:
    """The name of a `what` as the library takes it. One that it cannot take is no one's."""
    if not isinstance(name, str):
        raise TypeError(f"expected the name of a {what}, found {type(name).__name__}")
    try:
        encoded = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        raise NotFound(f"{opened.path}: no {what} is called {name!r}", opened.path, variant)
    return encoded
