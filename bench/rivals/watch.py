"""wandb, offline, watching the head at every step: seconds per step, and of that inside wandb.

Arguments: CONFIG BATCH TOKENS, where CONFIG may be `base`. A request is {"steps": n}.
"""

import os
import sys
import time
from pathlib import Path

# Last on the path, because PyPI's lime must go before our lime.py
sys.path.append(str(Path(__file__).resolve().parents[1]))
os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_DIR": str(Path.cwd())}

import wandb  # noqa: E402
from measure import serve  # noqa: E402
from one_step import Training  # noqa: E402
from wandb.integration.torch import wandb_torch  # noqa: E402


class Stopwatch:
    """Adds up the seconds inside wandb."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._log_tensor_stats = wandb_torch.TorchHistory.log_tensor_stats

    def __enter__(self) -> None:
        self._begun = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._begun

    def log_tensor_stats(self, *args: object) -> None:
        """wandb's function of this name, timed."""
        with self:
            self._log_tensor_stats(*args)


def main() -> None:
    """Train; answer requests with the seconds of all steps, those in wandb, and bytes so far."""
    config, batch, tokens = sys.argv[1:]
    training = Training(None if config == "base" else Path(config), int(batch), int(tokens))
    run = wandb.init(project="bench")
    inside = Stopwatch()
    wandb_torch.TorchHistory.log_tensor_stats = lambda *args: inside.log_tensor_stats(*args)
    run.watch(training.head, log="all", log_freq=1)

    def train(steps: int) -> dict[str, float]:
        inside.seconds = 0.0
        begun = time.perf_counter()
        for _ in range(steps):
            loss, _norm = training.step()
            with inside:
                run.log({"loss": loss.item()})
        whole = time.perf_counter() - begun
        size = sum(path.stat().st_size for path in Path.cwd().rglob("*.wandb"))
        return {"seconds": whole, "inside": inside.seconds, "bytes": size}

    serve(train)
    run.finish()


if __name__ == "__main__":
    main()
