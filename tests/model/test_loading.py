"""What cannot be loaded: models with code of their own, tokenizers without words."""

import json
import shutil

import pytest
from transformers import AutoConfig

from tests.conftest import command
from tests.model.test_families import SMALL

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


@pytest.mark.parametrize("words", [("run_qa.py", "cfg.json"), ("legend.py", "model")])
def test_a_million_layers_are_refused_at_once(tmp_path, tiny, tiny_cfg, words):
    shutil.copytree(tiny / "model", tmp_path / "model")
    config = tmp_path / "model" / "config.json"
    keys = json.loads(config.read_text()) | {"num_hidden_layers": 10**6}
    config.write_text(json.dumps(keys))
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg(model_name_or_path="model")))
    done = command(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "model: num_hidden_layers in its config.json is 1,000,000, which no" in done.stderr


def test_the_no_answer_of_a_decoder_sees_no_context(tmp_path, tiny, tiny_cfg):
    shutil.copytree(tiny / "model", tmp_path / "model")
    llama = AutoConfig.for_model("llama", **SMALL, num_key_value_heads=2)
    llama.save_pretrained(tmp_path / "model")
    keys = {"model_name_or_path": "model", "version_2_with_negative": True, "dry_run": True}
    for path, code in ((tmp_path / "model", 2), (tiny / "model", 0)):
        changed = tiny_cfg(**keys | {"model_name_or_path": str(path)})
        (tmp_path / "cfg.json").write_text(json.dumps(changed))
        done = command("run_qa.py", "cfg.json", cwd=tmp_path)
        assert done.returncode == code, done.stderr
        said = "version_2_with_negative: LlamaForQuestionAnswering reads from left to right"
        assert (said in done.stderr) == (code == 2)


def test_xlnet_says_its_order_of_tokens(tmp_path, tiny, tiny_cfg):
    shutil.copytree(tiny / "model", tmp_path / "model")
    sizes = {"vocab_size": 983, "d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32}
    AutoConfig.for_model("xlnet", **sizes).save_pretrained(tmp_path / "model")
    keys = tiny_cfg(model_name_or_path="model", max_steps=1, do_eval=False)
    (tmp_path / "cfg.json").write_text(json.dumps(keys))
    done = command("run_qa.py", "cfg.json", cwd=tmp_path)
    assert done.returncode == 2
    assert "XLNetForQuestionAnsweringSimple: holds its tokens in another order" in done.stderr
    without = command("run_qa.py", "cfg.json", "--record", "false", cwd=tmp_path)
    assert without.returncode == 0, without.stderr
    last = without.stdout.splitlines()[-2:]
    assert last == [
        "the model is in run, nothing was recorded; next:",
        "  huggin test-qa-efficacy CFG    (the cfg of this training)",
    ]


def test_an_encoder_decoder_trains_without_a_recording(tmp_path, tiny, tiny_cfg):
    """As docs/data-and-models.md says."""
    shutil.copytree(tiny / "model", tmp_path / "model")
    layers = {"encoder_layers": 1, "decoder_layers": 1, "d_model": 16}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    AutoConfig.for_model("bart", **SMALL | layers | heads).save_pretrained(tmp_path / "model")
    keys = tiny_cfg(model_name_or_path="model", max_steps=1, record=False)
    (tmp_path / "cfg.json").write_text(json.dumps(keys))
    done = command("run_qa.py", "cfg.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
