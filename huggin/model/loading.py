"""Tokenizer and model: pretrained, from scratch, or from a run's folder.

`from_pretrained` draws at random whatever it does not find, and says so in a log only. Here all
weights are loaded, or an error says what is missing.
"""

import inspect
import json
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.utils import logging as hub_logging
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForQuestionAnswering,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    set_seed,
)
from transformers.utils import logging

from huggin.common.errors import UserError
from huggin.common.text import one_line
from huggin.model.device import choose_device
from huggin.qa.arguments import ModelArguments

# what puts a prefix before the names of a model's tensors
PREFIXES = {
    "_orig_mod.": "torch.compile's",
    "module.": "that of DistributedDataParallel or DataParallel",
    "model.": "that of the class that they were saved from",
}
HERE_OR_HUB = "name a folder that holds one, or a model on the Hub"
NAMED = 3  # tensors that an error names
HEAD = "one linear layer with two outputs, a token's start and end logit, after the model's layers"
NO_CODE = {"trust_remote_code": False}  # without this, transformers asks whether to run it
OWN_CODE = ("contains custom code", "references custom code")  # in the errors of transformers
MOST_LAYERS = 1000  # deeper than any model that a machine holds
SAVED_MODEL = "saved_model"  # in the stateful_callbacks of a run's trainer_state.json


def pretrained(name: str, **options: Any) -> tuple[PreTrainedModel, dict[str, Any]]:
    """A model for question answering, and the report that `refuse_not_loaded` must read."""
    asked = {"use_safetensors": True, "output_loading_info": True, "trust_remote_code": False}
    options |= {"ignore_mismatched_sizes": True}  # they are in the report
    return AutoModelForQuestionAnswering.from_pretrained(name, **asked, **options)


def refuse_not_loaded(name: str, model: PreTrainedModel, report: dict[str, Any]) -> bool:
    """Raise UserError if a tensor below the head did not get its weights. Whether the head is new.

    report: what `pretrained` gave. Heads of other tasks and the pooler, of which question
    answering makes no use, may be left over: they are no part of this model.
    """
    mismatched = report["mismatched_keys"]
    shapes = {key: f" {tuple(saved)} for {tuple(own)}" for key, saved, own in mismatched}
    new = sorted({*report["missing_keys"], *shapes})
    below = f"{model.base_model_prefix}."
    missing = [key for key in new if key.startswith(below)]
    if model.base_model is model:  # T5 has no module of its own for what is below its head
        missing = [key for key in new if not key.startswith("qa_outputs.")]
    unknown = _left_over(model, report["unexpected_keys"])
    if missing and (prefix := _foreign_prefix(model, missing, report["unexpected_keys"])):
        whose = PREFIXES.get(prefix, "that of a wrapper or of another family")
        what = f"the names of its weights begin with {prefix!r}, {whose}, so they were not loaded"
        advice = "take that off the names in the safetensors file, or choose the config of these"
        raise UserError(f"{name}: {what}; {advice} weights (docs/troubleshooting.md)")
    lacks = f"{len(missing)} of its tensors were not loaded ({_first(missing, shapes)})"
    extra = f"{len(unknown)} weights are for no tensor of it ({_first(unknown, {})})"
    problems = [text for keys, text in ((missing, lacks), (unknown, extra)) if keys]
    if problems:
        what = f"not the weights of this {type(model).__name__}: {'; '.join(problems)}"
        raise UserError(f"{name}: {what}; choose the config.json that was saved with them")
    saved_for = model.config.architectures or ["QuestionAnswering"]
    return bool(new) or not any("QuestionAnswering" in kind for kind in saved_for)


def _left_over(model: PreTrainedModel, unexpected: Collection[str]) -> list[str]:
    """Weights of layers, embeddings and the like that this model does not have."""
    own = f"{model.base_model_prefix}."
    children = {name for name, _ in model.base_model.named_children()}
    plain = {key.removeprefix(own): key for key in unexpected}
    below = {name for name, key in plain.items() if key != name or name.split(".")[0] in children}
    if not below:
        return []
    with torch.device("meta"):
        whole = AutoModel.from_config(model.config, trust_remote_code=False)  # with its pooler
    return sorted(below - whole.state_dict().keys())


def _foreign_prefix(
    model: PreTrainedModel, missing: Collection[str], unexpected: Collection[str]
) -> str | None:
    """What most unexpected names have before the name of a missing tensor, if there is such."""
    own = f"{model.base_model_prefix}."
    stems = {key.removeprefix(own) for key in missing}
    prefixes = Counter(
        key.removesuffix(stem) for key in unexpected for stem in stems if key.endswith(f".{stem}")
    )
    prefix, count = prefixes.most_common(1)[0] if prefixes else ("", 0)
    return prefix.removesuffix(own) if 2 * count > len(stems) else None


def _first(keys: list[str], shapes: dict[str, str]) -> str:
    """The first few names, and the shapes of tensors that have others."""
    named = ", ".join(key + shapes.get(key, "") for key in keys[:NAMED])
    return named + ", ..." * (len(keys) > NAMED)


def quieten_libraries() -> None:
    """Turn off the libraries' notes on new heads, on retries, and their own progress bars."""
    hub_logging.set_verbosity_error()
    logging.set_verbosity_error()
    logging.disable_progress_bar()


@contextmanager
def loading(what: str, name: str, advice: str = HERE_OR_HUB) -> Iterator[None]:
    """Load a part of a model inside `with`: say nothing if it works, else raise UserError.

    what: the part. name: of the model or its folder. advice: what the user can do.
    """
    quieten_libraries()
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # the libraries raise all kinds for what is wrong in a file
        if any(words in str(error) for words in OWN_CODE):
            why = "comes with Python code of its own, which is not run, as it could do anything"
            raise UserError(f"{name}: {why}; choose a model that transformers knows") from None
        if advice == HERE_OR_HUB and not Path(name).exists():
            advice = f"there is no folder {Path(name).absolute()}, so {advice}"
        raise UserError(f"{name}: no {what}: {one_line(error)}; {advice}") from None


def load_tokenizer(model: ModelArguments) -> PreTrainedTokenizerFast:
    """The fast tokenizer of `tokenizer_name`, or else of the model.

    Raises UserError if there is none.
    """
    name = model.tokenizer_name or model.model_name_or_path or model.config_name or ""
    with loading("tokenizer found", name):
        tokenizer = AutoTokenizer.from_pretrained(
            name, cache_dir=model.cache_dir, revision=model.model_revision, **NO_CODE
        )
    if not tokenizer.is_fast:
        what = "its tokenizer gives no character offsets"
        raise UserError(f"{name}: {what}; choose a model with a fast tokenizer")
    if len(tokenizer) <= len(tokenizer.all_special_ids):  # transformers makes one out of nothing
        raise UserError(f"{name}: its tokenizer knows no words; name a folder with tokenizer.json")
    if tokenizer.pad_token is None:
        what = "its tokenizer has no padding token"
        raise UserError(f"{name}: {what}; set pad_token in tokenizer_config.json")
    return tokenizer


def load_model(
    model: ModelArguments, seed: int, trains: bool = True
) -> tuple[PreTrainedModel, str]:
    """The model for question answering, and in words where its weights come from.

    They are pretrained, or drawn with `seed`. trains: only then the QA head may be new.
    Raises UserError if it cannot be found, if its weights are not all there, or if it has no head
    (see `head_of`).
    """
    name = model.model_name_or_path or model.config_name or ""
    hub = {"cache_dir": model.cache_dir, "revision": model.model_revision}
    set_seed(seed)
    with loading("model found", name):
        config = AutoConfig.from_pretrained(model.config_name or name, **hub, **NO_CODE)
        refuse_endless(config, name)
        if model.pretrained_model:
            built, report = pretrained(name, config=config, **hub)
        else:
            built, report = AutoModelForQuestionAnswering.from_config(config, **NO_CODE), None
    head_of(built)
    weights = "random weights" if report is None else "pretrained weights"
    if report and refuse_not_loaded(name, built, report):
        weights += ", new QA head"
        if not trains:
            raise UserError(f"{name}: its weights have no QA head; set do_train to true")
    numbers = {str(tensor.dtype).removeprefix("torch.") for tensor in built.parameters()}
    if numbers != {"float32"}:
        weights += f", in {' and '.join(sorted(numbers))}"
    return built, weights


def refuse_endless(config: PreTrainedConfig, name: str) -> None:
    """Raise UserError for a config with more layers than a machine can build."""
    for key, value in config.to_dict().items():
        counts = any(word in key for word in ("layer", "group", "expert")) and "size" not in key
        if counts and isinstance(value, int) and value > MOST_LAYERS:
            what = f"{key} in its config.json is {value:,}, which no machine holds"
            raise UserError(f"{name}: {what}; {MOST_LAYERS:,} at most")


def load_architecture(name: str) -> PreTrainedModel:
    """A model without weights, on torch's meta device.

    name: a folder with a config.json, or a model on the Hub.
    Raises UserError if it is not a model for question answering.
    """
    with loading("model for question answering", name), torch.device("meta"):
        config = AutoConfig.from_pretrained(name, **NO_CODE)
        refuse_endless(config, name)
        model = AutoModelForQuestionAnswering.from_config(
            config, attn_implementation="eager", **NO_CODE
        )
        return model.eval()


def load_trained(
    folder: Path, device: torch.device | None = None, dtype: torch.dtype | None = None
) -> tuple[PreTrainedTokenizerFast, PreTrainedModel, int]:
    """Tokenizer, model in evaluation mode, and step of a run's folder or checkpoint.

    device: where the model computes; default: the accelerator if there is one.
    dtype: the numbers that it computes with, such as torch.bfloat16; default: as saved.
    Raises UserError if there is no trained model in the folder.
    """
    with loading("trained model", str(folder), "run get-training-output first"):
        state = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
        # Not the last step of the training, if an earlier model was the best and was loaded again.
        saved = state.get("stateful_callbacks", {}).get(SAVED_MODEL, {})
        step = saved.get("step", state["global_step"])
        model, report = pretrained(str(folder))
    if refuse_not_loaded(str(folder), model, report):
        raise UserError(f"{folder}: its weights have no QA head; run get-training-output first")
    tokenizer = load_tokenizer(ModelArguments(model_name_or_path=str(folder)))
    model.to(device or choose_device(), dtype=dtype)
    return tokenizer, model.eval(), step


def head_of(model: PreTrainedModel) -> nn.Linear:
    """The QA head: the linear layer from a token's hidden units to its start and end logit.

    Most models call it `qa_outputs`; ModernBERT does not. Raises UserError if there is none.
    """
    return model.get_submodule(name_of_head(model))


def name_of_head(model: PreTrainedModel) -> str:
    """Where the QA head is in the model, such as `qa_outputs`. Raises UserError if there is none.

    It may be inside another module, as in BigBird, but never in the model below the head.
    """
    below = set(model.base_model.modules()) if model.base_model is not model else set()
    linear = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module not in below
    }
    heads = [name for name, module in linear.items() if module.out_features == 2]
    if len(heads) != 1:
        outputs = [f"{name} with {module.out_features}" for name, module in linear.items()]
        others = ", ".join(outputs) or "none"
        what = f"{type(model).__name__}: no head: looked for {HEAD}; found {others}"
        raise UserError(f"{what}; choose another model")
    return heads[0]


def match_tokenizer(
    tokenizer: PreTrainedTokenizerFast, model: PreTrainedModel, max_seq_length: int
) -> None:
    """Let the tokenizer give only what the model takes.

    Some models take no `token_type_ids`, or know only one type.
    Raises UserError if there would be more tokens, or others, than the model knows.
    """
    taken = inspect.signature(model.forward).parameters
    config = model.config
    names = [name for name in tokenizer.model_input_names if name in taken]
    if getattr(config, "type_vocab_size", 2) < 2:
        names = [name for name in names if name != "token_type_ids"]
    tokenizer.model_input_names = names
    positions = _positions(tokenizer, model)
    if positions and 0 < positions < max_seq_length:  # XLNet says -1: as many as there are
        what = f"{max_seq_length} is more than the model's {positions} positions"
        raise UserError(f"max_seq_length: {what}; lower it")
    if len(tokenizer) > config.vocab_size:
        what = f"{len(tokenizer)} words, the model has {config.vocab_size}"
        raise UserError(f"tokenizer_name: {what}; choose its own")


def _positions(tokenizer: PreTrainedTokenizerFast, model: PreTrainedModel) -> int | None:
    """How many tokens the model has positions for.

    RoBERTa and its like count positions from the padding's id on.
    """
    modules = model.named_modules()
    tables = (module for name, module in modules if name.endswith("position_embeddings"))
    padding = next((table.padding_idx for table in tables if isinstance(table, nn.Embedding)), None)
    positions = getattr(model.config, "max_position_embeddings", None)
    if padding is None or positions is None:
        return positions
    if tokenizer.pad_token_id != padding:
        what = f"pads with id {tokenizer.pad_token_id}, the model counts positions from {padding}"
        advice = "choose the model's own, or set its config's pad_token_id"
        raise UserError(f"tokenizer_name: {what}; {advice}")
    return positions - padding - 1
