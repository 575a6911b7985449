"""What samples say: shares with intervals, call sequences in call order, a flame graph."""

import json
import re
from xml.etree import ElementTree

from huggin.tracking.report import flame_svg, report, speedscope
from huggin.tracking.watch import Frame

MAIN = Frame("run_qa.py", 177, "<module>")
STEP = Frame("transformers/trainer.py", 2126, "Trainer.training_step")
LOSS = Frame("transformers/trainer.py", 2172, "Trainer.compute_loss")
CALL = Frame("torch/nn/modules/module.py", 1778, "Module._call_impl")
FORWARD = Frame("torch/nn/modules/linear.py", 134, "Linear.forward")
SAMPLES = [(MAIN, STEP, LOSS, CALL, FORWARD)] * 12 + [(MAIN, STEP)] * 6 + [(MAIN,)] * 2


def test_shares_and_sequences():
    text = report(SAMPLES, 15.0)
    assert text.startswith("20 samples of 15.0 s;")
    shares = re.findall(r"^ *([\d.]+) % +([\d.]+) to +([\d.]+) % +(\d+)  (.+)$", text, re.MULTILINE)
    assert [share[0] for share in shares] == ["60.0", "30.0", "10.0"]
    assert shares[0][1:] == ("38.7", "78.1", "12", "compute_loss")
    assert shares[2][4].startswith("(outside the Trainer")
    first = text.split("12 samples\n")[1].split("\n\n")[0]
    assert first.splitlines() == [
        "  transformers/trainer.py:2172    Trainer.compute_loss",
        "  torch/nn/modules/linear.py:134  Linear.forward",
    ]


def test_call_sequences_are_those_within_the_trainer():
    imports = [(MAIN, Frame("torch/__init__.py", line, "<module>")) for line in range(5)] * 9
    text = report([*SAMPLES, *imports], 15.0)
    assert re.findall(r"^ *([\d.]+) %  (\d+) samples$", text, re.MULTILINE) == [
        ("18.5", "12"),
        ("9.2", "6"),
    ]
    assert "call sequences" not in report(imports, 15.0)


def test_no_control_characters():
    hostile = Frame("a\x1b[2J.py", 1, "f\x07")
    texts = (report([(hostile,)], 1.0), flame_svg([(hostile,)]))
    for text in texts:
        assert "\x1b" not in text
        assert "\x07" not in text
    ElementTree.fromstring(texts[1])  # XML has no control characters


def test_speedscope_has_each_frame_once_and_the_samples_in_their_order():
    seen = json.loads(speedscope([(MAIN, STEP), (MAIN,), (MAIN, STEP, LOSS)]))
    assert [frame["line"] for frame in seen["shared"]["frames"]] == [177, 2126, 2172]
    (profile,) = seen["profiles"]
    assert profile["samples"] == [[0, 1], [0], [0, 1, 2]]
    assert profile["endValue"] == len(profile["weights"]) == 3


def test_a_flame_graphs_bars_are_as_wide_as_their_shares():
    hostile = Frame("a&b.py", 1, "<lambda> \"'")
    picture = ElementTree.fromstring(flame_svg([*SAMPLES, *[(MAIN, hostile)] * 20]))
    bars = {}
    for group in picture.iter("{http://www.w3.org/2000/svg}g"):
        title, rectangle, _ = list(group)
        name = title.text.partition(" (")[0]
        bars[name] = {key: float(rectangle.get(key)) for key in ("x", "y", "width")}
    called = ["<module>", STEP.function, LOSS.function, CALL.function, FORWARD.function]
    assert set(bars) == {*called, hostile.function}
    assert bars[STEP.function]["width"] / bars["<module>"]["width"] == 18 / 40
    assert bars[LOSS.function]["width"] / bars["<module>"]["width"] == 12 / 40
    heights = [bars[function]["y"] for function in called]
    assert heights == sorted(set(heights))
    for inner in (LOSS, FORWARD):
        left = bars[STEP.function]["x"]
        assert left <= bars[inner.function]["x"] <= left + bars[STEP.function]["width"]
