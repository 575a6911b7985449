"""Standard output and error that data cannot abuse, and whose loss ends no training.

`run_command` and `exit_code_of` (huggin/common/cli.py) put them in place for every command.
"""

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from huggin.common.text import printable


def warn(text: str, end: str = "\n") -> None:
    """Print a line on stderr, without control characters. A stderr that is gone is no error."""
    if sys.stderr is None:  # closed; `print` would take stdout
        return
    with suppress(OSError, ValueError):
        print(printable(text), end=end, file=sys.stderr, flush=True)


class Stream:
    """A text stream in whose place it stands; what is not defined here is the stream's own.

    Control characters of the data are shown as U+FFFD. Characters that the terminal's encoding
    does not have are escaped.
    """

    def __init__(self, stream: Any, lasting: bool = False, clean: bool = True) -> None:
        """lasting: throw away what cannot be written. clean: replace control characters."""
        self.lost: OSError | None = None  # why nothing can be written any more
        self._stream = stream
        self._lasting = lasting
        self._clean = clean

    def write(self, text: str) -> int:
        """Write a text. Raises OSError if that fails and the stream is not a lasting one."""
        cleaned = printable(text) if self._clean else text
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        writable = cleaned.encode(encoding, "backslashreplace").decode(encoding)
        self._try(self._stream.write, writable)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what is held back."""
        self._try(self._stream.flush)

    def _try(self, work: Any, *values: str) -> None:
        if self.lost and self._lasting:
            return
        try:
            work(*values)
        except OSError as error:
            self.lost = error
            discard_output(self._stream)
            if not self._lasting:
                raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def discard_output(stream: Any) -> None:
    """Let a stream's file be /dev/null, so that Python's last flush does not fail once more."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        stream.flush()


@contextmanager
def standing_in() -> Iterator[tuple[Stream, Stream]]:
    """Let a Stream stand in for stdout and one for stderr; a closed one becomes /dev/null."""
    originals = (sys.stdout, sys.stderr)
    out = Stream(sys.stdout or _nowhere())
    error = Stream(sys.stderr or _nowhere(), lasting=True, clean=False)
    sys.stdout = cast(TextIO, out)
    sys.stderr = cast(TextIO, error)
    try:
        yield out, error
    finally:
        sys.stdout, sys.stderr = originals


def _nowhere() -> Any:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 (open while we run)


@contextmanager
def lasting_output() -> Iterator[None]:
    """Go on in this block when nobody reads stdout or stderr any more."""
    streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, Stream)]
    were_lasting = [stream._lasting for stream in streams]
    for stream in streams:
        stream._lasting = True
    try:
        yield
    finally:
        for stream, lasting in zip(streams, were_lasting, strict=True):
            stream._lasting = lasting


def output_is_lost() -> bool:
    """Whether something could not be written to stdout or stderr."""
    return any(isinstance(each, Stream) and each.lost for each in (sys.stdout, sys.stderr))


def stdout_is_lost() -> bool:
    """Whether nothing can be written to stdout any more."""
    with suppress(OSError):
        sys.stdout.flush()  # also of what was written past the Stream, to its buffer
    is_lost = isinstance(sys.stdout, Stream) and sys.stdout.lost is not None
    if not is_lost and (is_lost := _reader_has_left(sys.stdout)):
        discard_output(sys.stdout)
    return is_lost


def _reader_has_left(stream: Any) -> bool:
    """Whether a stream is a pipe that nobody reads any more."""
    pipe = select.poll()
    with suppress(OSError, ValueError, AttributeError):
        pipe.register(stream.fileno(), 0)
    return any(event & select.POLLERR for _, event in pipe.poll(0))


def open_standard_files() -> None:
    """Open /dev/null for each of stdin, stdout and stderr that is closed.

    A file that is opened later would get the number of a closed one, and be written to as if it
    were the terminal.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
