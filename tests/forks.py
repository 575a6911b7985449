"""A process with the toolkit's libraries loaded, which forks a process for each script to be run.

    python tests/forks.py SOCKET        # serves until its standard input ends

Typing every block of the docs starts about 90 commands. Importing torch and TensorFlow anew for
each would take most of the time. A forked process is a process of its own in all other respects:
folder, environment, standard streams, exit code.
"""

import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
STREAMS = (0, 1, 2)
LIBRARIES = (
    "trainer_qa",
    "lime",
    "huggin.asking.examination",
    "huggin.graphs.saving",
    "huggin.lime.figures",
    "huggin.pages.legend_drawing",
    "huggin.pages.pdf",
)


class Request(NamedTuple):
    """A script to be run, and where."""

    words: list[str]
    folder: str
    environment: dict[str, str]


def ask(address: str, words: list[str]) -> int:
    """Let the server run a script on this process's streams, in its folder; the exit code.

    words: the script's path and its arguments.
    """
    request = Request(words, str(Path.cwd()), dict(os.environ))
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [json.dumps(request).encode()], STREAMS)
        connection.shutdown(socket.SHUT_WR)
        return int(connection.recv(16) or b"70")


def serve(address: str) -> Request | None:
    """Fork for each request. Returns it in the forked process, None in the server at the end."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forked processes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        print("ready", flush=True)
        while sys.stdin not in select.select([server, sys.stdin], [], [])[0]:
            connection, _ = server.accept()
            if os.fork() == 0:
                return receive(connection)
            connection.close()
    return None


def receive(connection: socket.socket) -> Request:
    """Fork once more. Returns the request in the new process, whose exit code is sent back."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, streams, _, _ = socket.recv_fds(connection, 1 << 20, len(STREAMS))
    while more := connection.recv(1 << 20):
        text += more
    runner = os.fork()
    if runner == 0:
        connection.close()
        for stream, number in zip(streams, STREAMS, strict=True):
            os.dup2(stream, number)
            os.close(stream)
        return Request(*json.loads(text))
    _, status = os.waitpid(runner, 0)
    connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def run(request: Request) -> None:
    """Run a script as Python runs it from the command line."""
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv = request.words
    sys.path[0] = str(Path(request.words[0]).parent)
    runpy.run_path(request.words[0], run_name="__main__")


def load_libraries() -> None:
    """Import what commands import."""
    sys.path.insert(0, str(ROOT))
    for name in LIBRARIES:
        importlib.import_module(name)


if __name__ == "__main__":
    load_libraries()
    asked = serve(sys.argv[1])
    if asked:
        run(asked)
