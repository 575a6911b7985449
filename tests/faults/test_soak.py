"""The whole soak: `./run-tests -m faults -k soak` takes about a quarter of an hour."""

import pytest

from tests.faults.soak import in_words, small_cfg, soak


@pytest.mark.faults
def test_fifty_faults_leave_no_trace(tmp_path):
    tally = soak(small_cfg(tmp_path / "inputs"), 50, tmp_path)
    print(tally.by_fault)
    assert in_words(tally) == "50 faults, 0 steps missing, 0 twice, weights identical: yes"
