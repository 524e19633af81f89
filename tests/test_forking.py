"""A model that ran on several threads runs in a process that is forked after that, too, instead of waiting for ever."""

import multiprocessing
import os
import subprocess
import sys

import pytest

CODE = """
import multiprocessing

import numpy as np
import torch

import drsn_audio

torch.set_num_threads(2)
model = drsn_audio.load("commands-12")
wave = np.random.default_rng(0).normal(0, 0.1, 5 * 16000).astype(np.float32)
expected = model.classify(wave)
with multiprocessing.get_context("fork").Pool(1) as pool:
    answer = pool.apply(model.classify, (wave,))
assert answer.label == expected.label, answer
assert abs(answer.score - expected.score) < 1e-3, answer
assert torch.get_num_threads() == 2  # of the parent
print("done")
"""


@pytest.mark.slow
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_model_runs_in_a_forked_process():
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, timeout=240)
    assert done.stdout == "done\n", done.stderr
