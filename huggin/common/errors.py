"""Errors that tell the user what to do."""

from typing import Any


class UserError(Exception):
    """Something that the user can mend: its text says what is wrong, where, and what to do."""


class Damaged(UserError):
    """A file that is not as it was written: what is drawn from it would not be true."""


class BadValue(UserError):
    """A value that cannot be used. A command says it with the name of its option."""

    def __init__(self, name: str, value: Any, problem: str) -> None:
        """name: of the parameter, as in Python. problem: what is wrong and what to do."""
        super().__init__(f"{name} {value}: {problem}")
        self.name = name
        self.value = value
        self.problem = problem

    def as_option(self) -> str:
        """The error's text for somebody who typed a command."""
        return f"--{self.name.replace('_', '-')} {self.value}: {self.problem}"
