"""Processes that start at once: a server has the toolkit's libraries loaded and forks for each.

A process that imports torch takes seconds to start, and the tests start more than a hundred. Here
a small client process stands for it: it hands its streams, folder and environment to the server,
which forks and runs the script. The client passes signals on and ends as the script ends, so that
for whoever starts it the client is the script.

    python tests/forks.py serve SOCKET MODULE...      # serves until its standard input ends
    python tests/forks.py run SOCKET SCRIPT WORD...   # the client
"""

import json
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

STREAMS = (0, 1, 2)
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
UNKNOWN = 70  # the exit code if the server is gone


class Request(NamedTuple):
    """A script to be run, and where."""

    words: list[str]
    folder: str
    environment: dict[str, str]


def run(address: str, words: list[str]) -> int:
    """Let the server run a script for this process; the exit code.

    words: the script's path and its arguments. If a signal ended the script, it ends this process.
    """
    request = Request(words, str(Path.cwd()), dict(os.environ))
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [json.dumps(request).encode() + b"\n"], STREAMS)
        answer = connection.makefile()
        pid = int(answer.readline())
        for number in PASSED_ON:
            signal.signal(number, lambda received, _: os.kill(pid, received))
        code = int(answer.readline() or UNKNOWN)
    if code < 0:
        end_by(-code)
    return code


def end_by(number: int) -> None:
    """End this process by a signal."""
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def serve(address: str) -> Request | None:
    """Fork for each request. Returns it in the forked process, None in the server at the end."""
    import select

    signal.signal(signal.SIGCHLD, reap)
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


def reap(_number: int, _frame: object) -> None:
    """Wait for the processes that have ended, so that their time counts as the server's."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def receive(connection: socket.socket) -> Request:
    """Fork once more. Returns the request in the new process; this one watches over it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, streams, _, _ = socket.recv_fds(connection, 1 << 20, len(STREAMS))
    while not text.endswith(b"\n"):
        text += connection.recv(1 << 20)
    runner = os.fork()
    if runner == 0:
        connection.close()
        for stream, number in zip(streams, STREAMS, strict=True):
            os.dup2(stream, number)
            os.close(stream)
        return Request(*json.loads(text))
    watch_over(runner, connection, streams)
    os._exit(0)


def watch_over(runner: int, connection: socket.socket, streams: list[int]) -> None:
    """Tell the client the script's process and exit code; kill the script if the client goes."""
    for stream in (*streams, *STREAMS):
        os.close(stream)  # else a reader would wait for this process, too
    connection.sendall(f"{runner}\n".encode())

    def kill_without_client() -> None:
        with suppress(ProcessLookupError):  # the script has ended
            if connection.recv(1) == b"":
                os.kill(runner, signal.SIGKILL)

    threading.Thread(target=kill_without_client, daemon=True).start()
    _, status = os.waitpid(runner, 0)
    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def become(request: Request) -> None:
    """Run a script as Python runs it from the command line."""
    import runpy

    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv = request.words
    sys.path[0] = str(Path(request.words[0]).parent)
    runpy.run_path(request.words[0], run_name="__main__")


def load(modules: list[str]) -> None:
    """Import modules of the toolkit, and with them the libraries that they need."""
    import importlib

    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    for name in modules:
        importlib.import_module(name)


def main() -> int:
    """Serve, or run one script."""
    what, address, *words = sys.argv[1:]
    if what == "run":
        return run(address, words)
    load(words)
    request = serve(address)
    if request:
        become(request)
    return 0


if __name__ == "__main__":
    sys.exit(main())
