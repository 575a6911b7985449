"""wandb, offline, watching the head at every step: seconds of a step, and of that inside wandb."""

import os
import sys
import time
from pathlib import Path

sys.path.append(
    str(Path(__file__).resolve().parents[1])
)  # last: PyPI's lime goes before our lime.py
os.environ |= {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_DIR": str(Path.cwd())}

import wandb  # noqa: E402
from measure import serve  # noqa: E402
from training import Training  # noqa: E402
from wandb.integration.torch import wandb_torch  # noqa: E402

inside = 0.0
plain = wandb_torch.TorchHistory.log_tensor_stats


def timed(*args: object) -> None:
    """wandb's own, with a watch."""
    global inside
    begun = time.perf_counter()
    plain(*args)
    inside += time.perf_counter() - begun


def main() -> None:
    """CONFIG BATCH TOKENS; answers {"steps": n} with seconds of all steps, those inside wandb, bytes so far."""
    global inside
    config, batch, tokens = sys.argv[1:]
    training = Training(Path(config) if config != "base" else None, int(batch), int(tokens))
    run = wandb.init(project="bench")
    wandb_torch.TorchHistory.log_tensor_stats = timed
    run.watch(training.head, log="all", log_freq=1)

    def steps(steps: int) -> dict[str, float]:
        global inside
        inside, begun = 0.0, time.perf_counter()
        for _ in range(steps):
            loss, _norm = training.step()
            logged = time.perf_counter()
            run.log({"loss": loss.item()})
            inside += time.perf_counter() - logged
        whole = time.perf_counter() - begun
        size = sum(path.stat().st_size for path in Path.cwd().rglob("*.wandb"))
        return {"seconds": whole, "inside": inside, "bytes": size}

    serve(steps)
    run.finish()


if __name__ == "__main__":
    main()
