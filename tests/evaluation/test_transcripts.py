"""What a recogniser is asked: each utterance clean and at the wanted SNRs, in noise that nothing else changes."""

import numpy as np
import pytest

from drsn_audio.config import NoiseSource
from drsn_audio.datasets.manifests import AudioStore, read_cuts
from drsn_audio.datasets.noise_pool import NoisePool
from drsn_audio.evaluation.transcripts import ask_transcripts
from drsn_audio.streaming.tail import TAIL_S

RATE = 16000


@pytest.fixture
def heard(task):
    """Condition -> utterance -> the wave that the recogniser got."""
    store = AudioStore(RATE)
    first, *others = read_cuts([task.test])
    cuts = [first.truncate(duration=0.2, preserve_id=True), *others]  # one of another length
    pool = NoisePool([NoiseSource(str(task.noise))], store)

    def ask(max_padded_s=60.0, seed=0, noise=pool):
        waves = []

        def answer(batch, lengths):
            waves.extend(wave[:length].numpy().copy() for wave, length in zip(batch, lengths.tolist(), strict=True))
            return [""] * len(batch)

        settings = {"snr_db": [20.0, 5.0], "draws": 1, "seed": seed, "max_padded_s": max_padded_s}
        told = ask_transcripts(answer, cuts, noise, store, **settings)
        # Batch by batch of each kind, the conditions in turn: put in order by the conditions' own lists.
        found = {(one.noise_kind, one.snr_db): {} for one in told}
        left = {(one.noise_kind, one.snr_db): list(one.ids) for one in told}
        groups = 1 if max_padded_s > 1 else len(cuts)
        size = len(cuts) // groups
        place = 0
        for number, kind in enumerate(noise.kinds if noise else ["clean"]):
            for _ in range(groups):
                for condition in [*([("clean", None)] if number == 0 else []), *((kind, snr) for snr in (20.0, 5.0))]:
                    if condition in left:
                        for _ in range(size):
                            found[condition][left[condition].pop(0)] = waves[place]
                            place += 1
        assert place == len(waves)
        return found, told

    ask.cuts = {cut.id: cut for cut in cuts}
    return ask


def test_the_snr_is_what_was_asked_and_the_noise_the_same_at_each(heard):
    found, _ = heard()
    assert found.keys() == {("clean", None), *((kind, snr) for kind in ("machinery", "street") for snr in (20.0, 5.0))}
    for kind in ("machinery", "street"):
        for id, clean in found["clean", None].items():
            length = round(heard.cuts[id].duration * RATE)
            noises = {snr: found[kind, snr][id] - clean for snr in (20.0, 5.0)}
            for snr, noise in noises.items():
                noise_db = 10 * np.log10(np.mean(np.square(noise[:length], dtype=np.float64)))
                assert heard.cuts[id].custom["active_level_db"] - noise_db == pytest.approx(snr, abs=0.01)
            np.testing.assert_allclose(noises[5.0], noises[20.0] * 10 ** (15 / 20), atol=1e-4)
            assert noises[5.0][length:].any()  # it goes on after the words
            assert len(clean) == length + round(TAIL_S * RATE)


def test_batches_change_nothing_and_seeds_do(heard):
    together, told = heard()
    one_by_one, _ = heard(max_padded_s=0.0)
    for condition, waves in together.items():
        for id, wave in waves.items():
            np.testing.assert_allclose(one_by_one[condition][id], wave, atol=1e-6)
    other, _ = heard(seed=1)
    assert any((other["street", 5.0][id] != wave).any() for id, wave in together["street", 5.0].items())
    assert told[0].references == [heard.cuts[id].supervisions[0].text for id in told[0].ids]
    assert all(told[0].noise_sources[0] == "" and one.noise_sources[0] for one in told[1:])


def test_without_noise_there_is_clean_alone(heard):
    found, told = heard(noise=None)
    assert list(found) == [("clean", None)]
    assert len(told[0].hypotheses) == len(heard.cuts)
