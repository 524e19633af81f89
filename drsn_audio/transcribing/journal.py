"""What has been transcribed into a folder, so that a run that was cut short, at whatever moment, can go on.

FOLDER/transcribe.jsonl: a line that says by which model and how, then a line for each sound that is done, written
before its file is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drsn_audio.decoding.transcript import Transcript
from drsn_audio.journal import JsonJournal
from drsn_audio.processes import ALONE, Processes
from drsn_audio.transcribing.inputs import Input
from drsn_audio.transcribing.outputs import as_dict, from_dict

NAME = "transcribe.jsonl"


class Journal(JsonJournal):
    """`with Journal(folder, request, resume) as journal: journal.earlier(input), journal.add(input, transcript)`.

    As `JsonJournal`, of inputs and transcripts.
    """

    what, command = "transcripts", "drsn-audio transcribe"

    def __init__(self, folder: Path, request: dict[str, Any], resume: bool, processes: Processes = ALONE):
        super().__init__(folder / NAME, request, resume, processes)

    def earlier(self, given: Input) -> Transcript | None:
        """What an earlier run heard in a sound that has not changed since."""
        answer = self.answer_of(given.key, given.stamp())
        return None if answer is None else from_dict(answer)

    def add(self, given: Input, transcript: Transcript) -> None:
        self.note(given.key, given.stamp(), as_dict(given, transcript))
