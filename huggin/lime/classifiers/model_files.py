"""Find out what kind of model a file or folder holds; refuse other kinds with advice."""

import zipfile
from pathlib import Path

from huggin.common.errors import UserError

FROM_PYTHON = "or explain its predictions from Python, see docs/python.md"
HDF5 = b"\x89HDF\r\n\x1a\n"
WORDS = {  # a kind that is refused -> what it is, and what the user can do
    "lfs": "a Git LFS pointer, not the model itself; run: git lfs pull",
    "unzipped": "an unzipped .keras file; zip its files again: python -m zipfile -c model.keras "
    "config.json metadata.json model.weights.h5",
    "folder": "a folder without a model; give a .keras file, or a folder with saved_model.pb",
    "torch": f"a PyTorch file, which Keras cannot read; convert it, {FROM_PYTHON}",
    "onnx": f"an ONNX model, which Keras cannot read; convert it with onnx2tf, {FROM_PYTHON}",
    "weights": "weights without a model; give the whole model, saved by model.save",
    "keras misnamed": "a .keras file with another ending; rename it to end with .keras",
    "h5 misnamed": "an HDF5 file with another ending; rename it to end with .h5",
    "pickle": f"a pickle, which can run any code and is not loaded; save the model, {FROM_PYTHON}",
}


def is_file_name(model: str) -> bool:
    """Whether a model is named by its path, not by its name in keras.applications."""
    return any(mark in model for mark in "./\\") or Path(model).exists()


def kind_of(path: Path) -> str:
    """`keras`, `h5`, `tflite` or `saved_model`. Raises UserError for anything else."""
    if not path.exists():
        what = "no such file; give a model that Keras has saved, or a name of keras.applications"
        raise UserError(f"{path}: {what}")
    kind = _kind_of_folder(path) if path.is_dir() else _kind_of_file(path)
    if kind in WORDS:
        raise UserError(f"{path}: {WORDS[kind]}")
    return kind


def _kind_of_folder(path: Path) -> str:
    if (path / "saved_model.pb").is_file():
        return "saved_model"
    parts = (path / "config.json").is_file() and (path / "model.weights.h5").is_file()
    return "unzipped" if parts else "folder"


def _kind_of_file(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(32)
    ending = path.suffix.lower()
    if start.startswith(b"version https://git-lfs"):
        return "lfs"
    if start.startswith(HDF5):
        return _kind_of_hdf5(path, ending)
    if start.startswith(b"PK\x03\x04"):
        return _kind_of_zip(path, ending)
    if start[4:8] == b"TFL3":
        return "tflite"
    if ending in (".pt", ".pth", ".ckpt", ".safetensors"):
        return "torch"
    if ending in (".pkl", ".pickle", ".joblib"):
        return "pickle"
    return "onnx" if ending == ".onnx" else "keras"  # loading tells what is wrong with any other


def _kind_of_hdf5(path: Path, ending: str) -> str:
    if path.name.endswith(".weights.h5"):
        return "weights"
    return "h5" if ending in (".h5", ".hdf5") else "h5 misnamed"


def _kind_of_zip(path: Path, ending: str) -> str:
    if ending == ".keras":
        return "keras"
    try:
        names = zipfile.ZipFile(path).namelist()
    except zipfile.BadZipFile:
        return "keras"
    if any(name.endswith("data.pkl") for name in names):
        return "torch"
    return "keras misnamed" if "config.json" in names else "keras"
