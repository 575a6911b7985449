"""Image classifiers of transformers: equal to its pipeline, and explained like a function."""

import json

import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image

import huggin
from huggin.common.errors import BadValue, UserError
from huggin.lime.choices import is_of_transformers
from huggin.lime.classifiers.hub_classifier import load_hub_classifier
from huggin.lime.pictures.reading import open_picture
from huggin.lime.pictures.scene import make_scene
from tests.conftest import command
from tests.lime.conftest import SHAPES

NAMES = {"id2label": {0: "cat", 1: "dog", 2: "bird"}}
SQUARE = {"size": {"height": 32, "width": 32}}
VIT = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32}
VIT |= {"patch_size": 8, "intermediate_size": 32}
SMALL = {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}
SWIN = {"image_size": 32, "patch_size": 2, "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2]}
EDGE = {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}}
FAMILIES = {  # family: its config, its processor's class, and the processor's settings
    "ViT": (VIT, "ViT", SQUARE),
    "DeiT": (VIT, "DeiT", {"size": {"height": 40, "width": 40}, "crop_size": SQUARE["size"]}),
    "ConvNext": (SMALL, "ConvNext", {"size": {"shortest_edge": 32}, "crop_pct": 0.8}),
    "ResNet": ({**SMALL, "embedding_size": 8}, "ConvNext", {"size": {"shortest_edge": 384}}),
    "Swin": ({**SWIN, "window_size": 4}, "ViT", {**SQUARE, "image_mean": [0.48, 0.46, 0.41]}),
    "MobileNetV2": ({"image_size": 32, "depth_multiplier": 0.35}, "MobileNetV2", EDGE),
    "Beit": (VIT, "Beit", {**SQUARE, "do_center_crop": False}),
}


def saved(folder, family="ViT", **changes) -> str:
    """The folder of a small model with random weights, and its image processor."""
    config, processor, settings = FAMILIES[family]
    torch.manual_seed(1)
    config = getattr(hf, f"{family}Config")(**config | NAMES | changes)
    network = getattr(hf, f"{family}ForImageClassification")(config)
    for weight in network.parameters():  # so that answers differ
        weight.data += 0.1 * torch.randn_like(weight)
    network.save_pretrained(folder)
    getattr(hf, f"{processor}ImageProcessor")(**settings).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_answer_is_that_of_transformers_pipeline(tmp_path, family):
    model = saved(tmp_path, family)
    pipeline = hf.pipeline("image-classification", model=model, top_k=3)
    wanted = {each["label"]: each["score"] for each in pipeline(Image.open(f"{SHAPES}.png"))}
    classifier = load_hub_classifier(model)
    scene = make_scene(open_picture(f"{SHAPES}.png"), classifier, "grid", 9, "grey")
    assert classifier.names == ("cat", "dog", "bird")
    assert np.allclose([wanted[name] for name in classifier.names], scene.answers, atol=1e-5)
    assert f"{classifier.size[1]} x {classifier.size[0]} by its " in scene.facts[-1]


@pytest.mark.parametrize(
    ("problem", "ending"),
    [("multi_label_classification", "sigmoid"), ("regression", "value")],
)
def test_several_labels_and_values(tmp_path, problem, ending):
    classifier = load_hub_classifier(saved(tmp_path, problem_type=problem))
    network = hf.ViTForImageClassification.from_pretrained(tmp_path)
    picture = np.random.default_rng(0).random((32, 32, 3), np.float32)
    inputs = torch.from_numpy(picture * 2 - 1).permute(2, 0, 1)[None].contiguous()
    logits = network(inputs).logits[0].detach()
    wanted = logits.sigmoid() if ending == "sigmoid" else logits
    assert classifier.ending == ending
    assert np.allclose(classifier.predict(picture), wanted, atol=1e-6)


def test_the_same_coefficients_as_of_a_function(tmp_path):
    """A function that asks the model itself, of the picture that its processor made."""
    model = saved(tmp_path / "model")
    classifier = load_hub_classifier(model)
    network = hf.ViTForImageClassification.from_pretrained(model)

    def function(pictures):
        inputs = torch.from_numpy(np.moveaxis(pictures * 2 - 1, -1, 1).astype(np.float32))
        return network(inputs).logits.softmax(dim=1).detach().numpy()

    how = {"segmenter": "grid", "segments": 16, "samples": 129, "classes": ["dog"]}
    found = huggin.explain_picture(f"{SHAPES}.png", model, **how).explanations[0]
    picture = classifier.resize(open_picture(f"{SHAPES}.png").values)
    wanted = huggin.explain_picture(picture, function, **how | {"classes": ["1"]}).explanations[0]
    assert np.ptp(wanted.surrogate.coefficients) > 1e-3
    both = (found.surrogate.coefficients, wanted.surrogate.coefficients)
    assert np.allclose(*both, atol=1e-6)


def test_the_command_takes_a_folder(tmp_path):
    model = saved(tmp_path / "vit")
    picture = f"{SHAPES}.png"
    words = ("--segmenter", "grid", "--db", "a.db", "--out", "out")
    done = command("lime.py", picture, "--model", model, *words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out" / "lime.png").stat().st_size > 0


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"pixels": "unit"}, "pixels"),
        ({"ending": "logits"}, "ending"),
        ({"engine": "openvino"}, "engine"),
    ],
)
def test_what_the_model_says_itself_is_refused(tmp_path, said, error):
    with pytest.raises(BadValue, match="says that itself") as refused:
        load_hub_classifier(saved(tmp_path), **said)
    assert refused.value.name == error


def test_a_processor_that_does_more_is_refused(tmp_path):
    model = saved(tmp_path, "Beit")
    file = tmp_path / "preprocessor_config.json"
    settings = json.loads(file.read_text())
    file.write_text(json.dumps(settings | {"rescale_factor": 0.5}))
    with pytest.raises(UserError, match="does more than resize, crop and scale"):
        load_hub_classifier(model)


@pytest.mark.parametrize("missing", ["preprocessor_config.json", "model.safetensors"])
def test_what_is_missing_is_named(tmp_path, missing):
    model = saved(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(UserError, match="no image (processor|classifier)"):
        load_hub_classifier(model)


def test_weights_that_are_a_pickle_are_not_loaded(tmp_path):
    model = saved(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="no image classifier"):
        load_hub_classifier(model)


def test_which_names_are_of_transformers(tmp_path):
    saved(tmp_path / "vit")
    (tmp_path / "keras").mkdir()
    for name in ("config.json", "model.weights.h5"):
        (tmp_path / "keras" / name).touch()
    assert is_of_transformers(str(tmp_path / "vit"))
    assert is_of_transformers("google/vit-base-patch16-224")
    assert not is_of_transformers(str(tmp_path / "keras"))
    assert not is_of_transformers(str(tmp_path / "vit" / "other.keras"))
    assert not is_of_transformers("InceptionV3")
