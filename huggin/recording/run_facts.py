"""RUN/recording/run.json: what must be known of a run to read its recording."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import xxhash
from pydantic import Field, TypeAdapter, ValidationError

from huggin.common.errors import Damaged, UserError
from huggin.common.files import read_text, write_json
from huggin.common.site import ModuleRow, Place, Site
from huggin.common.text import one_line
from huggin.common.window import Window
from huggin.qa.given import Keys, read_given
from huggin.recording.run_folder import RunFolder
from huggin.recording.schema import READABLE_VERSIONS, SCHEMA_VERSION

NOT_READABLE = "run get-training-output again, it writes a new one"
STRATEGY = "train_sampling_strategy"  # the key of how batches are drawn
PROBE_DATA = "probe_data"  # the key of which data the tracked samples are of
TEXTS = "training texts"  # the key of the hash that `hash_of_texts` makes of the training data
LEFT_OUT = "leave_out"  # the key of the question whose loss counts nothing
GROUPED = "group_by_length"  # its value for windows of similar length in a batch
# What runs had whose run.json does not say it, because it could not be changed on the way
BEFORE = {STRATEGY: "random", PROBE_DATA: "train", LEFT_OUT: None}

MOST_NODES = 1 << 20  # far more than any model has; a larger number is a damaged file
T = TypeVar("T")
AtLeastOne = Annotated[int, Field(ge=1)]
AtLeastZero = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class RunFacts:
    """The facts of a run; its model, its data, where it was hooked, what was tracked.

    Raises ValueError for facts that do not fit together.
    """

    model_class: str
    model_name: str
    pretrained: bool
    data_name: str
    hidden_size: Annotated[int, Field(ge=1, le=MOST_NODES)]  # that the QA head reads
    layers: AtLeastOne
    sites: list[Site]
    samples: list[Window]  # the tracked samples
    modules: list[ModuleRow]  # the legend
    seed: int | None = None
    versions: dict[str, str] = field(default_factory=dict)  # of the toolkit and its packages
    parts: list[str] = field(default_factory=list)  # columns of the table `layers`
    n_best_size: AtLeastOne = 20  # starts and ends that are paired when a probe's answer is sought
    max_answer_length: AtLeastOne = 30  # tokens
    places: list[Place] = field(default_factory=list)  # columns of the table `ledger`
    ledger_points: AtLeastZero = 0  # of a line between two probes; 0: there is no ledger
    has_lens: bool = False  # whether the head can be applied to every layer's output
    fixed: dict[str, Any] = field(default_factory=dict)  # what a resumed run must not change
    cfg: dict[str, Any] = field(default_factory=dict)  # the keys as they were given
    run_id: str = ""  # of the segments that belong here; empty for those of older versions
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        """Raise ValueError for the first thing that does not fit."""
        if len(set(self.sites)) < len(self.sites):
            raise ValueError("sites: one is there twice")
        for number, site in enumerate(self.sites):
            if not 1 <= site.layer <= self.layers:
                among = f"{site.layer} is not among the {self.layers} layers"
                raise ValueError(f"sites.{number}.layer: {among}")
        for number, row in enumerate(self.modules):
            if len(row.numbers) != len(row.names) or not row.names:
                counted = f"{len(row.numbers)} numbers for {len(row.names)} names"
                raise ValueError(f"modules.{number}: {counted}")

    @property
    def has_like_lengths(self) -> bool:
        """Whether the windows of a batch are of similar length, so that its loss depends on it."""
        return self.fixed.get(STRATEGY) == GROUPED

    @property
    def trained_samples(self) -> list[Window]:
        """The tracked samples, if they are questions of the training data; their `index` is there.

        None of them is if `probe_data` was validation.
        """
        return self.samples if self.fixed.get(PROBE_DATA, "train") == "train" else []

    @property
    def start(self) -> str:
        """What the training began with, in words."""
        if not self.pretrained:
            return f"random weights ({self.model_name})"
        return f"the weights of {self.cfg.get('model_name_or_path') or self.model_name}"

    def model_type_state(self, step: int) -> str:
        """The name of the model after `step` steps."""
        return model_type_state(self.model_class, self.pretrained, step, self.data_name)


def hash_of_texts(records: Iterable[Mapping[str, Any]]) -> str:
    """A hash of the questions, contexts and answers of records; each file layout has the same."""
    found = xxhash.xxh3_64()
    for record in records:
        texts = [record[name] for name in ("question", "context", "answers")]
        found.update(json.dumps(texts, sort_keys=True).encode())
    return found.hexdigest()


def model_type_state(model_class: str, pretrained: bool, step: int, data_name: str) -> str:
    """Class, whether pretrained, step, data: `BertForQuestionAnswering-NoPretrain-1126-squad`."""
    start = "" if pretrained else "NoPretrain-"
    return f"{model_class}-{start}{step}-{data_name}"


def id_of(run: RunFolder) -> str:
    """The id of a run's recording; empty if nothing readable, or an older version's, is there."""
    try:
        return read_facts(run).run_id
    except UserError:
        return ""


def write_facts(run: RunFolder, facts: RunFacts) -> None:
    """Write run.json, whole or not at all."""
    write_json(run.facts, asdict(facts))


def read_facts(run: RunFolder) -> RunFacts:
    """Read run.json.

    Raises UserError if it is missing or damaged, if its fields do not fit together, or if a newer
    program wrote it.
    """
    try:
        version = read_as(run.facts, dict[str, Any], NOT_READABLE).get("schema_version")
    except FileNotFoundError:
        what = "nothing recorded here; run get-training-output first"
        raise UserError(f"{run.facts}: {what}") from None
    if version not in READABLE_VERSIONS:
        readable = f"this program reads schemas {', '.join(map(str, READABLE_VERSIONS))}"
        advice = "read it with the version of the toolkit that wrote it"
        raise UserError(f"{run.facts}: schema {version}, {readable}; {advice}")
    return read_as(run.facts, RunFacts, NOT_READABLE)


def read_as(path: Path, kind: type[T], advice: str) -> T:
    """The value in a JSON file, which is of a type.

    Raises Damaged, with the advice, if it is not, and FileNotFoundError if the file is missing.
    """
    try:
        return TypeAdapter(kind).validate_json(read_text(path), strict=True)
    except ValidationError as error:
        problem = f"{path}: {first_problem(error)}"
    except UserError as error:
        problem = str(error)
    raise Damaged(f"{problem}; {advice}")


def given_for(named: Path, flags: list[str]) -> Keys:
    """The keys of a cfg.json, or of a run's folder, as its recording keeps them.

    Raises UserError if there is none, or a value in it cannot be used.
    """
    if not named.is_dir():
        return read_given(named, flags)
    kept = read_facts(RunFolder(named)).cfg
    return read_given(None, flags, {**kept, "output_dir": str(named)})


def first_problem(error: ValidationError) -> str:
    """The first field that is wrong, and why."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "value_error":  # raised by us, with the name of the field
        return f"{where}.{first['ctx']['error']}".removeprefix(".")
    return f"{where or 'its content'}: {one_line(ValueError(first['msg']))}"
