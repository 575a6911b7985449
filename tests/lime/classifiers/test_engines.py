"""What computes a classifier: both engines say the same, the choice is told, a failure is none."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from huggin.common.errors import BadValue
from huggin.lime.classifiers import keras_classifier as engines
from huggin.lime.classifiers.keras_classifier import NotConverted
from huggin.lime.classifiers.networks import open_file
from huggin.lime.explanation import Request
from huggin.lime.pictures.explaining import deceive
from huggin.lime.pictures.reading import Picture
from huggin.lime.pictures.scene import make_scene
from huggin.lime.predictor import Predictor, Target
from tests.conftest import ROOT, command
from tests.lime.conftest import loaded, saved

pytestmark = pytest.mark.slow

MANY = 3_500_000  # weights
REQUEST = Request("hadamard", 33, 0, "probability", 4, "grid", "black")


@pytest.fixture
def has_openvino(monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda _: True)
    monkeypatch.setattr(engines.tf.config, "list_physical_devices", lambda _: [])


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """A small model with convolutions in three forms."""
    import keras
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("models")
    layers = [keras.Input((12, 12, 3)), keras.layers.Rescaling(1 / 255)]
    layers += [keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.Flatten()]
    model = keras.Sequential([*layers, keras.layers.Dense(3, activation="softmax")])
    model.export(folder / "folder", verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "folder"))
    (folder / "model.tflite").write_bytes(converter.convert())
    return {
        "keras": saved(model, folder),
        "folder": str(folder / "folder"),
        "tflite": str(folder / "model.tflite"),
    }


def scene_of(path, engine, segments=4):
    picture = np.random.default_rng(0).random((12, 12, 3), np.float32)
    classifier = loaded(path, pixels="byte", engine=engine)
    return make_scene(Picture("noise", picture), classifier, "grid", segments, "black")


def asked(scene, file):
    """The predictor of a scene, and its answers to 40 masks."""
    on = np.random.default_rng(1).random((40, scene.count)) < 0.5
    predictor = Predictor(scene, [Target("", 1), Target("", 2)], file)
    return predictor, predictor.predictions(on)


# Both engines


@pytest.mark.parametrize("kind", ["keras", "folder"])
def test_both_engines_say_the_same(kind, paths, tmp_path):
    pytest.importorskip("openvino")
    theirs = asked(scene_of(paths[kind], "tensorflow"), tmp_path / "a.npz")[1]
    predictor, ours = asked(scene_of(paths[kind], "openvino"), tmp_path / "b.npz")
    assert predictor.scene.classifier.engine == "openvino"
    assert np.abs(ours.sure - theirs.sure).max() < 1e-5
    assert np.abs(ours.rest - theirs.rest).max() < 1e-5
    assert (ours.best == theirs.best).all()


@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
def test_a_model_is_converted_as_it_is_loaded_and_only_once(engine, paths, tmp_path, monkeypatch):
    if engine == "openvino":
        pytest.importorskip("openvino")
    scene = scene_of(paths["keras"], engine)
    monkeypatch.setattr(type(scene.classifier), "_graph", lambda _: pytest.fail("again"))
    asked(scene, tmp_path / "a.npz")
    more = make_scene(Picture("", scene.picture), scene.classifier, "grid", 9, "grey")
    asked(more, tmp_path / "b.npz")


def test_no_engine_uses_the_answers_of_another(paths, monkeypatch):
    versions = {"tensorflow": "2", "openvino": "2"}
    monkeypatch.setattr(engines, "version", versions.__getitem__)
    monkeypatch.setattr(engines, "find_spec", lambda _: True)
    prints = {scene_of(paths["keras"], engine).classifier.fingerprint for engine in versions}
    versions["openvino"] = "3"
    prints.add(scene_of(paths["keras"], "openvino").classifier.fingerprint)
    assert len(prints) == 3


# The choice


@pytest.mark.usefixtures("has_openvino")
def test_a_large_model_takes_openvino(monkeypatch):
    monkeypatch.setattr(engines, "version", lambda _: "1")
    engine, fact = engines.chosen_engine(None, MANY)
    assert (engine, fact) == (
        "openvino",
        "engine: OpenVINO 1, as the model has at least 1,000,000 weights",
    )


@pytest.mark.usefixtures("has_openvino")
@pytest.mark.parametrize(
    ("weights", "there", "gpus", "why"),
    [
        (999_999, True, [], "as the model has fewer than 1,000,000 weights"),
        (0, True, [], "as it is not known how many weights the model has"),
        (MANY, None, [], "as OpenVINO is not installed"),
        (MANY, True, ["GPU:0"], "as it has a GPU"),
    ],
)
def test_otherwise_tensorflow_stays(weights, there, gpus, why, monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda _: there)
    monkeypatch.setattr(engines.tf.config, "list_physical_devices", lambda _: gpus)
    engine, fact = engines.chosen_engine(None, weights)
    assert engine == "tensorflow"
    assert fact.startswith("engine: TensorFlow ")
    assert fact.endswith(f", {why}")


def test_weights_are_counted_where_they_are_known(paths):
    known = 4 * (27 + 1) + 3 * (4 * 10 * 10 + 1)
    counted = [open_file(Path(path)).weights for path in paths.values()]
    assert counted == [known, known, 0]


def test_an_engine_that_is_not_installed_is_refused_with_the_way_to_it(monkeypatch, tmp_path):
    monkeypatch.setattr(engines, "find_spec", lambda _: None)
    done = command("lime.py", "--demo", "--engine", "openvino", cwd=tmp_path)
    assert done.returncode == 2
    assert "--engine openvino: is not installed; type: " in done.stderr
    assert done.stderr.endswith("-m pip install openvino\n")
    with pytest.raises(BadValue):
        engines.chosen_engine("openvino", 1)


# What OpenVINO cannot compute


def test_tensorflow_answers_where_openvino_cannot(paths, tmp_path, capsys):
    pytest.importorskip("openvino")
    predictor, ours = asked(scene_of(paths["tflite"], "openvino"), tmp_path / "a.npz")
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    why = "No conversion rule found for operations: PyFunc"
    assert f"as OpenVINO cannot compute it ({why})" in said[0]
    theirs = scene_of(paths["tflite"], "tensorflow")
    assert np.array_equal(ours.sure, asked(theirs, tmp_path / "b.npz")[1].sure)
    classifier = predictor.scene.classifier
    assert classifier.fingerprint == theirs.classifier.fingerprint
    [fact] = [fact for fact in classifier.facts if fact.startswith("engine: ")]
    assert said[0] == f"{classifier.name}: {fact.removeprefix('engine: ')}"
    keys = [np.load(tmp_path / name)["key"] for name in ("a.npz", "b.npz")]
    assert keys[0] == keys[1]


def test_answers_that_differ_are_not_used(paths, tmp_path, monkeypatch, capsys):
    pytest.importorskip("openvino")
    computed = engines._computed

    def beside(compiled):
        return lambda *inputs: computed(compiled)(*inputs) + np.float32(0.001)

    monkeypatch.setattr(engines, "_computed", beside)
    predictor, _ = asked(scene_of(paths["keras"], "openvino"), tmp_path / "a.npz")
    assert predictor.scene.classifier.engine == "tensorflow"
    assert "its answers to pictures of noise differ" in capsys.readouterr().err


def test_an_installation_that_is_broken_is_no_end(paths, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(engines, "find_spec", lambda _: True)
    monkeypatch.setattr(engines, "version", lambda _: "1")
    monkeypatch.setitem(sys.modules, "openvino", None)
    predictor, _ = asked(scene_of(paths["keras"], "openvino"), tmp_path / "a.npz")
    assert predictor.scene.classifier.engine == "tensorflow"
    assert "import of openvino halted" in capsys.readouterr().err


def test_several_rounds_try_to_convert_once(paths, tmp_path, monkeypatch, capsys):
    tried = []

    def converted(*_):
        tried.append(1)
        raise NotConverted("an operation")

    monkeypatch.setattr("huggin.lime.classifiers.keras_classifier.converted", converted)
    monkeypatch.setattr(engines, "find_spec", lambda _: True)
    monkeypatch.setattr(engines, "version", lambda _: "1")
    answers = iter(range(9))
    fresh = lambda _: Target("", next(answers) % 3)  # noqa: E731
    monkeypatch.setattr("huggin.lime.pictures.scene.Scene.first_answer", fresh)
    rounds = list(deceive(scene_of(paths["keras"], "openvino"), REQUEST, 3, tmp_path))
    assert (len(rounds), len(tried)) == (3, 1)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_ctrl_c_inside_of_openvino_is_no_failure(paths, tmp_path, monkeypatch):
    openvino = pytest.importorskip("openvino")

    def interrupted(_):
        raise RuntimeError("Converting input model\nKeyboardInterrupt: <EMPTY MESSAGE>\n")

    monkeypatch.setattr(openvino, "convert_model", interrupted)
    with pytest.raises(KeyboardInterrupt):
        asked(scene_of(paths["keras"], "openvino"), tmp_path / "a.npz")


# Telemetry

LISTENS = """
import sys
events = []
reach = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
sys.addaudithook(lambda name, args: events.append(name) if name in reach else None)
import numpy as np
from huggin.lime.classifiers.keras_classifier import converted
from huggin.lime.classifiers.keras_quietly import tf
double = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec([2], tf.float32)])
ones = np.ones(2, np.float32)
assert (converted(double, [ones], 2 * ones)(ones) == 2).all()
loaded = [name for name in sys.modules if "telemetry" in name and sys.modules[name]]
print(events, [name for name in loaded if name.startswith("openvino_telemetry")])
"""


@pytest.mark.slow
def test_openvino_reports_to_nobody(tmp_path):
    pytest.importorskip("openvino")
    unset = ("CI", "PYTHONSTARTUP")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    environment |= {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    line = [sys.executable, "-c", LISTENS]
    done = subprocess.run(line, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "[] []\n", done.stderr
    assert "openvino" not in done.stderr.lower()
    assert {path.name for path in tmp_path.iterdir()} <= {".cache", ".config", ".keras"}
