"""Devices: where a model computes, and what a device that refuses makes of the toolkit."""

import subprocess
import sys

import pytest
import torch

from huggin.common.errors import BadValue
from huggin.model import device
from tests.conftest import ROOT


@pytest.mark.slow
def test_all_that_runs_on_an_accelerator_runs_on_one_that_refuses():
    words = ["-n", "0", "-p", "tests.model.fake_device", "tests/model/on_fake_device.py"]
    line = [sys.executable, "-m", "pytest", *words]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-5000:]
