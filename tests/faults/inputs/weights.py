"""Bad inputs of tests/faults: weights that are not the model's, and what no machine holds."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from tests.faults.inputs.base import Fault, Prepare, both, keys, writing

WEIGHTS = "model.safetensors"
LAYER = "bert.encoder.layer.1."
Tensors = dict[str, Any]


def with_weights(change: Callable[[Tensors], Tensors], **cfg: Any) -> Prepare:
    """The run's trained weights, changed, as the pretrained ones of another run's cfg."""

    def prepare(folder: Path) -> None:
        tensors = load_file(folder / "run" / WEIGHTS)
        save_file(change(tensors), folder / "model" / WEIGHTS, {"format": "pt"})
        changed = keys(pretrained_model=True, output_dir="new", max_steps=1, do_eval=False, **cfg)
        (folder / "odd.json").write_text(json.dumps(changed))

    return prepare


def prefixed(prefix: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {prefix + name: tensor for name, tensor in tensors.items()}


def without(part: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {name: each for name, each in tensors.items() if part not in name}


def with_config(prepare: Prepare, **change: Any) -> Prepare:
    """The same, with other keys in the model's config.json."""

    def prepare_both(folder: Path) -> None:
        prepare(folder)
        path = folder / "model" / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change))

    return prepare_both


def same(tensors: Tensors) -> Tensors:
    return tensors


def of_weights() -> Iterator[Fault]:
    """Weights that are not loaded, all or some; a score from a head that was never trained."""
    words = ("run_qa.py", "odd.json")
    trained = with_weights(same)
    scored = {"do_train": False, "validation_file": "questions.json"}
    cases: dict[str, Prepare] = {
        **{
            f"names that begin with {prefix}": with_weights(prefixed(prefix))
            for prefix in ("_orig_mod.", "module.", "encoder.", "model.", "roberta.", "a.b.c.")
        },
        **{
            f"no {part}": with_weights(without(part))
            for part in ("word_embeddings", LAYER, "attention", "LayerNorm.bias", "bert.")
        },
        "no weights": with_weights(lambda _: {}),
        "more layers in the config": with_config(trained, num_hidden_layers=4),
        "fewer layers in the config": with_config(trained, num_hidden_layers=1),
        "wider layers in the config": with_config(trained, intermediate_size=48),
        "more words in the config": with_config(trained, vocab_size=1200),
        "more positions in the config": with_config(trained, max_position_embeddings=300),
        "another family's config": with_config(trained, model_type="electra"),
        "a decoder's config": with_config(trained, model_type="llama"),
    }
    for name, prepare in cases.items():
        yield Fault("weights", name, words, prepare)
    headless = with_weights(without("qa_outputs"), **scored)
    flags = ("--do_train", "false", "--do_eval", "true")
    yield Fault("weights", "no head, only evaluated", (*words, *flags), headless)
    for name, change in (("no head", without("qa_outputs")), ("half a layer", without(LAYER))):
        prepare = both(with_weights(change), using_them)
        asked = ("test-qa-efficacy.py", "cfg.json", "--samples", "1")
        yield Fault("weights", f"{name}, asked", asked, prepare)


def using_them(folder: Path) -> None:
    """Put the changed weights into a run whose files have no hashes, as of an older version."""
    shutil.copy(folder / "model" / WEIGHTS, folder / "run" / WEIGHTS)
    (folder / "run" / "complete.json").unlink()


def of_first_passes() -> Iterator[Fault]:
    """Models whose first pass fails, in the place of a finished run."""
    small = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 2}
    lengths = {"axial_pos_embds": False, "attn_layers": ["local"] * 2, "is_decoder": False}
    lengths |= {"local_attn_chunk_length": 16, "lsh_attn_chunk_length": 16}
    for name, change in (
        ("reformer", {"attention_head_size": 8, "feed_forward_size": 16, **lengths}),
        ("longformer", {"attention_window": 8, "intermediate_size": 32}),
        ("llama", {"intermediate_size": 32, "num_key_value_heads": 2}),
    ):
        config = {"model_type": name, "vocab_size": 983, "pad_token_id": 0, **small, **change}
        cfg = keys(record=False, overwrite_output_dir=True, version_2_with_negative=name == "llama")
        prepare = both(writing("model/config.json", config), writing("odd.json", cfg))
        yield Fault("first pass", name, ("run_qa.py", "odd.json"), prepare)


def of_endless() -> Iterator[Fault]:
    """Numbers that no machine holds."""
    for number in (1000, 10**6, 10**9):
        words = ("run_qa.py", "cfg.json", "--dataloader_num_workers", str(number))
        yield Fault("endless", f"{number} workers", (*words, "--output_dir", "new"))
    for family, key in (
        ("bert", "num_hidden_layers"),
        ("distilbert", "n_layers"),
        ("bart", "decoder_layers"),
        ("albert", "num_hidden_groups"),
    ):
        prepare = writing("model/config.json", {"model_type": family, key: 10**6})
        for words in (("legend.py", "model"), ("run_qa.py", "cfg.json", "--output_dir", "new")):
            yield Fault("endless", f"{family}: {key}, {words[0]}", words, prepare)
