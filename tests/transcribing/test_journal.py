"""What was done is kept whatever happens, and nothing else is believed."""

import json
import os

import pytest

from drsn_audio.decoding.transcript import Transcript, Word
from drsn_audio.errors import InputError
from drsn_audio.hearing import Hearing
from drsn_audio.transcribing.inputs import find_inputs
from drsn_audio.transcribing.journal import NAME, Journal

REQUEST = {"model": "abc", "decoder": {"beam": 5}}
ANSWER = Transcript("left stop", [Word("left", 0.1, 0.2, 0.9), Word("stop", 0.3, 0.5, 1.0)])


@pytest.fixture
def inputs(tmp_path):
    for name in ("a.wav", "b.wav"):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"sound")
    return list(find_inputs(str(tmp_path / "in"), Hearing(16000)))


def noted(folder, given, answer=ANSWER, resume=True, request=REQUEST):
    with Journal(folder, request, resume) as journal:
        journal.add(given, answer)


def test_it_remembers_what_was_heard(inputs, tmp_path):
    noted(tmp_path / "out", inputs[0])
    with Journal(tmp_path / "out", REQUEST, True) as journal:
        assert journal.earlier(inputs[0]) == ANSWER
        assert journal.earlier(inputs[1]) is None
        journal.add(inputs[1], Transcript(""))
    with Journal(tmp_path / "out", REQUEST, True) as journal:
        assert [journal.earlier(given) for given in inputs] == [ANSWER, Transcript("")]


def test_without_resume_it_begins_anew(inputs, tmp_path):
    noted(tmp_path / "out", inputs[0])
    noted(tmp_path / "out", inputs[1], resume=False)
    with Journal(tmp_path / "out", REQUEST, True) as journal:
        assert journal.earlier(inputs[0]) is None


def test_a_sound_that_has_changed_is_heard_again(inputs, tmp_path):
    noted(tmp_path / "out", inputs[0])
    os.utime(inputs[0].path, ns=(0, 0))
    with Journal(tmp_path / "out", REQUEST, True) as journal:
        assert journal.earlier(inputs[0]) is None


@pytest.mark.parametrize("left", [0, 1, 20, -1, -2, -40])
def test_a_line_that_was_being_written_is_forgotten(inputs, tmp_path, left):
    """Cut at any byte, the journal goes on behind its last whole line."""
    noted(tmp_path / "out", inputs[0])
    path = tmp_path / "out" / NAME
    whole = path.read_bytes()
    with Journal(tmp_path / "out", REQUEST, True) as journal:
        journal.add(inputs[1], ANSWER)
    more = path.read_bytes()
    path.write_bytes(whole[:left] if left >= 0 else more[:left])
    with Journal(tmp_path / "out", REQUEST, True) as journal:
        assert journal.earlier(inputs[0]) == (ANSWER if left < 0 else None)
        assert journal.earlier(inputs[1]) is None
        journal.add(inputs[1], ANSWER)
    assert all(isinstance(json.loads(line), dict) for line in path.read_text().splitlines())
    with Journal(tmp_path / "out", REQUEST, True) as journal:
        assert journal.earlier(inputs[1]) == ANSWER


def test_another_model_or_decoder_is_refused(inputs, tmp_path):
    noted(tmp_path / "out", inputs[0])
    before = (tmp_path / "out" / NAME).read_bytes()
    for other in ({**REQUEST, "model": "xyz"}, {**REQUEST, "decoder": {}}):
        with (
            pytest.raises(InputError, match="holds transcripts made otherwise"),
            Journal(tmp_path / "out", other, True),
        ):
            pass
    assert (tmp_path / "out" / NAME).read_bytes() == before


def test_two_at_once_are_refused(inputs, tmp_path):
    with Journal(tmp_path / "out", REQUEST, False) as journal:
        journal.add(inputs[0], ANSWER)
        for resume in (True, False):
            with (
                pytest.raises(InputError, match="another drsn-audio transcribe"),
                Journal(tmp_path / "out", REQUEST, resume),
            ):
                pass
    with Journal(tmp_path / "out", REQUEST, True) as journal:
        assert journal.earlier(inputs[0]) == ANSWER
