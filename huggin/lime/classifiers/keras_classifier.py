"""A classifier of Keras or TensorFlow, computed by TensorFlow, or by OpenVINO where this is faster.

OpenVINO converts a function of TensorFlow once, and computes it then by Intel's library. It reports
every import and conversion to Google Analytics, and writes a file into the home folder for this,
through its package openvino_telemetry. If Python cannot import that package, OpenVINO uses a stub
that does nothing. So the package is hidden before OpenVINO is imported.
"""

import hashlib
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np

from huggin.common.errors import BadValue
from huggin.common.progress import progress
from huggin.common.streams import warn
from huggin.common.text import one_line, short
from huggin.lime.classifiers.classifier import BATCH, Classifier
from huggin.lime.classifiers.keras_quietly import tf
from huggin.lime.predictor import Rows

PAYS = 1_000_000  # weights: a smaller model has answered before OpenVINO has read it
NAMES = {"tensorflow": "TensorFlow", "openvino": "OpenVINO"}
SETTINGS = {
    "INFERENCE_PRECISION_HINT": "f32",  # otherwise bfloat16 on processors that have it
    "PERFORMANCE_HINT": "LATENCY",  # one batch at a time, on all cores
}
CLOSE = 1e-4  # of probabilities; in float32 they differ by less than 1e-6
Computed = Callable[..., np.ndarray]


class NotConverted(Exception):
    """OpenVINO cannot compute a function; the text says why."""


@dataclass(frozen=True)
class KerasClassifier(Classifier):
    """A `Classifier` whose function returns outputs (n, outputs), as TensorFlow can trace it.

    One output stands for two classes: the second class's probability or logit.
    """

    engine: str = "tensorflow"  # one of huggin.lime.choices.ENGINES

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the model, how its outputs are read, and what computes them."""
        read = repr((self.mark, self.ending, self.engine, version(self.engine), self.draws))
        return hashlib.sha256(read.encode()).hexdigest()

    def probabilities(self, pictures: Any) -> Any:
        """Pictures (n, height, width, channels), as the model takes them -> (n, classes)."""
        if self.draws == 1:
            return self._answered(pictures)

        def mean(picture: Any) -> Any:
            """Of a picture by itself: a model's answers may depend on those beside it."""
            answers = [self._answered(picture[None])[0] for _ in range(self.draws)]
            return tf.reduce_mean(answers, axis=0)

        return tf.map_fn(mean, tf.cast(pictures, tf.float32))

    def _answered(self, pictures: Any) -> Any:
        outputs = tf.cast(self.function(pictures), tf.float32)
        if self.ending == "value":
            return outputs
        if outputs.shape[1] == 1 and self.ending == "sigmoid":
            return tf.concat([1 - outputs, outputs], axis=1)
        if outputs.shape[1] == 1:
            return tf.nn.sigmoid(tf.concat([-outputs, outputs], axis=1))
        return tf.nn.softmax(outputs) if self.ending == "logits" else outputs

    def answers(self, pictures: np.ndarray) -> np.ndarray:
        """See `Classifier.answers`."""
        return np.asarray(self.probabilities(pictures))

    def mean_of(self, draws: int, apart: float) -> "KerasClassifier":
        """See `Classifier.mean_of`; it is computed by TensorFlow."""
        mean = f"the mean of {draws} answers, each picture by itself, as they vary by {apart:.2g}"
        return self._on_tensorflow(f"TensorFlow, {mean}", draws)

    def _on_tensorflow(self, fact: str, draws: int = 1) -> "KerasClassifier":
        others = (line for line in self.facts if not line.startswith("engine: "))
        facts = (*others, f"engine: {fact}")
        return replace(self, engine="tensorflow", draws=draws, facts=facts)

    def converted(self) -> "KerasClassifier":
        """This classifier; or the same on TensorFlow, which is said, if OpenVINO cannot compute it.

        A model is converted only once.
        """
        try:
            _ = self._masked
        except NotConverted as error:
            why = f"as OpenVINO cannot compute it ({error})"
            fact = f"TensorFlow {version('tensorflow')}, {why}"
            warn(f"{self.name}: {fact}")
            return self._on_tensorflow(fact)
        return self

    def answers_to_masks(self, picture: np.ndarray, fill: np.ndarray, segments: np.ndarray) -> Rows:
        """See `Classifier.answers_to_masks`."""
        once = tf.constant if self.engine == "tensorflow" else np.asarray  # not for every batch
        inputs = [once(values) for values in (segments, picture, fill)]
        return lambda on: self._masked(on, *inputs)

    @cached_property
    def _masked(self) -> Callable[..., np.ndarray]:
        """Masks (BATCH, segments), segments, picture and fill as the model takes them -> answers.

        Raises NotConverted if OpenVINO cannot compute the model.
        """
        graph = self._graph()
        if self.engine == "tensorflow":
            return lambda *inputs: np.asarray(graph(*inputs))
        return converted(graph, *self._example())

    def _graph(self) -> Any:
        """The masking and the model in one graph, for any number of segments."""
        height, width = self.size
        channels = self.pixels(np.zeros((1, 1, 3), np.float32)).shape[-1]
        pixels = tf.TensorSpec([height, width, channels], tf.float32)
        place = tf.TensorSpec([height, width], tf.int32)

        @tf.function(input_signature=[tf.TensorSpec([BATCH, None], tf.bool), place, pixels, pixels])
        def graph(on: Any, place: Any, shown: Any, hidden: Any) -> Any:
            is_shown = tf.gather(on, place, axis=1)[..., None]  # (BATCH, height, width, 1)
            return self.probabilities(tf.where(is_shown, shown, hidden))

        return graph

    def _example(self) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """Inputs of the graph, with pictures of noise, and TensorFlow's answers to them."""
        noise = np.random.default_rng(0).random((2, *self.size, 3), np.float32)
        pictures = np.ascontiguousarray(self.pixels(noise), np.float32)
        on = np.arange(BATCH)[:, None] % 2 == 0  # the first picture, the second, the first ...
        answers = np.asarray(self.probabilities(pictures))
        inputs = (on, np.zeros(self.size, np.int32), *pictures)
        return inputs, np.resize(answers, (BATCH, answers.shape[1]))


def chosen_engine(said: str | None, weights: int) -> tuple[str, str]:
    """The engine, and a line that says why. said: what the user wants; weights: 0 if not known.

    Raises BadValue if it is not installed.
    """
    if said == "openvino" and find_spec("openvino") is None:
        command = f"{shlex.quote(sys.executable)} -m pip install openvino"
        raise BadValue("engine", said, f"is not installed; type: {command}")
    engine = said or "tensorflow"
    if said:
        why = "chosen"
    elif weights == 0:
        why = "as it is not known how many weights the model has"
    elif weights < PAYS:
        why = f"as the model has fewer than {PAYS:,} weights"
    elif find_spec("openvino") is None:
        why = "as OpenVINO is not installed"
    elif tf.config.list_physical_devices("GPU"):
        why = "as it has a GPU"
    else:
        engine, why = "openvino", f"as the model has at least {PAYS:,} weights"
    return engine, f"engine: {NAMES[engine]} {version(engine)}, {why}"


def converted(function: Any, inputs: Sequence[np.ndarray], wanted: np.ndarray) -> Computed:
    """A tf.function with an input signature and one output -> the same, of NumPy arrays.

    inputs, wanted: an example, and what the function makes of it. Shows on a terminal how far the
    conversion is. Raises NotConverted if it fails, or if the example comes out differently.
    """
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    with progress(total=3, label="converting for OpenVINO", unit="steps", delay=0) as bar:
        try:
            import openvino

            traced = function.get_concrete_function()
            bar.update()
            model = openvino.convert_model(traced)
            bar.update()
            computed = _computed(openvino.Core().compile_model(model, "CPU", SETTINGS))
            outputs = computed(*inputs)
        except Exception as error:  # whatever TensorFlow and OpenVINO raise, also at import
            if "KeyboardInterrupt" in str(error):  # OpenVINO's C++ code makes an error of Ctrl-C
                raise KeyboardInterrupt from None
            # OpenVINO's summary, which is between places in its source and addresses
            summary = [line[3:] for line in str(error).splitlines() if line.startswith("-- ")]
            raise NotConverted(short("; ".join(summary) or one_line(error), 200)) from None
    if outputs.shape != wanted.shape or not np.abs(outputs - wanted).max() < CLOSE:
        raise NotConverted("its answers to pictures of noise differ")
    return computed


def _computed(compiled: Any) -> Computed:
    request = compiled.create_infer_request()

    def computed(*inputs: np.ndarray) -> np.ndarray:
        outputs: np.ndarray = request.infer(dict(enumerate(inputs)), share_inputs=True)[0]
        return outputs

    return computed
