"""A Python that starts at once: a server has the toolkit's libraries loaded and forks for each.

A process that imports torch takes seconds to start, and the tests start more than a hundred. Here
a small client process stands for it: it hands its streams, folder and environment to the server,
which forks and runs the script. The client passes signals on and ends as the script ends, so that
for whoever starts it the client is the script.

    python tests/forks.py serve SOCKET ROOT MODULE...  # serves until its standard input ends
    python tests/forks.py run SOCKET WORD...           # the client: python WORD...

The server imports the modules of ROOT when it is first asked. Beside the socket it puts `python`,
the client as a program, which also stands for Python in the processes that the scripts start. What
is neither a script nor `-m MODULE` is run by the real Python.
"""

import atexit
import json
import os
import resource
import shlex
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
NOT_FLUSHED = 120  # Python's exit code if its last output could not be written
PYTHON = """#!/bin/sh
exec {python} -I -S {forks} run {address} "$@"
"""


class Request(NamedTuple):
    """A script or module to be run, and where and how."""

    words: list[str]
    folder: str
    environment: dict[str, str]
    ignored: list[int]
    largest_file: int


def run(address: str, words: list[str]) -> int:
    """Let the server run a script for this process; the exit code.

    words: the script's path, or -m and a module, and the arguments. If a signal ended the script,
    it ends this process.
    """
    request = request_of(words)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [json.dumps(request).encode() + b"\n"], STREAMS)
        answer = connection.makefile()
        pid = int(answer.readline())
        for number in PASSED_ON:
            if number not in request.ignored:
                signal.signal(number, lambda received, _: os.kill(pid, received))
        code = int(answer.readline() or UNKNOWN)
    if code < 0:
        end_by(-code)
    return code


def request_of(words: list[str]) -> Request:
    """What this process is to be, for the server."""
    ignored = [number for number in PASSED_ON if signal.getsignal(number) == signal.SIG_IGN]
    largest_file, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return Request(words, str(Path.cwd()), dict(os.environ), ignored, largest_file)


def is_forked(words: list[str]) -> bool:
    """Whether the server can run these words."""
    return words[:1] == ["-m"] or Path(next(iter(words), "")).suffix == ".py"


def end_by(number: int) -> None:
    """End this process by a signal."""
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def serve(address: str, root: str, modules: list[str]) -> Request | None:
    """Fork for each request. Returns it in the forked process, None in the server at the end."""
    import select

    signal.signal(signal.SIGCHLD, reap)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        write_python(address)
        print("ready", flush=True)
        while sys.stdin not in select.select([server, sys.stdin], [], [])[0]:
            connection, _ = server.accept()
            load(root, modules)
            if os.fork() == 0:
                return receive(connection)
            connection.close()
    return None


def write_python(address: str) -> None:
    """Write the client as a program that is called as Python is."""
    program = Path(address).with_name("python")
    words = {"python": sys.executable, "forks": str(Path(__file__).resolve()), "address": address}
    quoted = {name: shlex.quote(word) for name, word in words.items()}
    program.write_text(PYTHON.format(**quoted))
    program.chmod(0o755)
    sys.executable = str(program)


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
    resource.setrlimit(resource.RLIMIT_FSIZE, (request.largest_file, request.largest_file))
    for number in request.ignored:
        signal.signal(number, signal.SIG_IGN)
    script, *words = request.words
    if script == "-m":
        sys.argv = words
        sys.path[0] = request.folder
        sys.modules.pop(words[0], None)  # else runpy warns that it is loaded already
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = request.words
        sys.path[0] = str(Path(script).parent.resolve())
        runpy.run_path(script, run_name="__main__")


def run_to_end(request: Request) -> int:
    """Run a script; the exit code that Python gives it, below 0 if a signal is to end it."""
    try:
        become(request)
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        print(ended.code, file=sys.stderr)
        return 1
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        return -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    return 0


def leave(code: int) -> None:
    """End this process as Python does, but leave the libraries to the system: to take them apart
    would take longer than most scripts.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except (OSError, ValueError):
        code = code or NOT_FLUSHED
    if code < 0:
        end_by(-code)
    os._exit(code)


def load(root: str, modules: list[str]) -> None:
    """Import modules of the toolkit, and with them the libraries that they need."""
    import gc
    import importlib

    sys.path[0] = root
    # as each command would say itself, before it imports `datasets`; its output is no terminal here
    os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
    while modules:
        importlib.import_module(modules.pop(0))
        gc.freeze()  # what is loaded stays: collecting garbage need not look through it


def main() -> int:
    """Serve, or run one script."""
    what, address, *words = sys.argv[1:]
    if what == "serve":
        request = serve(address, words[0], words[1:])
        if request:
            leave(run_to_end(request))
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)  # scripts that were left, if the tests were killed
        return 0
    if words[:1] == ["-u"]:
        words = words[1:]
    if not is_forked(words):
        os.execv(sys.executable, [sys.executable, *words])
    return run(address, words)


if __name__ == "__main__":
    sys.exit(main())
