"""A model's weights from a folder or the Hub: all of them, or an error that says what is missing.

`from_pretrained` draws at random whatever it does not find, and says so in a log only.
"""

from collections import Counter
from collections.abc import Collection
from typing import Any

import torch
from transformers import AutoModel, AutoModelForQuestionAnswering, PreTrainedModel

from huggin.common.errors import UserError

# what puts a prefix before the names of a model's tensors
PREFIXES = {
    "_orig_mod.": "torch.compile's",
    "module.": "that of DistributedDataParallel or DataParallel",
    "model.": "that of the class that they were saved from",
}
NAMED = 3  # tensors that an error names


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
    missing = [key for key in new if _is_below_head(model, key)]
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


def _is_below_head(model: PreTrainedModel, key: str) -> bool:
    if model.base_model is model:  # T5 has no module of its own for what is below its head
        return not key.startswith("qa_outputs.")
    return key.startswith(f"{model.base_model_prefix}.")


def _left_over(model: PreTrainedModel, unexpected: Collection[str]) -> list[str]:
    """Weights of layers, embeddings and the like that this model does not have."""
    own = f"{model.base_model_prefix}."
    parts = {name for name, _ in model.base_model.named_children()}
    plain = {key.removeprefix(own): key for key in unexpected}
    below = {name for name, key in plain.items() if key != name or name.split(".")[0] in parts}
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
    before = Counter(
        key.removesuffix(stem) for key in unexpected for stem in stems if key.endswith(f".{stem}")
    )
    prefix, count = before.most_common(1)[0] if before else ("", 0)
    return prefix.removesuffix(own) if 2 * count > len(stems) else None


def _first(keys: list[str], shapes: dict[str, str]) -> str:
    """The first few names, and the shapes of tensors that have others."""
    named = ", ".join(key + shapes.get(key, "") for key in keys[:NAMED])
    return named + ", ..." * (len(keys) > NAMED)
