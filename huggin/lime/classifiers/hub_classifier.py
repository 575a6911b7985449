"""An image classifier of Hugging Face's transformers: a folder or owner/name -> a `Classifier`.

Its own image processor resizes and crops the picture and says how pixels are scaled, and its
config names the classes. So the answer to the full picture is that of transformers' pipeline.
PyTorch computes it, on the accelerator if there is one.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoImageProcessor, AutoModelForImageClassification, PreTrainedModel

from huggin.common.errors import BadValue, UserError
from huggin.lime.classifiers.classifier import Classifier
from huggin.lime.classifiers.labels import Names, labels_of_file
from huggin.model.device import choose_device, describe_device
from huggin.model.loading import loading

BYTE = 255
CLOSE = 1e-5  # of the largest pixel; in float32 they differ by less than 1e-6
NOISE = (37, 53, 3)  # a picture of another shape than a model's input


def load_hub_classifier(model: str, labels: Path | None = None, **said: Any) -> Classifier:
    """The classifier in a folder, or of this owner and name on the Hub.

    labels: a file of names, in the place of the config's. said: what other models have to be told.
    Raises UserError if there is no such classifier, BadValue for anything that is said.
    """
    for name, value in said.items():
        if value is not None:
            raise BadValue(name, value, f"{model} says that itself; leave it out")
    with loading("image classifier", model):
        network = AutoModelForImageClassification.from_pretrained(
            model, use_safetensors=True, trust_remote_code=False, dtype=torch.float32
        )
    with loading("image processor", model):
        processor = AutoImageProcessor.from_pretrained(model, trust_remote_code=False)
    return of_network(model, network, processor, labels)


def of_network(
    name: str, network: PreTrainedModel, processor: Any, labels: Path | None = None
) -> Classifier:
    """The classifier of a model and its image processor. Raises UserError if they do not fit."""
    device = choose_device()
    network.to(device).eval()
    ending = ending_of(network)
    mean, std = statistics(processor)
    facts = (
        f"pixels: less {listed(mean)}, over {listed(std)}, by its image processor",
        f"ending: {ending}, by its config.json",
        f"engine: PyTorch {torch.__version__}, {describe_device(device)}",
    )
    noise = np.random.default_rng(0).integers(0, BYTE + 1, NOISE).astype(np.uint8)
    wanted = np.moveaxis(processor(noise, return_tensors="np")["pixel_values"][0], 0, -1)
    classifier = Classifier(
        name=name,
        function=lambda pictures: answers(network, pictures, ending),
        size=wanted.shape[:2],
        names=names_of(network, labels),
        ending=ending,
        pixels=lambda picture: (picture - mean) / std,
        mark=hash_of_weights(network),
        facts=facts,
        resampling=f"its {type(processor).__name__}",
        resize=lambda picture: brought_to_size(processor, picture),
    )
    scaled = classifier.pixels(brought_to_size(processor, noise / BYTE))
    if np.abs(wanted - scaled).max() > CLOSE * np.abs(wanted).max():
        what = f"its {type(processor).__name__} does more than resize, crop and scale"
        raise UserError(f"{name}: {what}; explain it from Python, as a function")
    return classifier


def brought_to_size(processor: Any, picture: np.ndarray) -> np.ndarray:
    """A picture (height, width, 3) in [0, 1], resized and cropped, not yet scaled."""
    options = {"do_rescale": True, "rescale_factor": 1 / BYTE, "do_normalize": False}
    levels = np.rint(picture * BYTE).astype(np.uint8)
    pixels = processor(levels, return_tensors="np", **options)["pixel_values"][0]
    return np.clip(np.moveaxis(pixels, 0, -1), 0, 1).astype(np.float32)


def statistics(processor: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation by which pixels in [0, 1] are scaled, (3,) float32."""
    mean, std = np.zeros(3), np.ones(3)
    if processor.do_normalize:
        mean, std = np.array(processor.image_mean), np.array(processor.image_std)
    if not processor.do_rescale:
        mean, std = mean / BYTE, std / BYTE
    return mean.astype(np.float32), std.astype(np.float32)


def listed(numbers: np.ndarray) -> str:
    """`0.485, 0.456, 0.406`, or one number if all are the same."""
    different = numbers[: 1 if np.ptp(numbers) == 0 else None]
    return ", ".join(f"{number:.3g}" for number in different)


def ending_of(network: PreTrainedModel) -> str:
    """What its outputs are, as transformers' pipeline reads its config."""
    config = network.config
    if config.problem_type == "regression":
        return "value"
    several = config.problem_type == "multi_label_classification" or config.num_labels == 1
    return "sigmoid" if several else "softmax"


def names_of(network: PreTrainedModel, labels: Path | None) -> Names:
    """A name for each output."""
    count = network.config.num_labels
    if labels:
        return labels_of_file(labels, count)
    return tuple(str(network.config.id2label[index]) for index in range(count))


def answers(network: PreTrainedModel, pictures: np.ndarray, ending: str) -> np.ndarray:
    """Pictures (n, height, width, 3), as the model takes them -> (n, classes)."""
    channels_first = np.ascontiguousarray(np.moveaxis(pictures, -1, 1), np.float32)
    with torch.inference_mode():
        logits = network(pixel_values=torch.from_numpy(channels_first).to(network.device)).logits
        if ending == "softmax":
            logits = logits.softmax(dim=1)
        if ending == "sigmoid":
            logits = logits.sigmoid()
    return logits.cpu().numpy()


def hash_of_weights(network: PreTrainedModel) -> str:
    """SHA-256 of the config and all weights."""
    digest = hashlib.sha256(network.config.to_json_string().encode())
    for name, weight in network.state_dict().items():
        digest.update(name.encode())
        digest.update(weight.cpu().numpy().tobytes())
    return digest.hexdigest()
