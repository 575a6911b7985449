"""Files of questions, or a data set on the Hub -> records, each checked before anything starts.

What a record is stands in `huggin/qa/records.py`.
"""

from pathlib import Path

from datasets import Dataset, Features, List, Value

from huggin.common.errors import UserError
from huggin.common.progress import progress
from huggin.qa.arguments import DataArguments
from huggin.qa.given import Keys
from huggin.qa.records import (
    HELP,
    load_from_hub,
    normalised_all,
    place_in,
    read_records,
    wrong_with,
)

TEXT = Value("string")
ANSWERS = {"text": List(TEXT), "answer_start": List(Value("int64"))}
FEATURES = Features(id=TEXT, title=TEXT, context=TEXT, question=TEXT, answers=ANSWERS)


def load_questions(data: DataArguments, split: str, cache_dir: str | None = None) -> Dataset:
    """The records of `train` or `validation`, from a file or from the Hub.

    Raises UserError for data that cannot be read, for no records at all, and for wrong records: the
    first one by its position and id, and how many more there are.
    """
    file = data.train_file if split == "train" else data.validation_file
    where = file or f"{data.dataset_name} ({split})"
    if not (file or data.dataset_name):
        raise UserError(f"no {split} questions are known; name a file, or ask one of your own")
    loaded = None
    if file:
        records = list(read_records(Path(file)))
    else:
        loaded = load_from_hub(data, split, cache_dir)
        numbered = ((f"record {number}", row) for number, row in enumerate(loaded, start=1))
        records = normalised_all(numbered, where)
    if not records:
        raise UserError(f"{where}: no questions in it; {HELP}")
    bar = progress(records, label="checking questions", unit="questions")
    wrong = [
        f"{place_in(where, number)} (id {record['id']!r}): {problem}"
        for number, record in enumerate(bar, start=1)
        if (problem := wrong_with(record, data.version_2_with_negative))
    ]
    if wrong:
        more = f" (and {len(wrong) - 1} more wrong records)" if len(wrong) > 1 else ""
        raise UserError(f"{where}: {wrong[0]}{more}")
    # The features of a data set that is taken as it is are kept on disk from one start to the next.
    questions = loaded
    if questions is None or questions.to_list() != records:
        columns = {name: [record[name] for record in records] for name in FEATURES}
        questions = Dataset.from_dict(columns, features=FEATURES)
    limit = data.max_train_samples if split == "train" else data.max_eval_samples
    return questions.select(range(min(limit, len(questions)))) if limit else questions


def questions_of(keys: Keys) -> dict[str, Dataset]:
    """The questions of each split that a start needs, by its name. Raises as `load_questions`."""
    tracks = keys.recording.probe_data == "validation"
    wanted = {"train": keys.trains, "validation": keys.evaluates or tracks}
    cache_dir = keys.model.cache_dir
    questions = {
        split: load_questions(keys.data, split, cache_dir) for split in wanted if wanted[split]
    }
    left_out, last = keys.data.leave_out, len(questions.get("train", ())) - 1
    if left_out is not None and left_out > last:
        keys.refuse([f"leave_out: {left_out} is no question of the data, which has 0 to {last}"])
    return questions


def default_split(data: DataArguments) -> str:
    """`validation` if the data has such questions, else `train`."""
    return "validation" if data.dataset_name or data.validation_file else "train"


def shared_questions(records: Dataset | None, others: Dataset | None) -> set[int]:
    """The indices of the records whose question and context are among those of `others`."""
    if records is None or others is None:
        return set()
    other_pairs = set(zip(others["question"][:], others["context"][:], strict=True))
    pairs = zip(records["question"][:], records["context"][:], strict=True)
    return {index for index, pair in enumerate(pairs) if pair in other_pairs}
