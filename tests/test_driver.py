"""get-training-output from start to end, from another folder; setup and its refusals."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from huggin.recording.run_folder import RunFolder
from huggin.training.closing import closing
from tests.conftest import ROOT, toolkit


def drive(folder, *words):
    environment = {
        key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")
    }
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # has `huggin`
    return subprocess.run(
        [toolkit() / "get-training-output", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment,
    )


@pytest.mark.slow
def test_everything_lands_where_the_user_stands(tmp_path, tiny_cfg):
    here = tmp_path / "a folder & more"
    here.mkdir()
    (here / "my cfg.json").write_text(json.dumps(tiny_cfg(output_dir="my runs/one")))
    before = set(toolkit().iterdir())
    done = drive(here, "my cfg.json")
    assert done.returncode == 0, done.stderr
    said = dict(line.split(maxsplit=1) for line in done.stdout.splitlines()[-7:-2])
    assert list(said) == ["trained", "answers", "page", "PDF", "next"]
    pdf = here / said["PDF"]
    assert pdf.parent == here / "gv-graphs"
    assert pdf.read_bytes().startswith(b"%PDF")
    (page,) = (here / "gv-graphs").glob("qa-training-*.html")
    assert said["page"] == page.as_uri()
    assert said["next"].startswith("huggin ask 'my runs/one' ")
    assert ".png" not in done.stdout
    assert page.read_bytes().startswith(b"<!doctype html>")
    names = {path.name for path in (here / "my runs" / "one" / "graphs").iterdir()}
    head = ("weights", "losses", "logits", "sample-losses")
    layers = ("layers", "layers-over-time", "gradients", "ledger")
    questions = [f"questions-{kind}" for kind in ("kind", "length", "place", "passes")]
    assert names == {f"{name}.png" for name in (*head, *layers, *questions)}
    assert set(toolkit().iterdir()) == before
    (here / "my runs" / "one" / "graphs" / "losses.png").unlink()
    again = drive(here, "my cfg.json", "--verbose", "--notify", "printenv HUGGIN_RESULT")
    assert again.returncode == 0, again.stderr
    assert again.stdout.splitlines() == [
        "my runs/one: already trained (8 of 8 steps); nothing to do; "
        "--overwrite_output_dir true starts anew",
        "my runs/one/graphs/losses.png",
        *done.stdout.splitlines()[-7:],
        "my runs/one: done",
    ]
    assert list((here / "gv-graphs").glob("*.pdf")) == [pdf]


def test_the_end_says_how_to_make_the_command_work(tiny_run, tmp_path, monkeypatch):
    made = (RunFolder(tiny_run), tmp_path / "page.html", tmp_path / "a.pdf")
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    *_, ask, _, _ = closing(*made).splitlines()
    assert ask.startswith("next     huggin ask ")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    *_, activate, ask, _, _ = closing(*made).splitlines()
    assert activate.startswith("next     source ")
    assert "/bin/activate" in activate
    assert ask.startswith("         huggin ask ")


@pytest.mark.parametrize(
    ("file", "said"),
    [(ROOT / "sample" / "stories.json", "cfg-squad.json"), (Path("my.csv"), "huggin suspects ")],
)
def test_the_end_offers_the_night_after_the_sample_and_suspects_after_own_data(
    tiny_run, tmp_path, file, said
):
    run = RunFolder(shutil.copytree(tiny_run, tmp_path / "run"))
    facts = json.loads(run.facts.read_text())
    facts["cfg"] |= {"train_file": str(file), "model_name_or_path": "runs/sample"}
    run.facts.write_text(json.dumps(facts | {"pretrained": True}))
    trained, *_, last = closing(run, Path("page.html"), Path("a.pdf")).splitlines()
    assert said in last
    assert "from the weights of runs/sample; in " in trained


@pytest.mark.parametrize("system", ["Darwin", "Linux"])
def test_what_was_made_is_opened_where_there_is_a_screen(tmp_path, system):
    tools = tmp_path / "bin"
    tools.mkdir()
    programs = {"uname": f"echo {system}", "open": "echo opened $1", "xdg-open": "echo $1 >opened"}
    for name, does in programs.items():
        (tools / name).write_text(f"#!/bin/sh\n{does}\n")
        (tools / name).chmod(0o755)
    (tmp_path / "gv-graphs").mkdir()
    (tmp_path / "gv-graphs" / "qa-training-1.html").touch()
    script = f"set -euo pipefail; here={ROOT}; . $here/stages.sh; "
    script += 'open_file "$(newest training html)"; [ ! -f opened ] || cat opened'
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", "DISPLAY": ":0"}
    line = ["bash", "-c", script]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[-1] == "gv-graphs/qa-training-1.html"


@pytest.mark.slow
def test_nothing_recorded_nothing_drawn(tmp_path, tiny_cfg):
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(record=False, output_dir="-run")))
    done = drive(tmp_path, "cfg.json")
    assert done.returncode == 0
    assert "./-run: nothing was recorded" in done.stderr
    assert not (tmp_path / "gv-graphs").exists()


@pytest.mark.parametrize("words", [[""], ["nope.json"], ["cfg.json", "more"]])
def test_the_driver_takes_one_file(tmp_path, words):
    (tmp_path / "cfg.json").write_text("{}")
    done = subprocess.run(
        [toolkit() / "get-training-output", *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "get-training-output: error: expected one file of keys" in done.stderr


def test_without_a_file_here_the_driver_takes_the_toolkits_own(tmp_path):
    code = f"here={ROOT}; source $here/stages.sh; one_cfg cfg-squad.json; echo $cfg"
    done = subprocess.run(["bash", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == f"{ROOT}/cfg-squad.json\n"
    (tmp_path / "cfg-squad.json").write_text("{}")
    done = subprocess.run(["bash", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "cfg-squad.json\n"


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["output_dir", "cfg.json"], "runs/one"),
        (["output_dir", "cfg.json", "--output_dir", "-two"], "./-two"),
        (["output_dir", "cfg.json", "--seed=1", "--output-dir=runs/my two"], "runs/my two"),
        (["output_dir", "none.json"], ""),
        (["dry_run", "cfg.json", "--dry-run"], "true"),
        (["dry_run", "cfg.json", "--dry_run", "false"], ""),
        (["notify", "cfg.json"], "echo done"),
    ],
)
def test_the_driver_reads_keys_as_run_qa_does(tmp_path, words, value):
    (tmp_path / "cfg.json").write_text('{"output_dir": "runs/one", "notify": "echo done"}')
    code = f'here={ROOT}; source $here/stages.sh; key_of "$@"'
    line = ["bash", "-c", code, "driver", *words]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == f"{value}\n"


def test_a_stage_that_is_killed_is_said(tmp_path):
    """As by the system when its memory is full: the stage itself cannot say it."""
    stub = tmp_path / "python"
    stub.write_text("#!/bin/sh\nkill -9 $$\n")
    stub.chmod(0o755)
    code = f"here={ROOT}; source $here/stages.sh; python={stub}; stage run_qa.py cfg.json; echo on"
    done = subprocess.run(["bash", "-euc", code, "driver"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (137, "")
    assert done.stderr.startswith("driver: run_qa.py was killed by signal 9; was the memory full?")


@pytest.mark.parametrize("words", [[], ["--seed", "7"]])
def test_flags_without_a_file_go_with_the_toolkits_own(tmp_path, words):
    code = f'here={ROOT}; source $here/stages.sh; one_cfg "$@"; shift $named; echo $cfg $*'
    line = ["bash", "-euc", code, "driver", *words]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == [f"{ROOT}/cfg.json", *words]


@pytest.mark.slow
def test_it_stops_at_the_first_failure(tmp_path, tiny_cfg):
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(seeed=1)))
    done = drive(tmp_path, "cfg.json")
    assert done.returncode == 2
    assert "did you mean seed?" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["cfg.json"]


@pytest.mark.skipif(not (ROOT / ".venv" / "installed.txt").exists(), reason="./setup makes .venv")
def test_setup_has_nothing_to_do_twice():
    done = subprocess.run([ROOT / "setup"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_setup_without_python_says_what_to_type(tmp_path):
    """A copy without .venv, on a PATH that holds no Python."""
    for name in ("setup", "requirements.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("dirname", "cmp", "bash", "uname"):
        (tools / tool).symlink_to(subprocess.check_output(["which", tool], text=True).strip())
    done = subprocess.run(
        ["bash", tmp_path / "setup"], capture_output=True, text=True, env={"PATH": str(tools)}
    )
    assert done.returncode == 2
    assert "setup: error: no Python 3.11" in done.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize(
    ("there", "word", "taken"),
    [
        ([], "cfg-squad.json", str(ROOT / "cfg-squad.json")),
        (["cfg-squad.json"], "cfg-squad.json", "cfg-squad.json"),
        (["-mine.json"], "-mine.json", "./-mine.json"),
        ([], "./cfg.json", None),
        ([], "nope.json", None),
    ],
)
def test_a_bare_name_is_looked_for_in_the_toolkits_folder(tmp_path, there, word, taken):
    for name in there:
        (tmp_path / name).write_text("{}")
    script = f'set -euo pipefail; here="{ROOT}"; . "$here/stages.sh"; one_cfg "$1"; echo "$cfg"'
    line = ["bash", "-c", script, "driver", word]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == (f"{taken}\n" if taken else "")
    assert done.returncode == (0 if taken else 2)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
@pytest.mark.parametrize("script", ["stages.sh", "get-training-output", "get-model-output"])
def test_shellcheck_finds_nothing(script):
    done = subprocess.run(["shellcheck", "-x", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == ""
