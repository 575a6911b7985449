"""The morning after a training."""

import json
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def morning(tiny_run, tiny_cfg, tmp_path) -> Path:
    """A folder with a finished run and its cfg.json."""
    shutil.copytree(tiny_run, tmp_path / "run")
    (tmp_path / "cfg.json").write_text(json.dumps(tiny_cfg()))
    return tmp_path
