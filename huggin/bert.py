"""Tokenizer and model: pretrained, from scratch, or from a run's folder."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from huggin.config import ModelArguments
from huggin.door import UserError, one_line

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast


def quieten_libraries() -> None:
    """Keep stderr for what the user can use: no notes on new heads, no retries, no bars within bars."""
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    hub_logging.set_verbosity_error()
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def load_tokenizer(model: ModelArguments) -> "PreTrainedTokenizerFast":
    """The fast tokenizer of `tokenizer_name`, or of the model. Raises UserError where there is none."""
    from transformers import AutoTokenizer

    name = model.tokenizer_name or model.model_name_or_path or model.config_name
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, cache_dir=model.cache_dir, revision=model.model_revision)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{name}: no tokenizer found, neither in a folder here nor on the Hub: {one_line(error)}"
        ) from None
    if not tokenizer.is_fast:
        raise UserError(f"{name}: its tokenizer gives no character offsets; choose a model with a fast tokenizer")
    return tokenizer


def load_model(model: ModelArguments, seed: int) -> "PreTrainedModel":
    """The model for question answering, its weights pretrained or drawn with `seed`.

    Raises UserError where it cannot be found, or has no head `qa_outputs` of two outputs (start and end).
    """
    from transformers import AutoConfig, AutoModelForQuestionAnswering, set_seed

    name = model.model_name_or_path or model.config_name
    hub = {"cache_dir": model.cache_dir, "revision": model.model_revision}
    set_seed(seed)
    try:
        config = AutoConfig.from_pretrained(model.config_name or name, **hub)
        if model.pretrained_model:
            built = AutoModelForQuestionAnswering.from_pretrained(name, config=config, use_safetensors=True, **hub)
        else:
            built = AutoModelForQuestionAnswering.from_config(config)
    except (OSError, ValueError) as error:
        raise UserError(f"{name}: no model found, neither in a folder here nor on the Hub: {one_line(error)}") from None
    head_of(built)
    return built


def load_trained(folder: Path) -> tuple["PreTrainedTokenizerFast", "PreTrainedModel", int]:
    """Tokenizer, model in eval mode and step of a run's folder or checkpoint. Raises UserError where there is none."""
    from safetensors import SafetensorError
    from transformers import AutoModelForQuestionAnswering

    quieten_libraries()
    try:
        step = json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))["global_step"]
        model = AutoModelForQuestionAnswering.from_pretrained(folder, use_safetensors=True)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise UserError(f"{folder}: no trained model: {one_line(error)}; run get-training-output first") from None
    return load_tokenizer(ModelArguments(model_name_or_path=str(folder))), model.eval(), step


def head_of(model: "PreTrainedModel") -> "nn.Linear":
    """The head: the linear layer from a token's hidden units to its start and end logit."""
    head = getattr(model, "qa_outputs", None)
    if head is None or getattr(head, "out_features", None) != 2:
        raise UserError(f"{type(model).__name__}: no linear head `qa_outputs` with two outputs; choose another model")
    return head


def refuse_mismatch(config: "PretrainedConfig", tokenizer: "PreTrainedTokenizerFast", max_seq_length: int) -> None:
    """Raise UserError where features would hold more tokens, or others, than the model knows."""
    positions = getattr(config, "max_position_embeddings", None)
    if positions and max_seq_length > positions:
        raise UserError(f"max_seq_length: {max_seq_length} is more than the model's {positions} positions; lower it")
    if len(tokenizer) > config.vocab_size:
        raise UserError(f"tokenizer_name: {len(tokenizer)} words, the model has {config.vocab_size}; choose its own")
