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


def _by_key(notes: dict[str, str]) -> dict[str, str]:
    """Notes and the keys that they are about, with blanks between them -> the note of each key."""
    return {key: note for note, keys in notes.items() for key in keys.split()}


# why only the default can be used, and of which keys
REFUSED = _by_key(
    {
        RESUME: "auto_find_batch_size dataloader_in_order ignore_data_skip",
        "the loss is a mean over questions, not over tokens": "average_tokens_across_devices",
        SCORES: (
            "batch_eval_metrics eval_do_concat_batches eval_use_gather_object include_for_metrics "
            "prediction_loss_only"
        ),
        "its checks fail on masks of true and false; losses that are not finite are counted": (
            "debug"
        ),
        WHOLE_MODEL: "deepspeed fsdp fsdp_config parallelism_config",
        "test-qa-efficacy.py --predictions writes the answers": "do_predict",
        "Ctrl-C and SIGTERM save already": "enable_jit_checkpoint",
        "the labels are start_positions and end_positions": "label_names",
        "the loss of question answering has no smoothing": "label_smoothing_factor",
        "features have no such column; group_by_length counts their tokens": "length_column_name",
        GENERATION: "liger_kernel_config use_cache use_liger_kernel",
        "features hold more than the model takes": "remove_unused_columns",
        "a run goes on from its newest whole checkpoint by itself": "resume_from_checkpoint",
        "a checkpoint without its optimizer cannot be resumed": "save_only_model",
    }
)

TRAINING_ONLY = "the training only; an evaluation takes all questions in order"
MORE_CHECKPOINTS = "also saved: every save_minutes, at a stop, and after the last step"
AS_DOCUMENTED = "as in transformers"
UPLOAD = "a failed upload is reported in one line; everything is saved here"

# what there is to know about keys here; the others work as in transformers
NOTES = _by_key(
    {
        TRAINING_ONLY: (
            "accelerator_config dataloader_drop_last dataloader_multiprocessing_context "
            "dataloader_num_workers"
        ),
        "also on a CPU; see docs/overnight.md": "bf16",
        "the evaluation after the training": "bf16_full_eval fp16_full_eval",
        "from 0 to 4294967295": "data_seed seed",
        f"{TRAINING_ONLY}; needs dataloader_num_workers": (
            "dataloader_persistent_workers dataloader_prefetch_factor"
        ),
        "on a GPU only": "dataloader_pin_memory",
        "with torchrun": (
            "ddp_backend ddp_broadcast_buffers ddp_bucket_cap_mb ddp_find_unused_parameters "
            "ddp_static_graph ddp_timeout"
        ),
        "hides progress bars (shown on terminals only)": "disable_tqdm",
        "evaluate on the validation questions after the training": "do_eval",
        "train": "do_train",
        "needs a GPU": "fp16 tf32",
        UPLOAD: (
            "hub_always_push hub_model_id hub_private_repo hub_revision hub_strategy hub_token "
            "push_to_hub"
        ),
        "true or false; true counts padding, too": "include_num_input_tokens_seen",
        "the run's model is then named after the step of the best one": "load_best_model_at_end",
        "set by torchrun": "local_rank",
        "what is printed only; the recording keeps every loss as it is": "logging_nan_inf_filter",
        "what is printed only; the recording keeps every step": "logging_steps logging_strategy",
        "exact_match, f1 or loss": "metric_for_best_model",
        "refused if the optimizer takes none": "optim_args",
        "for GaLore and APOLLO": "optim_target_modules",
        "the run's folder, relative to where you stand": "output_dir",
        "the scores do not depend on it": "per_device_eval_batch_size",
        "with report_to": (
            "project run_name trackio_bucket_id trackio_space_id trackio_static_space_id"
        ),
        "as in transformers, beside the recording": "report_to",
        MORE_CHECKPOINTS: "save_steps save_strategy",
        "the newest whole checkpoint is always kept": "save_total_limit",
        "group_by_length: batches of similar length, in random order (default where that "
        "saves a tenth of the tokens)": "train_sampling_strategy",
    }
)


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
