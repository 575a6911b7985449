"""A command of the user's that is run when a training has ended."""

import os
import shlex
import subprocess
import sys

from huggin.common.errors import UserError
from huggin.common.text import one_line

LONGEST = 60  # seconds that the command may take


def words_of(command: str) -> list[str]:
    """The command in words, without a shell. Raises UserError if it is none."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UserError(f"notify {command!r}: {one_line(error)}; close the quotes") from None
    if not words:
        raise UserError("notify: no command; name one, as in notify-send")
    return words


def notify(command: str, result: str, code: int, folder: str) -> None:
    """Run the command. It finds the result in HUGGIN_RESULT, HUGGIN_EXIT_CODE and HUGGIN_RUN.

    A command that fails is said in one line; the training's own result stands.
    """
    more = {"HUGGIN_RESULT": result, "HUGGIN_EXIT_CODE": str(code), "HUGGIN_RUN": folder}
    try:
        done = subprocess.run(
            [*words_of(command)],
            env=os.environ | more,
            stdin=subprocess.DEVNULL,
            timeout=LONGEST,
            check=False,
        )
        problem = f"ended with exit code {done.returncode}" if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = one_line(error)
    if problem:
        print(f"run_qa.py: notify {command!r}: {problem}", file=sys.stderr)
