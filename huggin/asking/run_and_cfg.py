"""A run, and a cfg named beside it -> what the run was trained with, and which questions are asked.

The recording says what the run is, and the cfg what is asked of it.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from datasets import Dataset

from huggin.common.streams import warn
from huggin.qa.arguments import DataArguments
from huggin.qa.given import Keys, arguments_of
from huggin.qa.questions import default_split, load_questions, shared_questions
from huggin.recording.run_facts import TEXTS, hash_of_texts, read_facts
from huggin.recording.run_folder import RunFolder

ASKED = {"dataset_name", "dataset_config_name", "validation_file", "max_eval_samples"}


@dataclass(frozen=True)
class TrainedWith:
    """What a run was trained with."""

    data_name: str
    pretrained: bool
    data: DataArguments  # the training data, and the settings of windows and answers
    knows_data: bool  # whether `data` names the training data
    texts: str | None = None  # the hash of its questions; None if that was not kept

    @classmethod
    def of(cls, run: RunFolder, config: Keys) -> Self:
        """What run.json says; one line names what the cfg says otherwise. Without it: the cfg.

        Raises UserError for a run.json that cannot be read.
        """
        if not run.facts.is_file():
            return cls(config.data_name, config.model.pretrained_model, config.data, config.trains)
        facts = read_facts(run)
        # A loop of the user's own keeps no cfg: then the one beside it says how windows are cut.
        model, data = arguments_of(facts.cfg or config.given)
        model.pretrained_model = facts.pretrained
        data.n_best_size, data.max_answer_length = facts.n_best_size, facts.max_answer_length
        other = vars(config.model) | vars(config.data)
        pairs = {
            key: (_last_part(value), _last_part(other[key]))
            for key, value in (vars(model) | vars(data)).items()
            if key in config.given.keys() - ASKED - {"cache_dir"}
        }
        different = [f"{key} {own} (cfg: {cfg})" for key, (own, cfg) in pairs.items() if own != cfg]
        if different:
            what = f"{run.path}: trained with {', '.join(different)}"
            warn(f"{what}; the cfg's values are not used")
        return cls(facts.data_name, facts.pretrained, data, bool(facts.cfg), facts.fixed.get(TEXTS))

    def data_asked(self, config: Keys, split: str | None) -> tuple[str, DataArguments]:
        """The split, and its data: the cfg names the validation questions, if it names any."""
        asked = self.data
        if config.data.validation_file or config.data.dataset_name:
            asked = replace(asked, **{key: getattr(config.data, key) for key in ASKED})
        split = split or default_split(asked)
        return split, self.data if split == "train" else asked

    def trained_on(self, records: Dataset, split: str, cache_dir: str | None) -> set[int]:
        """The indices of the records that the model was trained on; a line says if it is unknown.

        The training split of a data set on the Hub is not read for this: its validation split
        counts as apart from it.
        """
        file = self.data.train_file
        if not self.knows_data or (file and not Path(file).is_file()):
            what = f"the training data, {self.data_name}, is not here"
            warn(f"{what}; so no score says which questions are from it")
            return set()
        trained = records if split == "train" else None
        if file and trained is None:
            trained = load_questions(self.data, "train", cache_dir)
        if trained and self.texts not in (None, hash_of_texts(trained)):
            what = f"the training data, {self.data_name}, has changed since the training"
            warn(f"{what}; so no score says which questions are from it")
            return set()
        return shared_questions(records, trained)


def _last_part(value: object) -> object:
    """Of a path its last part, as the same file may be named in two ways; else the value."""
    return Path(value).name if isinstance(value, str) else value
