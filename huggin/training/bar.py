"""What a training says while it runs: a bar on a terminal, lines of losses, when it will end."""

import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tqdm import tqdm
from transformers import TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ProgressCallback

from huggin.common.progress import progress

WARM_UP = 20  # steps before the first estimate

Clock = Callable[[], float]


class TrainingBar(ProgressCallback):
    """The Trainer's bars, and lines in the place of its printed dictionaries.

    The bar of a resumed training begins where the training goes on, so its estimate is true.
    Lines go to stdout, bars to stderr; a log file gets no bar.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._first_step = 0
        self._began = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Open the bar at the step where the training goes on."""
        self._first_step = self.current_step = state.global_step
        self._began = self._clock()
        if state.is_world_process_zero:
            self.training_bar = progress(
                label="training",
                unit="steps",
                total=state.max_steps,
                initial=state.global_step,
                delay=0,
                leave=True,
                hidden=args.disable_tqdm,
            )

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move the bar on; after the first steps say when the training will end."""
        super().on_step_end(args, state, control, **kwargs)
        if self.training_bar is not None and state.global_step - self._first_step == WARM_UP:
            seconds = self.seconds_left(state)
            end = datetime.now().astimezone() + timedelta(seconds=seconds)
            self._say(f"about {duration(seconds)} left, until {end:%a %H:%M}")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Print a line of what the Trainer logs: losses on the way, EM and F1 where measured."""
        if self.training_bar is None:
            return
        line = line_of(logs or {}, state)
        if line:
            seconds = self.seconds_left(state)
            left = f"  {duration(seconds)} left" if seconds >= 1 else ""
            self._say(line + left)

    def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Move a second bar on while the model is evaluated."""
        if not args.disable_tqdm:
            super().on_prediction_step(args, state, control, **kwargs)

    def seconds_left(self, state: TrainerState) -> float:
        """Until the last step, at the mean speed since this start."""
        steps = state.global_step - self._first_step
        if steps == 0:
            return 0.0
        return (state.max_steps - state.global_step) * (self._clock() - self._began) / steps

    def _say(self, text: str) -> None:
        tqdm.write(text, file=sys.stdout)
        sys.stdout.flush()


def line_of(logs: dict[str, Any], state: TrainerState) -> str:
    """A log of the Trainer as a line; "" for one that says nothing about a step."""
    step = f"step {state.global_step:,} of {state.max_steps:,}"
    if "loss" in logs:
        rate = logs.get("learning_rate", float("nan"))
        return f"{step}  mean loss {logs['loss']:.3f}  learning rate {rate:.2e}"
    if "eval_f1" in logs:
        scores = f"EM {logs['eval_exact_match']:.1f} %  F1 {logs['eval_f1']:.1f} %"
        return f"{step}  {scores}  validation loss {logs['eval_loss']:.3f}"
    return ""


def duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 12 min, 7 h 30 min, 2 d 3 h."""
    minutes = round(seconds / 60)
    hours, minutes_left = divmod(minutes, 60)
    days, hours_left = divmod(hours, 24)
    if seconds < 100:
        return f"{round(seconds)} s"
    if hours == 0:
        return f"{minutes} min"
    if days == 0:
        return f"{hours} h {minutes_left} min"
    return f"{days} d {hours_left} h"
