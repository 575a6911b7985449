"""Tokenizer and model: pretrained, from scratch, or from a run's folder."""

import inspect
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from huggingface_hub.utils import logging as hub_logging
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForQuestionAnswering,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    set_seed,
)
from transformers.utils import logging

from huggin.common.errors import UserError
from huggin.common.text import one_line
from huggin.model.device import choose_device
from huggin.qa.arguments import ModelArguments


def quieten_libraries() -> None:
    """Keep stderr for what the user can use: no notes on new heads, no retries, no bars within bars."""

    hub_logging.set_verbosity_error()
    logging.set_verbosity_error()
    logging.disable_progress_bar()


@contextmanager
def loading(
    what: str, name: str, advice: str = "name a folder that holds one, or a model on the Hub"
) -> Iterator[None]:
    """Load something of a model: without a word where all is well, and else one line that it is missing or broken."""
    quieten_libraries()
    try:
        yield
    except Exception as error:  # the libraries raise all kinds for what is wrong in a file
        raise UserError(f"{name}: no {what}: {one_line(error)}; {advice}") from None


def load_tokenizer(model: ModelArguments) -> PreTrainedTokenizerFast:
    """The fast tokenizer of `tokenizer_name`, or of the model. Raises UserError where there is none."""

    name = model.tokenizer_name or model.model_name_or_path or model.config_name or ""
    with loading("tokenizer found", name):
        tokenizer = AutoTokenizer.from_pretrained(
            name, cache_dir=model.cache_dir, revision=model.model_revision
        )
    if not tokenizer.is_fast:
        raise UserError(
            f"{name}: its tokenizer gives no character offsets; choose a model with a fast tokenizer"
        )
    return tokenizer


def load_model(model: ModelArguments, seed: int) -> PreTrainedModel:
    """The model for question answering, its weights pretrained or drawn with `seed`.

    Raises UserError where it cannot be found, or has no head (see `head_of`).
    """

    name = model.model_name_or_path or model.config_name or ""
    hub = {"cache_dir": model.cache_dir, "revision": model.model_revision}
    set_seed(seed)
    with loading("model found", name):
        config = AutoConfig.from_pretrained(model.config_name or name, **hub)
        if model.pretrained_model:
            built = AutoModelForQuestionAnswering.from_pretrained(
                name, config=config, use_safetensors=True, **hub
            )
        else:
            built = AutoModelForQuestionAnswering.from_config(config)
    head_of(built)
    return built


def load_architecture(name: str) -> PreTrainedModel:
    """The model that a folder's config.json, or one on the Hub, describes, without weights: on torch's meta device."""

    with loading("model for question answering", name), torch.device("meta"):
        config = AutoConfig.from_pretrained(name)
        return AutoModelForQuestionAnswering.from_config(config, attn_implementation="eager").eval()


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
        step = state["global_step"]
        model = AutoModelForQuestionAnswering.from_pretrained(folder, use_safetensors=True)
    tokenizer = load_tokenizer(ModelArguments(model_name_or_path=str(folder)))
    model.to(device or choose_device(), dtype=dtype)
    return tokenizer, model.eval(), step


def head_of(model: PreTrainedModel) -> nn.Linear:
    """The head: the linear layer from a token's hidden units to its start and end logit.

    It is called `qa_outputs`, or otherwise, as in ModernBERT. Raises UserError where there is none.
    """

    linear = {
        name: module for name, module in model.named_children() if isinstance(module, nn.Linear)
    }
    heads = [module for module in linear.values() if module.out_features == 2]
    if len(heads) != 1:
        found = (
            ", ".join(f"{name} with {module.out_features}" for name, module in linear.items())
            or "none"
        )
        wanted = "one linear layer with two outputs, a token's start and end logit, after the model's layers"
        raise UserError(
            f"{type(model).__name__}: no head: looked for {wanted}; found {found}; choose another model"
        )
    return heads[0]


def match_tokenizer(
    tokenizer: PreTrainedTokenizerFast, model: PreTrainedModel, max_seq_length: int
) -> None:
    """Let the tokenizer give what the model takes, and no more: some know no `token_type_ids`, or only one type.

    Raises UserError where features would hold more tokens, or others, than the model knows.
    """
    taken, config = inspect.signature(model.forward).parameters, model.config
    names = [name for name in tokenizer.model_input_names if name in taken]
    if getattr(config, "type_vocab_size", 2) < 2:
        names = [name for name in names if name != "token_type_ids"]
    tokenizer.model_input_names = names
    positions = _positions(tokenizer, model)
    if positions and max_seq_length > positions:
        raise UserError(
            f"max_seq_length: {max_seq_length} is more than the model's {positions} positions; lower it"
        )
    if len(tokenizer) > config.vocab_size:
        raise UserError(
            f"tokenizer_name: {len(tokenizer)} words, the model has {config.vocab_size}; choose its own"
        )


def _positions(tokenizer: PreTrainedTokenizerFast, model: PreTrainedModel) -> int | None:
    """How many tokens the model can place: in RoBERTa and its like positions are counted from the padding's id on."""

    tables = (
        module for name, module in model.named_modules() if name.endswith("position_embeddings")
    )
    padding = next((table.padding_idx for table in tables if isinstance(table, nn.Embedding)), None)
    positions = getattr(model.config, "max_position_embeddings", None)
    if padding is None or positions is None:
        return positions
    if tokenizer.pad_token_id != padding:
        ids = f"pads with id {tokenizer.pad_token_id}, the model counts positions from {padding}"
        raise UserError(
            f"tokenizer_name: {ids}; choose the model's own, or set its config's pad_token_id"
        )
    return positions - padding - 1
