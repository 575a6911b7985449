"""Forked processes behave as the scripts that they stand for: streams, exit codes, signals."""

import resource
import signal
import subprocess
import sys

import pytest

from tests.conftest import FORKS, python

WAITING = """
import signal, sys, time

def leave(number, frame):
    print("asked to leave", flush=True)
    sys.exit(128 + number)

signal.signal(signal.SIGTERM, leave)
print("waits", flush=True)
time.sleep(60)
"""


@pytest.fixture
def script(tmp_path):
    """A function that writes a script and returns the line that runs it in a forked process."""

    def line_of(text, *words):
        path = tmp_path / "script.py"
        path.write_text(text)
        return list(map(str, [python("nothing"), path, *words]))

    return line_of


def test_streams_folder_words_and_exit_code(script, tmp_path):
    text = "import os, sys\nprint(sys.argv[1:], os.getcwd(), os.environ['A'], sys.stdin.read())\n"
    line = script(text + "print('wrong', file=sys.stderr)\nsys.exit(3)", "a b", "--c")
    options = {"input": "typed", "cwd": tmp_path, "env": {"A": "1"}}
    done = subprocess.run(line, capture_output=True, text=True, **options)
    assert done.stdout == f"['a b', '--c'] {tmp_path} 1 typed\n"
    assert (done.stderr, done.returncode) == ("wrong\n", 3)


@pytest.mark.parametrize(
    ("text", "said", "code"),
    [
        ("sys.exit('wrong')", "wrong\n", 1),
        ("sys.exit()", "", 0),
        ("atexit.register(print, 'late', file=sys.stderr)", "late\n", 0),
        ("threading.Timer(0.1, print, ['thread'], {'file': sys.stderr}).start()", "thread\n", 0),
    ],
)
def test_it_ends_as_python_ends(script, text, said, code):
    line = script(f"import atexit, sys, threading\nprint('out')\n{text}")
    done = subprocess.run(line, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", said, code)


def test_ctrl_c_without_a_handler_ends_it(script):
    done = subprocess.run(script("raise KeyboardInterrupt"), capture_output=True, text=True)
    assert done.returncode == -signal.SIGINT
    assert done.stderr.endswith("KeyboardInterrupt\n")


def test_an_error_is_told_as_python_tells_it(script):
    done = subprocess.run(script("1 / 0"), capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize(
    ("number", "said", "code"),
    [(signal.SIGTERM, "asked to leave\n", 143), (signal.SIGKILL, "", -9), (signal.SIGHUP, "", -1)],
)
def test_signals_reach_the_script(script, number, said, code):
    with subprocess.Popen(script(WAITING), stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout.readline() == "waits\n"
        started.send_signal(number)
        assert started.stdout.read() == said  # ends when the script has ended
    assert started.returncode == code


def test_a_script_that_is_killed_kills_its_client(script):
    done = subprocess.run(script("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"))
    assert done.returncode == -signal.SIGKILL


def test_a_script_ends_with_its_server(tmp_path):
    (tmp_path / "script.py").write_text(WAITING)
    line = [sys.executable, FORKS, "serve", tmp_path / "socket", tmp_path]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    server = subprocess.Popen(list(map(str, line)), start_new_session=True, **pipes)
    assert server.stdout.readline() == b"ready\n"
    client = [tmp_path / "python", tmp_path / "script.py"]
    with subprocess.Popen(client, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout.readline() == "waits\n"
        server.communicate()
        assert started.stdout.read() == ""
    assert started.returncode == 70


def test_an_ignored_signal_stays_ignored(script):
    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    line = script("import signal\nprint(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)")
    done = subprocess.run(line, preexec_fn=ignore, capture_output=True, text=True)
    assert done.stdout == "True\n"


def test_the_limit_of_a_files_size_holds(script, tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

    line = script("from pathlib import Path\nPath('a').write_text(11 * 'x')")
    done = subprocess.run(line, preexec_fn=limit, cwd=tmp_path, capture_output=True, text=True)
    assert "OSError: [Errno 27]" in done.stderr
    assert (tmp_path / "a").stat().st_size == 10


def test_other_words_are_those_of_python():
    done = subprocess.run([python("nothing"), "-c", "print(1 + 1)"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "2\n")


def test_a_module_is_run_and_starts_others(script, tmp_path):
    script("print(__name__, end='')")
    (tmp_path / "starts.py").write_text(
        "import subprocess, sys\nsubprocess.run([sys.executable, '-u', 'script.py', 'a'])"
    )
    line = [python("nothing"), "-m", "starts"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "__main__", "")
