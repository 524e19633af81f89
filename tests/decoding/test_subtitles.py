"""Words -> lines and subtitles."""

import html
import re
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from drsn_audio.decoding.subtitles import CUE_LINES, CUE_S, LINE_CHARACTERS, cues, lines, to_srt, to_txt, to_vtt, wrap
from drsn_audio.decoding.transcript import Word


def word(text, start, end):
    return Word(text, start, end, 1.0)


SAID = [word("left", 0.2, 0.5), word("stop", 0.7, 1.0), word("seven", 3661.2346, 3661.5), word("go", 3661.6, 3662.9)]


def milliseconds(clock):
    hours, minutes, rest = re.split(":", clock.replace(",", "."))
    return round(1000 * (3600 * int(hours) + 60 * int(minutes) + float(rest)))


def parse(blocks):
    """Blocks of a time line and text lines -> [(start_ms, end_ms, lines)]."""
    found = []
    for block in blocks:
        times, *shown = block.strip("\n").split("\n")
        start, end = times.split(" --> ")
        found.append((milliseconds(start), milliseconds(end), tuple(shown)))
    return found


def parse_srt(text):
    blocks = [block.split("\n", 1) for block in text.split("\n\n")] if text else []
    assert [int(number) for number, _ in blocks] == list(range(1, len(blocks) + 1))
    return parse(rest for _, rest in blocks)


def parse_vtt(text):
    head, *blocks = text.split("\n\n")
    assert head.strip() == "WEBVTT"
    return [(start, end, tuple(map(html.unescape, shown))) for start, end, shown in parse(blocks)]


def test_lines_end_at_pauses():
    assert lines(SAID) == ["left stop", "seven go"]
    assert to_txt(SAID) == "left stop\nseven go\n"


def test_subtitles_as_they_are_written():
    assert to_srt(SAID) == (
        "1\n00:00:00,200 --> 00:00:01,200\nleft stop\n\n2\n01:01:01,235 --> 01:01:02,900\nseven go\n"
    )
    assert to_vtt(SAID) == (
        "WEBVTT\n\n00:00:00.200 --> 00:00:01.200\nleft stop\n\n01:01:01.235 --> 01:01:02.900\nseven go\n"
    )


def test_nothing_said():
    assert (lines([]), to_txt([]), to_srt([]), to_vtt([]), cues([])) == ([], "", "", "WEBVTT\n", [])


def test_the_markup_of_vtt_is_escaped():
    assert "a&lt;b&gt; &amp; --&gt;" in to_vtt([word("a<b>", 0, 1), word("&", 1, 2), word("-->", 2, 3)])


def test_two_lines_are_of_like_length_and_long_words_stay_whole():
    assert wrap(["aaaa", "bbbb", "cccc", "dd"], 14) == ["aaaa bbbb", "cccc dd"]
    assert wrap(["aaaa", "bbbb"], 9) == ["aaaa bbbb"]
    assert wrap(["a" * 50, "b"], 42) == ["a" * 50, "b"]
    assert wrap([], 42) == []


def test_a_cue_ends_when_it_would_be_too_long():
    slow = [word("one", second, second + 0.9) for second in range(10)]
    assert [(cue.start_ms, cue.lines[0]) for cue in cues(slow)] == [
        (0, " ".join(["one"] * 6)),
        (6000, " ".join(["one"] * 4)),
    ]
    quick = [word("nineteen", 0.1 * place, 0.1 * place + 0.1) for place in range(10)]  # four a line, eight a cue
    assert [sum(len(line.split()) for line in cue.lines) for cue in cues(quick)] == [8, 2]


def test_a_short_cue_stays_until_the_next_one():
    first, second = cues([word("go", 1.0, 1.1), word("on", 1.95, 2.0)])
    assert (first.start_ms, first.end_ms) == (1000, 1870)  # a second, but for 80 ms before the next
    assert (second.start_ms, second.end_ms) == (1950, 2950)


drawn_words = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8", categories=("L", "P", "S")), min_size=1, max_size=50),
        st.floats(0, 3),
        st.floats(0.001, 8),
    ),
    max_size=30,
)


@settings(deadline=None, max_examples=200)
@given(drawn_words)
def test_what_is_written_reads_back(drawn):
    said, start = [], 0.0
    for text, gap, duration in drawn:
        start += gap
        said.append(word(text, start, start + duration))  # ends may lie beyond the next beginning
    shown = cues(said)
    assert parse_srt(to_srt(said)) == [(cue.start_ms, cue.end_ms, cue.lines) for cue in shown]
    assert parse_vtt(to_vtt(said)) == [(cue.start_ms, cue.end_ms, cue.lines) for cue in shown]
    assert " ".join(line for cue in shown for line in cue.lines) == " ".join(each.text for each in said)
    assert " ".join(lines(said)) == " ".join(each.text for each in said)
    times = [time for cue in shown for time in (cue.start_ms, cue.end_ms)]
    assert all(early < late for early, late in pairwise(times))
    for cue in shown:
        assert len(cue.lines) <= CUE_LINES
        assert all(len(line) <= LINE_CHARACTERS or " " not in line for line in cue.lines)
        several = sum(len(line.split(" ")) for line in cue.lines) > 1
        assert cue.end_ms - cue.start_ms <= 1000 * CUE_S + 1 or not several
