"""What samples say: shares with intervals, call sequences in call order, a flame graph."""

import re
from xml.etree import ElementTree

from huggin.tracking.report import flame_svg, report
from huggin.tracking.samples import Ending, Frame

MAIN = Frame("run_qa.py", 177, "<module>")
STEP = Frame("transformers/trainer.py", 2126, "Trainer.training_step")
LOSS = Frame("transformers/trainer.py", 2172, "Trainer.compute_loss")
CALL = Frame("torch/nn/modules/module.py", 1778, "Module._call_impl")
FORWARD = Frame("torch/nn/modules/linear.py", 134, "Linear.forward")
SAMPLES = [(MAIN, STEP, LOSS, CALL, FORWARD)] * 12 + [(MAIN, STEP)] * 6 + [(MAIN,)] * 2


def test_shares_and_sequences():
    text = report(SAMPLES, Ending(0, 15.0, 9.5, 3, ""))
    assert text.startswith("20 samples in 9.5 s, of 15.0 s (3 looks found no whole stack)")
    shares = re.findall(r"^ *([\d.]+) % +([\d.]+) to +([\d.]+) % +(\d+)  (.+)$", text, re.MULTILINE)
    assert [share[0] for share in shares] == ["60.0", "30.0", "10.0"]
    assert shares[0][1:] == ("38.7", "78.1", "12", "compute_loss")
    assert shares[2][4].startswith("(outside the Trainer")
    first = text.split("12 samples\n")[1].split("\n\n")[0]
    assert first.splitlines() == [
        "  transformers/trainer.py:2172    Trainer.compute_loss",
        "  torch/nn/modules/linear.py:134  Linear.forward",
    ]


def test_no_samples():
    assert report([], Ending(2, 1.5, 1.5, 0, "")) == "no samples in 1.5 s"


def test_a_flame_graphs_bars_are_as_wide_as_their_shares():
    hostile = Frame("a&b.py", 1, "<lambda> \"'")
    picture = ElementTree.fromstring(flame_svg([*SAMPLES, *[(MAIN, hostile)] * 20]))
    bars = {}
    for group in picture.iter("{http://www.w3.org/2000/svg}g"):
        title, rectangle, _ = list(group)
        bars[title.text.partition(" (")[0]] = {
            name: float(rectangle.get(name)) for name in ("x", "y", "width")
        }
    assert set(bars) == {
        "<module>",
        "<lambda> \"'",
        STEP.function,
        LOSS.function,
        CALL.function,
        FORWARD.function,
    }
    assert bars[STEP.function]["width"] / bars["<module>"]["width"] == 18 / 40
    assert bars[LOSS.function]["width"] / bars["<module>"]["width"] == 12 / 40
    assert (
        bars["<module>"]["y"]
        < bars[STEP.function]["y"]
        < bars[LOSS.function]["y"]
        < bars[FORWARD.function]["y"]
    )
    for inner in (LOSS, FORWARD):
        left = bars[STEP.function]["x"]
        assert left <= bars[inner.function]["x"] <= left + bars[STEP.function]["width"]
