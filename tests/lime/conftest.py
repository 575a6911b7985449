"""Fixtures that LIME's tests share: the classifier and the picture of --demo, loaded once."""

from pathlib import Path
from typing import Any

import pytest

from huggin.lime.classifier import Classifier
from huggin.lime.pictures import read_picture
from huggin.lime.scene import Scene, make_scene
from tests.conftest import ROOT

SHAPES = ROOT / "sample" / "shapes"
OF_KERAS = (  # these load TensorFlow, which takes seconds, so all of their tests are slow
    "test_classifier.py",
    "test_endings.py",
    "test_engine.py",
    "test_model_files.py",
    "test_pixels.py",
    "test_random_answers.py",
    "test_values.py",
)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even read the files that load TensorFlow if slow tests are left out."""
    left_out = config.option.markexpr == "not slow" and collection_path.name in OF_KERAS
    return left_out or None


def saved(model: Any, folder: Path, name: str = "model.keras") -> str:
    """The path of a model that Keras has saved."""
    model.save(folder / name)
    return str(folder / name)


def loaded(path: str, **said: Any) -> Any:
    """The classifier of a file, with what the user says about it."""
    from huggin.lime.keras_models import Choices, load_classifier

    return load_classifier(path, choices=Choices(**said))


@pytest.fixture(scope="session")
def shapes() -> Classifier:
    """The classifier of --demo."""
    from huggin.lime.keras_models import Choices, load_classifier

    choices = Choices(labels=SHAPES.with_suffix(".txt"), pixels="signed")
    return load_classifier(f"{SHAPES}.keras", choices=choices)


@pytest.fixture(scope="session")
def scene(shapes: Classifier) -> Scene:
    """The picture of --demo, in 6 x 6 cells."""
    return make_scene("shapes.png", shapes, read_picture(f"{SHAPES}.png"), "grid", 36, "grey")
