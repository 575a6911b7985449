"""Which forms of classifiers lime.py explains, from which kinds of files: a table for docs/lime.md.

    python bench/model_forms.py

It builds small models whose answers are known, saves each in five ways, and loads it as lime.py
does. Where the toolkit asks about pixels, ending or output, it gets the answer that the model's
user would give. An answer that is wrong is printed as WRONG, and the exit code is 1. The files of
Keras 2 are written by tf_keras, in the rivals' environment; --quick leaves them out.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.measure import BENCH, parser_of, rivals_python  # noqa: E402
from bench.rivals.model_forms import FORMS, Form, probabilities  # noqa: E402
from huggin.common.errors import UserError  # noqa: E402
from huggin.lime.classifiers.keras_classifier import KerasClassifier  # noqa: E402
from huggin.lime.classifiers.keras_models import Unclear, load_classifier  # noqa: E402
from huggin.lime.classifiers.keras_quietly import keras, tf  # noqa: E402
from huggin.lime.classifiers.labels import Target  # noqa: E402
from huggin.lime.pictures.reading import Picture  # noqa: E402
from huggin.lime.pictures.scene import make_scene  # noqa: E402
from huggin.lime.predictor import Predictor  # noqa: E402

KINDS = (".keras", ".h5", ".h5 of Keras 2", "SavedModel", ".tflite")
CLOSE = 1e-4  # how far a probability may be from the right one


def main() -> int:
    """Print the table; 1 if an answer was wrong."""
    args = parser_of(__doc__).parse_args()
    wrong = False
    print(f"| model | {' | '.join(f'`{kind}`' for kind in KINDS)} |")
    print("|---" * (len(KINDS) + 1) + "|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not args.quick:
            write_as_keras_2(folder)
        for number, (title, form) in enumerate(FORMS.items()):
            cells = [outcome(form, path) for path in saved(form, folder, number)]
            wrong = wrong or any("WRONG" in cell for cell in cells)
            print(f"| {title} | {' | '.join(cells)} |", flush=True)
    return int(wrong)


def write_as_keras_2(folder: Path) -> None:
    """Write the models of all forms as Keras 2 does: 0.h5, 1.h5 and so on."""
    script = BENCH / "rivals" / "model_forms.py"
    done = subprocess.run([rivals_python(), script, folder], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)


def saved(form: Form, folder: Path, number: int) -> list[Path]:
    """The paths of a form's five files."""
    model = form.build(keras)
    paths = [folder / f"{number}{ending}" for ending in (".keras", "-3.h5", ".h5", "", ".tflite")]
    model.save(paths[0])
    model.save(paths[1])
    model.export(paths[3], verbose=False)
    paths[4].write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(paths[3])).convert())
    return paths


def outcome(form: Form, path: Path) -> str:
    """What becomes of a file, in words: one cell of the table."""
    if not path.exists():
        return "not asked"
    said: dict[str, Any] = {}
    while True:
        try:
            classifier = load_classifier(str(path), **said)
            break
        except Unclear as question:
            said[question.name] = answer_of(form, question)
        except UserError as error:
            return f"refused: {str(error).removeprefix(f'{path}: ')}"
    options = ", ".join(f"`--{name}`" for name in said)
    words = f"explained with {options}" if options else "explained"
    return words if is_right(form, classifier, path.parent) else f"WRONG: {words}"


def answer_of(form: Form, question: Unclear) -> str:
    """What the model's user would say."""
    answer = form.said.get(question.name, "")
    return answer if answer in question.values else question.values[0]


def is_right(form: Form, classifier: KerasClassifier, folder: Path) -> bool:
    """Whether the picture, and the picture with all or some of it hidden, is answered rightly."""
    picture = np.random.default_rng(0).random((*classifier.size, 3), np.float32)
    scene = make_scene(Picture("", picture), classifier, "grid", 4, "black")
    predictor = Predictor(scene, [Target("", 1)], folder / "predictions.npz")
    on = np.array([[True] * 4, [False] * 4, [True, False, False, True]])
    found = predictor.predictions(on).sure[:, 0]
    hidden = [scene.hide(np.flatnonzero(~mask)) for mask in on]
    wanted = [probabilities(form, one)[1] for one in hidden]
    whole = np.abs(classifier.predict(picture) - probabilities(form, picture)).max()
    return bool(whole < CLOSE and np.abs(found - wanted).max() < CLOSE)


if __name__ == "__main__":
    sys.exit(main())
