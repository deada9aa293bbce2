"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
from typing import IO, TYPE_CHECKING

from auditor.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Write a file under another name, which becomes its own at the end; where it comes to none, what was there stays.

    What the block itself writes is its own to guard, with `writing`.

    Raises
    ------
    BadInput
        If it cannot be opened, closed or named.
    """
    part = path.with_name(f".{path.name}.part")
    with writing(path):
        file = part.open("wb")
    try:
        yield file
        with writing(path):
            file.close()
            part.replace(path)
    except BaseException:  # an interrupt leaves no part of a file either
        with contextlib.suppress(OSError):
            file.close()
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Tell what fails while a file or folder is written, which is all that the block may do with the disk.

    Raises
    ------
    BadInput
        With its reason and the mend.
    """
    try:
        yield
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written: {error.strerror or error}; free some room or name another --output."
        ) from None
