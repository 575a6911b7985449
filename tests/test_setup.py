"""setup: what it installs, when, and what it says, with a stand-in for Python and for the system.

The stand-in for Python only notes what pip was told; the one for `uname` says another system.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = ["setup", "requirements.txt", "requirements-dev.txt", "locks/lock.txt"]
TOOLS = [
    "bash",
    "dirname",
    "cmp",
    "cp",
    "mv",
    "rm",
    "cat",
    "sed",
    "grep",
    "mkdir",
    "touch",
    "chmod",
]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
FROM_CPU_INDEX = f"--no-deps --retries 1 --timeout 20 --index-url {CPU_INDEX}"
TORCH = next(
    line for line in (ROOT / "requirements.txt").open() if line.startswith("torch==")
).strip()
PYTHON = """#!/usr/bin/env bash
bin=$(dirname "$0")
case "$1 $2" in
  "-m venv") rm -rf "$4"; mkdir -p "$4/bin"; cp "$0" "$4/bin/python" ;;
  "-m pip")
    echo "${@:7}" >>"$PIP_LOG"
    echo "Collecting torch"
    echo "  Downloading torch-2.13.0-cp311-cp311-linux_x86_64.whl.metadata (30 kB)"
    echo "  Downloading torch-2.13.0-cp311-cp311-linux_x86_64.whl (199.4 MB)"
    echo "  Downloading nvidia_cuda-13-py3-none-any.whl (2.1 GB)"
    echo "Installing collected packages: torch"
    case "$*" in
      *"${PIP_FAILS_AT:-nothing}"*) exit 1 ;;
      *--editable*) touch "$bin/huggin"; chmod +x "$bin/huggin" ;;
    esac ;;
esac
"""


class Checkout:
    """A folder with what setup needs, and a log of the calls of pip."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self.folder = folder
        self.log = tools / "pip.log"
        self.environment = {"PATH": str(tools), "PIP_LOG": str(self.log)}
        for name in FILES:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)

    @property
    def installs(self) -> dict[str, str]:
        """What pip is told for the users' packages, the developers' and the command."""
        lock = f"--constraint {self.folder}/locks/lock.txt"
        return {
            "packages": f"--requirement {self.folder}/.venv/wanted.txt {lock}",
            "torch for the CPU": f"{FROM_CPU_INDEX} {TORCH}",
            "dev": f"--requirement {self.folder}/requirements-dev.txt {lock}",
            "huggin": f"--quiet --no-deps --no-build-isolation --editable {self.folder}",
        }

    def setup(self, *words: str, code: int = 0, **environment: str) -> list[str]:
        """Run setup; what it installed, in the words of `installs`."""
        self.log.unlink(missing_ok=True)
        done = subprocess.run(
            ["bash", self.folder / "setup", *words],
            env=self.environment | environment,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        self.said = done.stderr
        calls = self.log.read_text().splitlines() if self.log.exists() else []
        names = {told: name for name, told in self.installs.items()}
        return [names[call] for call in calls]

    @property
    def wanted(self) -> list[str]:
        """The packages that pip was told to install."""
        lines = (self.folder / ".venv" / "wanted.txt").read_text().splitlines()
        return [line.split("==")[0] for line in lines if not line.startswith("#")]


@pytest.fixture
def tools(tmp_path):
    """A folder that is the whole PATH, with a stand-in for Python, Graphviz and the system."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in TOOLS:
        (folder / name).symlink_to(shutil.which(name))
    stand_in(folder, {"python3": PYTHON, "dot": "#!/bin/sh\n"})
    pretend(folder, "Linux", "x86_64")
    return folder


def stand_in(folder: Path, scripts: dict[str, str]) -> None:
    """Put scripts into a folder, by their names."""
    for name, text in scripts.items():
        path = folder / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o755)


def pretend(folder: Path, system: str, machine: str, macos: str = "15.1") -> None:
    """Let `uname` and `sw_vers` say another system."""
    uname = f'#!/bin/sh\n[ "$1" = -s ] && echo "{system}" || echo "{machine}"\n'
    stand_in(folder, {"uname": uname, "sw_vers": f"#!/bin/sh\necho {macos}\n"})


@pytest.fixture
def checkout(tmp_path, tools):
    return Checkout(tmp_path / "clone", tools)


def test_users_get_no_developers_packages_and_nothing_twice(checkout):
    assert checkout.setup() == ["packages", "huggin"]
    assert checkout.setup() == []
    assert checkout.said == ""


def test_developers_packages_come_on_top(checkout):
    checkout.setup()
    assert checkout.setup("--dev") == ["dev"]
    assert checkout.setup("--dev") == []
    assert checkout.setup() == []


def test_all_at_once_for_developers(checkout):
    assert checkout.setup("--dev") == ["packages", "dev", "huggin"]


@pytest.mark.parametrize("name", ["requirements.txt", "locks/lock.txt"])
def test_other_versions_are_installed(checkout, name):
    checkout.setup("--dev")
    with (checkout.folder / name).open("a") as file:
        file.write("more==1\n")
    assert checkout.setup() == ["packages", "huggin"]
    assert checkout.setup("--dev") == ["dev"]


def test_other_developers_packages_leave_the_users_alone(checkout):
    checkout.setup("--dev")
    with (checkout.folder / "requirements-dev.txt").open("a") as file:
        file.write("more==1\n")
    assert checkout.setup() == []
    assert checkout.setup("--dev") == ["dev"]


@pytest.mark.parametrize(
    ("fails_at", "again"),
    [
        ("wanted.txt", ["packages", "dev", "huggin"]),
        ("requirements-dev.txt", ["dev", "huggin"]),
        ("--editable", ["huggin"]),
    ],
)
def test_a_half_finished_install_is_finished_at_the_next_start(checkout, fails_at, again):
    checkout.setup("--dev", code=2, PIP_FAILS_AT=fails_at)
    assert "setup: error: pip could not install" in checkout.said
    assert checkout.setup("--dev") == again


def test_of_pip_only_what_takes_long_is_shown(checkout):
    checkout.setup()
    downloads = [line for line in checkout.said.splitlines() if "downloads " in line]
    assert "setup: downloads torch (199.4 MB)" in downloads
    assert "setup: downloads nvidia_cuda (2.1 GB)" in downloads
    assert "Collecting" not in checkout.said
    assert "kB" not in checkout.said
    assert "Collecting torch\n" in (checkout.folder / ".venv" / "pip.log").read_text()


def test_a_half_finished_environment_is_made_anew(checkout):
    checkout.setup()
    (checkout.folder / ".venv" / "installed.txt").unlink()
    stale = checkout.folder / ".venv" / "stale"
    stale.touch()
    assert checkout.setup() == ["packages", "huggin"]
    assert not stale.exists()


def test_an_environment_whose_python_is_gone_is_made_anew(checkout):
    checkout.setup()
    python = checkout.folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(checkout.folder / "gone" / "python")
    assert checkout.setup() == ["packages", "huggin"]


def test_a_missing_command_is_installed(checkout):
    checkout.setup()
    (checkout.folder / ".venv" / "bin" / "huggin").unlink()
    assert checkout.setup() == ["huggin"]


def test_a_moved_clone_gets_its_command_again(checkout):
    checkout.setup()
    checkout.folder = checkout.folder.rename(checkout.folder.with_name("moved clone"))
    assert checkout.setup() == ["huggin"]
    assert checkout.setup() == []


def test_a_linked_environment_keeps_the_command_of_its_checkout(checkout, tools, tmp_path):
    checkout.setup()
    second = Checkout(tmp_path / "second", tools)
    (second.folder / ".venv").symlink_to(checkout.folder / ".venv")
    assert second.setup() == []
    assert second.setup("--dev") == ["dev"]
    assert checkout.setup("--dev") == []


@pytest.mark.parametrize("words", [["--foo"], ["--dev", "--foo"], ["--foo", "--help"]])
def test_unknown_arguments_are_refused(checkout, words):
    assert checkout.setup(*words, code=2) == []
    assert checkout.said == "setup: error: unknown argument '--foo'; see ./setup --help\n"
    assert not (checkout.folder / ".venv").exists()


# What it downloads


def test_it_says_how_much_it_downloads(checkout):
    checkout.setup()
    downloads, hint, *_ = checkout.said.splitlines()
    assert downloads.startswith(f"setup: downloads up to 3.6 GB into {checkout.folder}/.venv;")
    if not Path("/proc/driver/nvidia").exists():
        assert hint.startswith(
            "setup: no NVIDIA driver found: ./setup --cpu would download 2 GB less"
        )


def test_no_hint_where_there_is_an_nvidia_driver(checkout, tools):
    stand_in(tools, {"nvidia-smi": "#!/bin/sh\n"})
    checkout.setup()
    assert "--cpu" not in checkout.said


@pytest.mark.parametrize(
    ("system", "machine", "macos", "said"),
    [
        ("Darwin", "arm64", "13.6", "macOS 13.6 is too old for the packages; update to macOS 14"),
        ("Darwin", "x86_64", "14.0", "no packages for Intel Macs any more"),
        ("MINGW64_NT-10.0", "x86_64", "", "type 'wsl --install' in PowerShell"),
        ("FreeBSD", "amd64", "", "no packages for FreeBSD on amd64; needs Linux"),
        ("Linux", "armv7l", "", "no packages for Linux on armv7l; needs Linux"),
    ],
)
def test_other_systems_are_refused_before_anything_is_downloaded(
    checkout, tools, system, machine, macos, said
):
    pretend(tools, system, machine, macos)
    assert checkout.setup(code=2) == []
    (line,) = checkout.said.splitlines()
    assert line.startswith("setup: error: ")
    assert said in line
    assert not (checkout.folder / ".venv").exists()


def test_a_terminal_under_rosetta_is_told_so(checkout, tools):
    pretend(tools, "Darwin", "x86_64")
    stand_in(tools, {"sysctl": "#!/bin/sh\necho 1\n"})
    checkout.setup(code=2)
    assert "(Rosetta); type: arch -arm64 ./setup" in checkout.said


def test_linux_with_musl_is_refused(checkout, tools):
    stand_in(tools, {"ldd": "#!/bin/sh\necho 'musl libc (x86_64)' >&2; exit 1\n"})
    assert checkout.setup(code=2) == []
    assert "no packages for Linux with musl (Alpine)" in checkout.said


APT = "sudo apt-get install"
PACKAGE_MANAGER = "with your system's package manager"


@pytest.mark.parametrize(
    ("system", "manager", "python", "graphviz"),
    [
        ("Linux", "apt-get", f"{APT} python3 python3-venv", f"type: {APT} graphviz"),
        ("Linux", "dnf", "sudo dnf install python3.12", "type: sudo dnf install graphviz"),
        ("Linux", None, PACKAGE_MANAGER, f"install it {PACKAGE_MANAGER}"),
        ("Darwin", "brew", "brew install python@3.13", "type: brew install graphviz"),
        (
            "Darwin",
            None,
            "get it from https://www.python.org/downloads/macos",
            "get Homebrew from https://brew.sh, then type: brew install graphviz",
        ),
    ],
)
def test_advice_fits_the_system(checkout, tools, system, manager, python, graphviz):
    pretend(tools, system, "arm64")
    stand_in(tools, {"id": "#!/bin/sh\necho 1000\n"})
    if manager:
        stand_in(tools, {manager: "#!/bin/sh\nexit 1\n"})
    (tools / "dot").unlink()
    checkout.setup(code=2)
    assert checkout.said.endswith(f"setup: error: Graphviz is missing; {graphviz}\n")
    shutil.rmtree(checkout.folder / ".venv")
    stand_in(tools, {"python3": "#!/bin/sh\nexit 1\n"})
    assert checkout.setup(code=2) == []
    assert checkout.said.endswith(f"3.13 found; install one: {python}\n")


# Choices


def test_torch_for_the_cpu_comes_from_its_own_index(checkout):
    assert checkout.setup("--cpu") == ["torch for the CPU", "packages", "huggin"]
    assert "downloads up to about 1 GB" in checkout.said
    assert checkout.setup() == []


def test_where_that_index_cannot_be_reached_all_comes_from_pypi(checkout):
    done = checkout.setup("--cpu", PIP_FAILS_AT="--index-url")
    assert done == ["torch for the CPU", "packages", "huggin"]
    assert f"setup: {CPU_INDEX} cannot be reached; PyTorch comes from PyPI" in checkout.said


def test_a_mac_needs_no_other_torch(checkout, tools):
    pretend(tools, "Darwin", "arm64")
    assert checkout.setup("--cpu") == ["packages", "huggin"]
    assert "downloads up to 0.6 GB" in checkout.said


def test_without_pictures_there_is_no_tensorflow(checkout):
    assert checkout.setup("--without-pictures") == ["packages", "huggin"]
    assert "torch" in checkout.wanted
    assert not {"tensorflow", "keras", "openvino"} & set(checkout.wanted)
    assert checkout.setup() == []
    assert checkout.setup("--with-pictures") == ["packages", "huggin"]
    assert {"tensorflow", "keras", "openvino"} <= set(checkout.wanted)
    assert checkout.setup() == []


@pytest.mark.parametrize("word", ["--cpu", "--without-pictures"])
def test_what_is_no_longer_wanted_goes(checkout, word):
    checkout.setup()
    stale = checkout.folder / ".venv" / "stale"
    stale.touch()
    assert checkout.setup(word)[-2:] == ["packages", "huggin"]
    assert not stale.exists()


def test_a_choice_outlives_other_versions_and_an_interruption(checkout):
    checkout.setup("--cpu", "--without-pictures", code=2, PIP_FAILS_AT="wanted.txt")
    assert checkout.setup() == ["torch for the CPU", "packages", "huggin"]
    with (checkout.folder / "requirements.txt").open("a") as file:
        file.write("more==1\n")
    assert checkout.setup() == ["torch for the CPU", "packages", "huggin"]
    assert not {"tensorflow", "keras"} & set(checkout.wanted)


def test_an_environment_of_the_version_before_has_all(checkout):
    checkout.setup()
    (checkout.folder / ".venv" / "installed-choices.txt").unlink()
    assert checkout.setup() == []
