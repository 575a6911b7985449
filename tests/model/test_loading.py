"""What cannot be loaded: models with code of their own, tokenizers without words."""

import json
import shutil

import pytest

from tests.conftest import command

MINE = {
    "model_type": "mine",
    "auto_map": {"AutoConfig": "mine.C", "AutoModelForQuestionAnswering": "mine.M"},
}


def asked(*_words):
    raise AssertionError("a question to the user")


@pytest.mark.parametrize("words", [("run_qa.py", "cfg.json"), ("legend.py", "model")])
def test_code_of_a_model_is_refused(tmp_path, tiny, tiny_cfg, monkeypatch, words):
    shutil.copytree(tiny / "model", tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | MINE))
    (tmp_path / "model" / "mine.py").write_text("raise SystemExit('it runs')")
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(model_name_or_path="model")))
    monkeypatch.setattr("builtins.input", asked)
    done = command(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "model: comes with Python code of its own, which is not run" in done.stderr


def test_a_folder_without_a_tokenizer_is_refused(tmp_path, tiny, tiny_cfg):
    shutil.copytree(tiny / "model", tmp_path / "model")
    (tmp_path / "model" / "tokenizer.json").unlink()
    keys = tiny_cfg(model_name_or_path=str(tmp_path / "model"))
    (tmp_path / "cfg.json").write_text(json.dumps(keys))
    done = command("run_qa.py", "cfg.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "its tokenizer knows no words; name a folder with tokenizer.json" in done.stderr
