"""What each key of Hugging Face's TrainingArguments does here: it works, or it is refused.

A test compares these keys with the installed transformers, so that a new key is noticed.
"""

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from typing import Any

from transformers import TrainingArguments

SCORES = "EM and F1 are computed from the logits of all questions together"
RESUME = "a resumed run would differ from an uninterrupted one"
WHOLE_MODEL = "the recording needs the whole model in one process; use torchrun without it"
GENERATION = "it is for models that generate text"

# key -> why only its default can be used
REFUSED = {
    "auto_find_batch_size": RESUME,
    "average_tokens_across_devices": "the loss is a mean over questions, not over tokens",
    "batch_eval_metrics": SCORES,
    "dataloader_in_order": RESUME,
    "debug": "its checks fail on masks of true and false; losses that are not finite are counted",
    "deepspeed": WHOLE_MODEL,
    "do_predict": "test-qa-efficacy.py --predictions writes the answers",
    "enable_jit_checkpoint": "Ctrl-C and SIGTERM save already",
    "eval_do_concat_batches": SCORES,
    "eval_use_gather_object": SCORES,
    "fsdp": WHOLE_MODEL,
    "fsdp_config": WHOLE_MODEL,
    "ignore_data_skip": RESUME,
    "include_for_metrics": SCORES,
    "label_names": "the labels are start_positions and end_positions",
    "label_smoothing_factor": "the loss of question answering has no smoothing",
    "length_column_name": "features have no such column; group_by_length counts their tokens",
    "liger_kernel_config": GENERATION,
    "parallelism_config": WHOLE_MODEL,
    "prediction_loss_only": SCORES,
    "remove_unused_columns": "features hold more than the model takes",
    "resume_from_checkpoint": "a run goes on from its newest whole checkpoint by itself",
    "save_only_model": "a checkpoint without its optimizer cannot be resumed",
    "use_cache": GENERATION,
    "use_liger_kernel": GENERATION,
}

TRAINING_ONLY = "the training only; an evaluation takes all questions in order"
MORE_CHECKPOINTS = "also saved: every save_minutes, at a stop, and after the last step"
AS_DOCUMENTED = "as in transformers"
UPLOAD = "a failed upload is reported in one line; everything is saved here"

# key -> what there is to know about it here; the others work as in transformers
NOTES = {
    "accelerator_config": TRAINING_ONLY,
    "bf16": "also on a CPU; see docs/overnight.md",
    "bf16_full_eval": "the evaluation after the training",
    "data_seed": "from 0 to 4294967295",
    "dataloader_drop_last": TRAINING_ONLY,
    "dataloader_multiprocessing_context": TRAINING_ONLY,
    "dataloader_num_workers": TRAINING_ONLY,
    "dataloader_persistent_workers": f"{TRAINING_ONLY}; needs dataloader_num_workers",
    "dataloader_pin_memory": "on a GPU only",
    "dataloader_prefetch_factor": f"{TRAINING_ONLY}; needs dataloader_num_workers",
    "ddp_backend": "with torchrun",
    "ddp_broadcast_buffers": "with torchrun",
    "ddp_bucket_cap_mb": "with torchrun",
    "ddp_find_unused_parameters": "with torchrun",
    "ddp_static_graph": "with torchrun",
    "ddp_timeout": "with torchrun",
    "disable_tqdm": "hides progress bars (shown on terminals only)",
    "do_eval": "evaluate on the validation questions after the training",
    "do_train": "train",
    "fp16": "needs a GPU",
    "fp16_full_eval": "the evaluation after the training",
    "hub_always_push": UPLOAD,
    "hub_model_id": UPLOAD,
    "hub_private_repo": UPLOAD,
    "hub_revision": UPLOAD,
    "hub_strategy": UPLOAD,
    "hub_token": UPLOAD,
    "include_num_input_tokens_seen": "true or false; true counts padding, too",
    "load_best_model_at_end": "the run's model is then named after the step of the best one",
    "local_rank": "set by torchrun",
    "logging_nan_inf_filter": "what is printed only; the recording keeps every loss as it is",
    "logging_steps": "what is printed only; the recording keeps every step",
    "logging_strategy": "what is printed only; the recording keeps every step",
    "metric_for_best_model": "exact_match, f1 or loss",
    "optim_args": "refused if the optimizer takes none",
    "optim_target_modules": "for GaLore and APOLLO",
    "output_dir": "the run's folder, relative to where you stand",
    "per_device_eval_batch_size": "the scores do not depend on it",
    "project": "with report_to",
    "push_to_hub": UPLOAD,
    "report_to": "as in transformers, beside the recording",
    "run_name": "with report_to",
    "save_steps": MORE_CHECKPOINTS,
    "save_strategy": MORE_CHECKPOINTS,
    "save_total_limit": "the newest whole checkpoint is always kept",
    "seed": "from 0 to 4294967295",
    "tf32": "needs a GPU",
    "trackio_bucket_id": "with report_to",
    "trackio_space_id": "with report_to",
    "trackio_static_space_id": "with report_to",
    "train_sampling_strategy": "group_by_length: batches of similar length, in random order "
    "(default where that saves a tenth of the tokens)",
}


def trainer_keys() -> dict[str, Any]:
    """The keys of the installed transformers and their defaults."""
    return {key.name: _default(key) for key in fields(TrainingArguments) if key.init}


def _default(key: Field[Any]) -> Any:
    if key.default is not MISSING:
        return key.default
    return key.default_factory() if key.default_factory is not MISSING else None


def refused_keys(values: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """(key, its default, why) for each value that is refused. values: typed, as they were given."""
    defaults = trainer_keys()
    for key, value in values.items():
        if key in REFUSED and value != defaults.get(key):
            yield key, defaults.get(key), REFUSED[key]


def describe_trainer_keys() -> str:
    """All keys as rows of a table in Markdown."""
    works = {key: NOTES.get(key, AS_DOCUMENTED) for key in trainer_keys().keys() - REFUSED.keys()}
    rows = [f"| `{key}` | yes | {note} |" for key, note in works.items()]
    rows += [f"| `{key}` | no | {why} |" for key, why in REFUSED.items()]
    return "\n".join(["| key | can be set | note |", "|---|---|---|", *sorted(rows)])
