"""How much track-trainer.py slows a training down.

    python bench/tracking.py --quick

The 60 facts are trained in this process, as in cfg-facts.json, and looked at as often as the
command allows. How long each look takes is measured in the training, where stacks are deep and
caches are cold; from that the cost of the default interval is computed, which is far below the
noise of steps.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import run_qa  # noqa: E402
from bench.measure import Spread, last_line, parser_of, row, spread  # noqa: E402
from huggin.tracking.watch import Looks  # noqa: E402

DEFAULT = 0.25  # seconds between looks
SHORTEST = 0.01


class TimedLooks(Looks):
    """Looks that note how many milliseconds each one has taken."""

    def __init__(self, interval: float, seed: int) -> None:
        super().__init__(interval, seed)
        self.milliseconds: list[float] = []

    def _look(self, number: int, frame: FrameType | None) -> None:
        begun = time.perf_counter()
        super()._look(number, frame)
        self.milliseconds.append(1000 * (time.perf_counter() - begun))


def main(argv: Sequence[str] | None = None) -> int:
    """Print what a look takes; from that, the cost of the default interval."""
    quick = parser_of(__doc__).parse_args(argv).quick
    rounds = []
    for number in range(2 if quick else 10):
        with tempfile.TemporaryDirectory() as folder:
            words = [str(ROOT / "cfg-facts.json"), "--max_steps", "100", "--output_dir", folder]
            with redirect_stdout(sys.stderr), TimedLooks(SHORTEST, number) as looks:
                run_qa.main(words)
        rounds.append(sum(looks.milliseconds) / len(looks.milliseconds))
    look = spread(rounds)
    default = Spread(*(1 + one / 1000 / DEFAULT for one in (look.median, look.low, look.high)))
    row("a look, mean of a training", look, "ms")
    row(f"so a step, looked at every {DEFAULT} s, by a step alone", default, most=1.02)
    last_line("tracking", default)
    return 0


if __name__ == "__main__":
    sys.exit(main())
