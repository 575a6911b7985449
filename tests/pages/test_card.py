"""A run's model card, and the zip that hands a run on."""

import json
import shutil
from dataclasses import replace
from zipfile import ZipFile

import pytest
import yaml

import huggin
import trainer_qa
from huggin.pages.card import plain, write_card
from huggin.pages.pack import write_zip
from huggin.recording.checkpoints import start_anew
from huggin.recording.run_facts import read_facts, write_facts
from huggin.recording.run_folder import RunFolder, is_our_card
from tests.conftest import command
from tests.training.test_overnight import train_here

HOSTILE = "a | b\n---\ntags: [x]\n`<img src=x onerror=alert(1)>` [y](http://z) **w** \x1b[2J 世界"


@pytest.fixture
def run(tiny_run, tmp_path, monkeypatch) -> RunFolder:
    shutil.copytree(tiny_run, tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    return RunFolder(tmp_path / "run")


def front_of(run: RunFolder) -> dict:
    _, front, _ = run.card.read_text("utf-8").split("---\n", 2)
    return yaml.safe_load(front)


def test_a_training_ends_with_a_card(run):
    front = front_of(run)
    scores = json.loads(run.eval_results.read_text())
    text = run.card.read_text("utf-8")
    assert front["pipeline_tag"] == "question-answering"
    assert "base_model" not in front  # it began with random weights
    assert f"{scores['eval_samples']} |" in text
    assert f"| {scores['eval_exact_match']:.1f} % (" in text
    assert f"torch {read_facts(run).versions['torch']}".replace("_", r"\_") in text
    assert is_our_card(run.card)


def test_the_hub_is_told_scores_only_of_questions_that_were_not_trained_on(run):
    scores = json.loads(run.eval_results.read_text())
    for trained_on in (0, 1):
        run.eval_results.write_text(json.dumps(scores | {"trained_on": trained_on}))
        write_card(run)
        assert ("model-index" in front_of(run)) == (trained_on == 0)


def test_a_pretrained_model_and_its_data_are_linked(run):
    facts = read_facts(run)
    for source, name in (("google-bert/bert-base-uncased", "a/b"), ("/home/me/model", "../data")):
        cfg = facts.cfg | {"model_name_or_path": source, "dataset_name": name}
        write_facts(run, replace(facts, pretrained=True, cfg=cfg))
        write_card(run)
        on_the_hub = source[0] != "/"
        assert front_of(run).get("base_model") == (source if on_the_hub else None)
        assert front_of(run).get("datasets") == ([name] if on_the_hub else None)


def test_hostile_names_stay_texts(run):
    facts = read_facts(run)
    cfg = facts.cfg | {"validation_file": HOSTILE}
    write_facts(run, replace(facts, model_name=HOSTILE, data_name=HOSTILE, cfg=cfg))
    write_card(run)
    front = front_of(run)
    assert front["tags"] == ["huggin", "generated_from_trainer"]
    text = run.card.read_text("utf-8").split("---\n", 2)[2]
    assert "\x1b" not in text
    assert "\n---\n" not in text
    for markup in ("<img", "`<", "](http://", "**w**"):
        assert markup not in text.replace("\\<", "")
    rows = [line for line in text.splitlines() if line.startswith("| data")]
    assert [line.replace(r"\|", "").count("|") for line in rows] == [3, 6]


def test_a_text_is_shown_as_it_is():
    assert plain("a_b*c\n<d> http://e www.f") == r"a\_b\*c \<d\> http:\//e www\.f"


@pytest.mark.parametrize("change", ["mine\n", "edited"])
def test_a_readme_that_is_not_as_we_wrote_it_stays(run, change, capsys):
    text = run.card.read_text("utf-8").replace("# ", "# My ", 1) if change == "edited" else change
    run.card.write_text(text, "utf-8")
    write_card(run)
    assert run.card.read_text("utf-8") == text
    assert "README.md: not as huggin wrote it, so it is left as it is" in capsys.readouterr().err
    start_anew(run)
    assert run.card.exists()


def test_a_training_anew_removes_the_card(run):
    start_anew(run)
    assert not run.card.exists()


@pytest.mark.slow
def test_a_push_takes_our_card_along_with_its_scores(tmp_path, tiny_cfg, monkeypatch):
    pushed = []

    def push(self, **_kwargs):
        self.create_model_card(model_name="theirs")
        pushed.append(RunFolder(tmp_path / "run").card.read_text("utf-8"))

    trainer = trainer_qa.QuestionAnsweringTrainer
    monkeypatch.setattr(trainer, "init_hf_repo", lambda self: None)
    monkeypatch.setattr(trainer, "_push_from_checkpoint", lambda self, folder: None)
    monkeypatch.setattr(trainer, "push_to_hub", push)
    monkeypatch.setattr(trainer, "push_in_progress", None, raising=False)
    assert train_here(tmp_path, tiny_cfg(push_to_hub=True)) == 0
    assert all(text.startswith("---\nlibrary_name: transformers\n") for text in pushed)
    assert ["## Scores" in text for text in pushed] == [False, True]


@pytest.mark.slow
def test_a_zip_hands_on_all_but_the_weights(run):
    facts = read_facts(run)
    write_facts(
        run,
        replace(
            facts,
            cfg=facts.cfg
            | {"notify": "secret", "hub_token": "secret", "train_file": "/home/secret/q.json"},
        ),
    )
    (run.graphs).mkdir(exist_ok=True)
    (run.graphs / "mine.png").write_bytes(b"not a figure of ours")
    huggin.figures(run.path, "losses").save()
    done = command("pack", "run", cwd=run.path.parent)
    assert (done.returncode, done.stdout) == (0, "run.zip\n"), done.stderr
    with ZipFile("run.zip") as archive:
        names = archive.namelist()
        assert names == sorted(names)
        assert {*names} - {"efficacy.json"} == {
            "README.md",
            "cfg.json",
            "eval_results.json",
            "graphs/losses.png",
            "page.html",
            "training.pdf",
        }
        assert "secret" not in archive.read("cfg.json").decode()
        assert json.loads(archive.read("cfg.json"))["train_file"] == "q.json"
        assert "graphs/losses.png" in archive.read("README.md").decode()
        assert archive.read("training.pdf").startswith(b"%PDF")
    whole = huggin.pack(run.path, weights=True, out="whole.zip")
    with ZipFile(whole.path) as archive:
        more = {*archive.namelist()} - {*names}
        assert {"config.json", "model.safetensors", "tokenizer.json"} <= more
        assert not any(name.endswith((".bin", ".pt", ".pth")) for name in more)


def test_the_same_contents_are_the_same_zip_and_a_failure_leaves_the_old_one(tmp_path):
    (tmp_path / "b.txt").write_text("b")
    target = tmp_path / "made.zip"
    write_zip(target, {"b": tmp_path / "b.txt", "a": "text"})
    first = target.read_bytes()
    (tmp_path / "b.txt").write_text("b")
    write_zip(target, {"a": "text", "b": tmp_path / "b.txt"})
    assert target.read_bytes() == first
    with pytest.raises(FileNotFoundError):
        write_zip(target, {"a": "other", "b": tmp_path / "none"})
    assert target.read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.txt", "made.zip"]


def test_what_is_no_run_is_refused(tmp_path):
    done = command("pack", "none", cwd=tmp_path)
    assert done.returncode == 2
    assert "none/recording/run.json: nothing recorded here" in done.stderr
    assert not list(tmp_path.iterdir())
