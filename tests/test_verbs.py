"""The door for Python: `import huggin` is quick, and every verb's example runs as it stands."""

import doctest
import html
import shutil
import subprocess
import sys

import pytest

import huggin
from huggin.common.errors import BadValue, UserError
from tests.conftest import ROOT, command

VERBS = (
    "ask",
    "compare",
    "examine",
    "explain_answer",
    "explain_picture",
    "figures",
    "pack",
    "page",
    "pdf",
    "rewind",
    "suspects",
    "teachers",
)


@pytest.fixture
def run(tiny_run, tmp_path, monkeypatch):
    """A run in runs/sample of the present folder."""
    shutil.copytree(tiny_run, tmp_path / "runs" / "sample")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs" / "sample"


def test_import_huggin_loads_nothing_heavy():
    heavy = ("torch", "numpy", "transformers", "matplotlib", "pydantic")
    code = f"import sys, huggin; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_list_of_names_is_what_there_is():
    assert {*VERBS, "Recording", "Recorder", "RecorderCallback", "track"} <= set(dir(huggin))
    for name in huggin.__all__:
        assert getattr(huggin, name).__doc__, name


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.usefixtures("run")
def test_a_verbs_example_runs(verb):
    function = getattr(huggin, verb)
    examples = doctest.DocTestFinder(recurse=False).find(function, verb, globs={})
    assert sum(len(example.examples) for example in examples) > 1
    for example in examples:
        assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.slow
def test_figures_show_themselves_and_say_what_the_command_prints(run, capsys):
    drawn = huggin.figures("runs/sample", "layers", step=0)
    done = command("graph-layers", "runs/sample", "--step", "0", cwd=run.parents[1])
    printed = [line for line in done.stdout.splitlines() if not line.endswith(".png")]
    assert drawn.in_words().splitlines() == printed
    assert drawn.as_json()["figures"]["layers-step-0"] == drawn.figures["layers-step-0"].get_label()
    shown = drawn._repr_html_()
    assert shown.count('<img src="data:image/png;base64,') == len(drawn.figures) >= 3
    assert html.escape(drawn.in_words()) in shown
    capsys.readouterr()
    drawn.save(run / "elsewhere", ["svg"])
    assert capsys.readouterr().out == done.stdout.replace("graphs/", "elsewhere/").replace(
        ".png", ".svg"
    ).replace("runs/sample/elsewhere", str(run / "elsewhere"))


def test_a_kind_or_choice_that_is_not_there_is_refused(run):
    with pytest.raises(BadValue, match="choose from losses, weights"):
        huggin.figures(run, "loss")
    with pytest.raises(UserError, match="named twice"):
        huggin.figures(run, "losses", [run])
    with pytest.raises(TypeError, match="over_time"):
        huggin.figures(run, "losses", over_time=True)


@pytest.mark.slow
@pytest.mark.usefixtures("run")
def test_a_page_says_where_it_is():
    made = huggin.page("runs/sample", folder="pages")
    assert huggin.page("runs/sample", folder="pages", if_needed=True).path == made.path
    assert made.as_json() == {"path": str(made.path), "notes": []}
    assert f'<iframe src="{made.path}"' in made._repr_html_()
    with pytest.raises(UserError, match="no answer"):
        huggin.page("runs/sample", answer=True)
