"""Fine-tune a model for question answering: cfg.json -> RUN, its folder.

python run_qa.py cfg.json
python run_qa.py cfg.json --num_train_epochs 3
"""  # huggin: train 20

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from huggin.common.cli import CommandParser, called, run_command
from huggin.common.errors import UserError
from huggin.common.streams import lasting_output, output_is_lost, warn
from huggin.qa.arguments import describe_keys
from huggin.recording.run_folder import RunFolder, locked
from huggin.training.notify import notifying

OUTPUT_LOST = 141  # as of a process that SIGPIPE ends; everything is saved

DESCRIPTION = f"""Fine-tune a model for question answering, or resume where a start stopped.

Any key of cfg.json can also be given as --key value, which wins. The toolkit's own keys:
{describe_keys()}
and the keys of Hugging Face's TrainingArguments: num_train_epochs, learning_rate, seed, ...;
docs/data-and-models.md has a table of them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Train, or go on training; then evaluate if do_eval is set."""
    cfg, flags = read_command_line(sys.argv[1:] if argv is None else argv)
    from huggin.qa.given import read_given
    from huggin.training.standing import nothing_to_do

    given = read_given(cfg, flags)
    run = RunFolder(given.output_dir)
    if not given.trains and run.holds_a_run():
        what = "holds a trained run, whose scores an evaluation would replace"
        raise UserError(f"{run.path}: {what}; name another output_dir")
    if said := nothing_to_do(given, run):
        with notifying(given.recording.notify, str(run.path)):
            print(said)
        return 0
    warn(f"{called('run_qa.py')}: starting with {cfg or 'flags'}; loading the libraries")
    from huggin.qa.questions import questions_of

    questions = questions_of(given)
    from trainer_qa import SafeStop, for_training, train_and_evaluate

    stop = SafeStop(given.recording.save_minutes)
    stop.install()
    config = for_training(given)
    told = config.recording.notify if config.on_main_process else None
    with ExitStack() as around:
        around.enter_context(lasting_output())
        ending = around.enter_context(notifying(told, str(run.path)))
        if config.on_main_process:
            around.enter_context(locked(run))
        ending.code = train_and_evaluate(config, run, stop, questions) or code_of_output(run)
    return ending.code


def code_of_output(run: RunFolder) -> int:
    """0, or 141 if somebody has stopped reading stdout or stderr: never 0 for what was not seen."""
    sys.stdout.flush()
    if not output_is_lost():
        return 0
    warn(f"{run.path}: nobody reads the output any more; everything is saved")
    return OUTPUT_LOST


def read_command_line(words: Sequence[str]) -> tuple[Path | None, list[str]]:
    """The cfg, if one is given, and the flags after it."""
    parser = CommandParser(DESCRIPTION, "python run_qa.py cfg.json --seed 7")
    parser.add_argument("cfg", metavar="CFG", nargs="?", type=Path, help="a JSON file of keys")
    own = ("--help", "--version")
    is_flag = [word.startswith("--") and word not in own for word in words]
    first_flag = is_flag.index(True) if True in is_flag else len(words)
    cfg = parser.parse_args(words[:first_flag]).cfg
    if not words:
        parser.error("no CFG and no flags")
    return cfg, list(words[first_flag:])


if __name__ == "__main__":
    run_command(main)
