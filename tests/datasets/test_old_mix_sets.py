"""Mix sets of an earlier version (see tests/fixtures/mixes/README.md) still rebuild to the same samples."""

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from drsn_audio.datasets.mix_header import cpu_family, versions
from drsn_audio.datasets.mix_rebuild import rebuild

SETS = Path(__file__).parents[1] / "fixtures" / "mixes"
PACKAGE = "drsn-audio"  # what is tested: its own version does not excuse other bytes


def same_machine(header):
    """Whether the libraries and the CPU are those the set was made with: elsewhere the last bit may differ."""
    then = {name: version for name, version in header["versions"].items() if name != PACKAGE}
    now = {name: version for name, version in versions().items() if name != PACKAGE}
    return then == now and header["cpu"] == cpu_family()


@pytest.mark.parametrize("name", ["p56", "rms", "reverberant"])
def test_a_set_of_an_earlier_version_rebuilds_to_the_same_samples(name, tmp_path):
    for file in ("mix.jsonl.gz", "mix.json"):
        shutil.copy(SETS / name / file, tmp_path / file)
    header = json.loads((tmp_path / "mix.json").read_text())
    roots = {root: SETS / folder for root, folder in header["roots"].items()}
    report = rebuild(tmp_path / "mix.jsonl.gz", tmp_path / "again", roots=roots, progress=False)

    cuts = [json.loads(line) for line in gzip.decompress((tmp_path / "mix.jsonl.gz").read_bytes()).splitlines()]
    assert report.mixes == len(cuts)
    if same_machine(header):
        assert report.failed == []
    for cut in cuts:
        path = cut["recording"]["sources"][0]["source"]
        expected, made = (sf.read(folder / path, dtype="int16")[0] for folder in (SETS / name, tmp_path / "again"))
        assert np.abs(made.astype(int) - expected).max() <= 1  # one step of 16 bits
