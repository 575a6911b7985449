"""What must be known of a run to read its recording: configuration and model -> run.json."""

from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggin.bert import head_of
from huggin.config import Config
from huggin.legend import legend_facts

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from transformers import PreTrainedModel

PACKAGES = ("torch", "transformers", "datasets", "accelerate", "numpy", "pyarrow")


def run_facts(
    config: Config,
    model: "PreTrainedModel",
    sites: "Sequence[DataclassInstance]",
    samples: "Sequence[DataclassInstance]",
) -> dict[str, Any]:
    """The facts of a run, as JSON: its model, data, hooked sites, tracked samples, versions and cfg."""
    name = config.model.model_name_or_path or config.model.config_name or ""
    return {
        "model_class": type(model).__name__,
        "model_name": Path(name).name if Path(name).is_dir() else name,
        "pretrained": config.model.pretrained_model,
        "data_name": config.data_name,
        "hidden_size": head_of(model).in_features,
        "layers": model.config.num_hidden_layers,
        "sites": [asdict(site) for site in sites],
        "samples": [asdict(sample) for sample in samples],
        "modules": legend_facts(model),
        "seed": config.training.seed,
        "versions": {name: version(name) for name in PACKAGES},
        "cfg": config.given,
    }


def model_type_state(facts: dict[str, Any], step: int) -> str:
    """The name of a model after `step` steps: `BertForQuestionAnswering-NoPretrain-1126-squad`."""
    pretrained = "" if facts["pretrained"] else "NoPretrain-"
    return f"{facts['model_class']}-{pretrained}{step}-{facts['data_name']}"
