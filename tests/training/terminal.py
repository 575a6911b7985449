"""A pseudo-terminal: what a process sees of a real one, Ctrl-Z, Ctrl-C and closing included."""

import fcntl
import os
import pty
import subprocess
import termios
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Terminal:
    """A terminal with one process in it, the leader of its session."""

    def __init__(
        self, line: list[Any], cwd: Path, prepare: Callable[[], Any] = lambda: None
    ) -> None:
        """line: the process's command line. prepare: called in it before it begins."""
        self._master, slave = pty.openpty()
        self._text: list[str] = []

        def take_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            prepare()

        self.process = subprocess.Popen(
            list(map(str, line)),
            cwd=cwd,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                part = os.read(self._master, 4096)
            except OSError:  # closed, or nobody writes any more
                return
            if not part:
                return
            self._text.append(part.decode("utf-8", "replace"))

    @property
    def text(self) -> str:
        """What was shown so far."""
        return "".join(self._text)

    def type(self, text: str) -> None:
        """Type a text; "\\x03" is Ctrl-C, "\\x1a" is Ctrl-Z."""
        os.write(self._master, text.encode())

    def close(self) -> None:
        """Close the window: the session gets SIGHUP, and later writes fail with EIO."""
        os.close(self._master)
