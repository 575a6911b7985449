"""Models as people have them: each is explained rightly, or refused in one line with a way out."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from huggin.common.errors import UserError
from huggin.lime.classifiers.keras_models import Unclear
from huggin.lime.classifiers.keras_quietly import keras, tf
from huggin.lime.classifiers.labels import class_of, imagenet_names
from huggin.lime.pictures.reading import Picture
from huggin.lime.pictures.scene import make_scene
from huggin.lime.predictor import Predictor, Target
from tests.conftest import ROOT
from tests.lime.conftest import loaded, saved

pytestmark = pytest.mark.slow

LAYERS = keras.layers
PICTURE = np.random.default_rng(0).random((12, 12, 3), np.float32)
WEIGHTS = np.array([[1, -1], [2, 0], [-3, 1]], np.float32)


def small(channels: int = 3, size: int | None = 12):
    """A model of pictures in bytes: softmax(means @ WEIGHTS), of the first channels."""
    inputs = keras.Input((size, size, channels), name="picture")
    means = LAYERS.GlobalAveragePooling2D()(LAYERS.Rescaling(1 / 255)(inputs))
    dense = LAYERS.Dense(2, activation="softmax", name="answer")
    outputs = dense(means)
    dense.set_weights([WEIGHTS[:channels], np.zeros(2, np.float32)])
    return keras.Model(inputs, outputs)


def expected(picture=PICTURE):
    logits = picture.reshape(-1, picture.shape[-1]).mean(axis=0) @ WEIGHTS[: picture.shape[-1]]
    return np.exp(logits) / np.exp(logits).sum()


def assert_explained(classifier, tmp_path, answer=None):
    """The full picture and masked ones are answered as they should be."""
    wanted = expected() if answer is None else answer
    assert np.allclose(classifier.predict(PICTURE), wanted, atol=0.005)
    scene = make_scene(Picture("a.png", PICTURE), classifier, "grid", 4, "black")
    predictor = Predictor(scene, [Target("a", 1)], tmp_path / "predictions.npz")
    on = np.array([[True] * 4, [False] * 4, [True, False, False, False]])
    found = predictor.predictions(on).sure[:, 0]
    assert found[0] == pytest.approx(wanted[1], abs=0.005)
    assert found[1] == pytest.approx(0.5, abs=0.01)  # black gives logits of 0
    assert found[2] not in found[:2]


# Forms that are read


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_files_of_keras(name, tmp_path):
    classifier = loaded(saved(small(), tmp_path, name))
    assert_explained(classifier, tmp_path)
    assert "read from its first operations (Rescaling)" in classifier.facts[0]


def test_a_folder_of_tensorflow(tmp_path):
    small().export(tmp_path / "saved", verbose=False)
    with pytest.raises(Unclear, match="do not say which pixels"):
        loaded(str(tmp_path / "saved"))
    assert_explained(loaded(str(tmp_path / "saved"), pixels="byte"), tmp_path)


def tflite(tmp_path, quantised: bool) -> str:
    small().export(tmp_path / "saved", verbose=False)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"))
    if quantised:
        pictures = np.random.default_rng(1).random((50, 1, 12, 12, 3), np.float32) * 255
        pictures[0, :, :6] = 0
        pictures[0, :, 6:] = 255
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([picture] for picture in pictures)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.uint8
    (tmp_path / "model.tflite").write_bytes(converter.convert())
    return str(tmp_path / "model.tflite")


def test_a_tflite_file(tmp_path):
    path = tflite(tmp_path, quantised=False)
    assert_explained(loaded(path, pixels="byte"), tmp_path)


def test_a_quantised_tflite_file_says_its_pixels(tmp_path):
    classifier = loaded(tflite(tmp_path, quantised=True))
    assert "pixels: 0 to 255, all that its input can hold" in classifier.facts
    assert np.allclose(classifier.predict(PICTURE), expected(), atol=0.02)


class OfIntegers(tf.Module):
    """sigmoid(mean red of a picture in bytes / 255 - 0.5), of pictures of integers."""

    def __init__(self, batch: int | None = None):
        super().__init__()
        self.one = tf.Variable(1 / 255)
        spec = tf.TensorSpec([batch, 12, 12, 3], tf.uint8)
        self.answer = tf.function(self.probabilities, input_signature=[spec])
        self.other = tf.function(lambda pictures: 1 - self.probabilities(pictures), [spec])

    def probabilities(self, pictures):
        red = tf.reduce_mean(tf.cast(pictures, tf.float32)[..., :1], axis=(1, 2))
        second = tf.sigmoid(red * self.one - 0.5)
        return tf.concat([1 - second, second], axis=1)


def of_integers(tmp_path, form: str) -> str:
    path = str(tmp_path / form)
    if form == "model.keras":
        inputs = keras.Input((12, 12, 3), dtype="uint8")
        scaled = LAYERS.Rescaling(1 / 255)(keras.ops.cast(inputs, "float32"))
        red = LAYERS.GlobalAveragePooling2D()(scaled)[:, :1]
        second = keras.ops.sigmoid(red - 0.5)
        keras.Model(inputs, keras.ops.concatenate([1 - second, second], axis=1)).save(path)
        return path
    module = OfIntegers()
    if form == "folder":
        tf.saved_model.save(module, path, signatures=module.answer)
        return path
    concrete = OfIntegers(batch=1).answer.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
    (tmp_path / form).write_bytes(converter.convert())
    return path


@pytest.mark.parametrize("form", ["folder", "model.tflite", "model.keras"])
def test_pixels_of_integers_are_bytes(form, tmp_path):
    """Cut off instead of rounded, numbers from 0 to 1 would all be 0: a constant classifier."""
    path = of_integers(tmp_path, form)
    classifier = loaded(path)
    red = np.round(PICTURE[..., 0] * 255).mean() / 255
    assert classifier.predict(PICTURE)[1] == pytest.approx(1 / (1 + np.exp(0.5 - red)), abs=1e-6)
    for wrong in ("unit", "signed"):
        with pytest.raises(UserError, match=f"pixels {wrong}: .* takes 0 to 255"):
            loaded(path, pixels=wrong)


def test_a_folder_of_a_fixed_batch_or_of_several_signatures_is_refused(tmp_path):
    fixed = OfIntegers(batch=1)
    tf.saved_model.save(fixed, str(tmp_path / "fixed"), signatures=fixed.answer)
    with pytest.raises(UserError, match="takes 1 picture at a time"):
        loaded(str(tmp_path / "fixed"))
    both = OfIntegers()
    tf.saved_model.save(both, str(tmp_path / "two"), {"left": both.answer, "right": both.other})
    with pytest.raises(UserError, match="has the signatures left, right"):
        loaded(str(tmp_path / "two"))


def test_one_channel_is_given_grey(tmp_path):
    classifier = loaded(saved(small(channels=1), tmp_path))
    grey = (PICTURE @ np.array([0.299, 0.587, 0.114], np.float32))[..., None]
    assert_explained(classifier, tmp_path, expected(grey))
    assert "pixels: 0 to 255, in grey" in classifier.facts[0]


def test_any_size_is_224_or_as_chosen(tmp_path):
    path = saved(small(size=None), tmp_path)
    assert loaded(path).size == (224, 224)
    assert "size: 224 x 224, as the model takes any" in loaded(path).facts[0]
    classifier = loaded(path, size=(12, 12))
    assert classifier.size == (12, 12)
    assert_explained(classifier, tmp_path)
    with pytest.raises(UserError, match="size 9x9: .* takes 12 x 12"):
        loaded(saved(small(), tmp_path), size=(9, 9))


def several(as_dictionary: bool):
    """A model with a second output that is no classifier's."""
    model = small()
    second = LAYERS.Dense(3, name="other", activation="sigmoid")(model.layers[-2].output)
    outputs = {"answer": model.output, "other": second} if as_dictionary else [model.output, second]
    return keras.Model({"picture": model.input} if as_dictionary else model.input, outputs)


@pytest.mark.parametrize(("as_dictionary", "name"), [(True, "answer"), (False, "0")])
def test_one_of_several_outputs_is_chosen(as_dictionary, name, tmp_path):
    path = saved(several(as_dictionary), tmp_path)
    with pytest.raises(Unclear, match=r"has outputs .* \(1, 2\), .* \(1, 3\); choose output"):
        loaded(path)
    with pytest.raises(Unclear, match="choose output"):
        loaded(path, output="ravens")
    classifier = loaded(path, output=name)
    assert_explained(classifier, tmp_path)
    assert classifier.ending == "softmax"
    other = loaded(path, output="other" if as_dictionary else "1")
    assert (other.ending, len(other.names)) == ("sigmoid", 3)
    assert other.fingerprint != classifier.fingerprint
    with pytest.raises(UserError, match="output a: .* has one output only"):
        loaded(saved(small(), tmp_path), output="a")


def test_keras_2_files(tmp_path):
    """As Keras 2 wrote them: other keys, no module names."""
    path = saved(small(), tmp_path, "model.h5")
    with h5py.File(path, "a") as file:
        text = file.attrs["model_config"]
        assert '"batch_shape"' in text
        file.attrs["model_config"] = text.replace('"batch_shape"', '"batch_input_shape"')
        file.attrs["keras_version"] = "2.12.0"
    assert_explained(loaded(path), tmp_path)


# What is refused, with a way out


def pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")


def torch_file(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model/data.pkl", b"")


def hdf5(path: Path) -> None:
    Path(saved(small(), path.parent, "other.h5")).rename(path)


def keras_zip(path: Path) -> None:
    Path(saved(small(), path.parent, "other.keras")).rename(path)


def unzipped(path: Path) -> None:
    with zipfile.ZipFile(saved(small(), path.parent, "other.keras")) as file:
        file.extractall(path)


def weights(path: Path) -> None:
    small().save_weights(path)


def lambda_layer(path: Path) -> None:
    inputs = keras.Input((12, 12, 3))
    bent = LAYERS.Lambda(lambda values: values / 255)(inputs)
    outputs = LAYERS.Dense(2, activation="softmax")(LAYERS.Flatten()(bent))
    keras.Model(inputs, outputs).save(path)


def arithmetic(path: Path) -> None:
    inputs = keras.Input((12, 12, 3))
    outputs = LAYERS.Dense(2, activation="softmax")(LAYERS.Flatten()(inputs / 255))
    keras.Model(inputs, outputs).save(path)


def keras_2_arithmetic(path: Path) -> None:
    """An operation under the name that Keras 2 gave to all of them."""
    arithmetic(path)
    with h5py.File(path, "r+") as file:
        config = json.dumps(json.loads(file.attrs["model_config"]))
        file.attrs["model_config"] = config.replace("TrueDivide", "TFOpLambda")


def own_class(path: Path) -> None:
    class Ravens(LAYERS.Layer):
        def call(self, values):
            return values

    inputs = keras.Input((12, 12, 3))
    outputs = LAYERS.Dense(2, activation="softmax")(LAYERS.Flatten()(Ravens()(inputs)))
    keras.Model(inputs, outputs).save(path)


REFUSED = {
    "model.keras": (pointer, "a Git LFS pointer, not the model itself; run: git lfs pull"),
    "model.pt": (torch_file, "a PyTorch file, .* explain its predictions from Python"),
    "model.pth": (lambda path: path.write_bytes(b"\x80\x02ravens"), "a PyTorch file"),
    "model.onnx": (lambda path: path.write_bytes(b"\x08\x07ravens"), "an ONNX model, .*onnx2tf"),
    "model.pkl": (lambda path: path.write_bytes(b"\x80\x04"), "a pickle, which can run any code"),
    "hdf5.keras": (hdf5, "an HDF5 file with another ending; rename it to end with .h5"),
    "zip.h5": (keras_zip, "a .keras file with another ending; rename it to end with .keras"),
    "unzipped.keras": (unzipped, "an unzipped .keras file; zip its files again: python -m zipfile"),
    "folder": (lambda path: path.mkdir(), "a folder without a model"),
    "a.weights.h5": (weights, "weights without a model; give the whole model"),
    "lambda.keras": (lambda_layer, "has a Lambda layer: .* put a layer such as Rescaling"),
    "lambda.h5": (lambda_layer, "has a Lambda layer"),
    "arithmetic.h5": (arithmetic, "has the operation TrueDivide, .* save the model as .keras"),
    "two.h5": (keras_2_arithmetic, "has the operation TFOpLambda, which HDF5 files do not keep"),
    "class.keras": (own_class, "needs Python classes of its own"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_named_with_a_way_out(name, tmp_path):
    make, message = REFUSED[name]
    make(tmp_path / name)
    with pytest.raises(UserError, match=message) as caught:
        loaded(str(tmp_path / name))
    assert "did you mean" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_classes_of_imagenet_need_no_network():
    names = imagenet_names()
    assert len(names) == 1000
    assert names[208] == "Labrador retriever"
    assert class_of("tabby", names) == 281


def keras_with(home: Path, code: str = "") -> subprocess.CompletedProcess[str]:
    """Import Keras in a process of its own, with the settings in a folder."""
    line = [
        sys.executable,
        "-c",
        f"from huggin.lime.classifiers.keras_quietly import keras; {code}",
    ]
    environment = os.environ | {"KERAS_HOME": str(home)}
    return subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_settings_of_keras_change_no_explanation(tmp_path):
    settings = {"floatx": "float16", "image_data_format": "channels_first", "backend": "torch"}
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    config = "keras.config"
    code = f"print({config}.floatx(), {config}.image_data_format(), {config}.backend())"
    assert keras_with(tmp_path, code).stdout == "float32 channels_last tensorflow\n"


@pytest.mark.slow
@pytest.mark.parametrize("text", ["[]", '{"floatx": "float7"}', None])
def test_settings_that_keras_cannot_read_are_named(tmp_path, text):
    settings = tmp_path / "keras.json"
    settings.write_text(text) if text else os.mkfifo(settings)
    done = keras_with(tmp_path)
    assert "huggin.common.errors.UserError" in done.stderr.splitlines()[-1]
    assert str(settings) in done.stderr.splitlines()[-1]
