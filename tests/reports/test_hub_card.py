"""README.md of a model on the Hub: its front matter, and a card that says what the checkpoint says, and no more."""

import pytest
from huggingface_hub import ModelCard

from drsn_audio.reports.hub_card import TASKS, CardError, generated_card, hub_card


def described(head="keyword", **more):
    model = {
        "preset": "10k", "encoder": "drsn", "shrinkage": "cw", "pool": "clip", "head": head, "clip_s": 0.5,
        "frontend": {"name": "pcen", "sample_rate": 16000},
    }  # fmt: skip
    return {"step": 12, "sha256": "abc", "labels": ["low", "high"], "model": model, **more}


@pytest.mark.parametrize(
    ("head", "task"),
    [
        ("keyword", "audio-classification"),
        ("ctc", "automatic-speech-recognition"),
        ("denoise", "audio-to-audio"),
        ("joint", "audio-classification"),
    ],
)
def test_the_front_matter_tells_the_task(head, task):
    data = ModelCard(hub_card("me/tones", described(head), None, "MIT")).data
    assert (data.pipeline_tag, data.library_name, data.license) == (task, "drsn_audio", "mit")
    assert data.tags == ["audio", "speech", TASKS[head][1]]


def test_every_head_has_its_task():
    from drsn_audio.models.heads import HEADS

    assert set(HEADS) <= set(TASKS)


def test_what_is_told_is_in_the_card():
    card = generated_card(
        "me/tones",
        described(
            parameters=12345,
            multiply_adds=67890,
            command="python train.py run=a|b",
            commit="0123abc",
            seed=0,
            init="commands-12",
            metrics={"dev_accuracy": 0.87654, "epoch": 3},
            calibration={"temperature": 0.5, "reject_below": 0.25, "nll": 1.0},
            data={"train": ["m/train.jsonl.gz"], "noise_train": [{"manifest": "m/noise.jsonl.gz", "folds": [1]}]},
        ),
    )
    for told in (
        "# tones", ": `low`, `high`.", "12,345", "0.5 s of sound", "67,890", "`python train.py run=a\\|b`", "`0123abc`",
        "`commands-12`", "0.8765", "0.250", "`m/train.jsonl.gz`", "`m/noise.jsonl.gz`", 'load("me/tones")',
        "drsn-audio classify sound.wav --model me/tones", "| seed ", "`0`",
    ):  # fmt: skip
        assert told in card, told
    assert "epoch" not in card


def test_what_is_not_told_is_not_in_the_card():
    card = generated_card("me/tones", described(labels=[]))
    for absent in ("None", "Figures", "Data", "parameters", "commit", "trained by", "calibrated", "stream", "``"):
        assert absent not in card.replace("```", ""), absent


def test_a_causal_model_is_told_to_stream():
    model = described("denoise")["model"] | {"pool": "causal"}
    assert "drsn-audio stream mic --denoise --model me/q" in generated_card("me/q", described(model=model))


def test_a_card_keeps_its_text_and_its_fields():
    text = "---\nlicense: cc-by-4.0\nlanguage: en\ntags:\n- birds\nlibrary_name: mine\n---\n# Mine\n\nWords.\n"
    card = ModelCard(hub_card("me/tones", described(), text, None))
    assert card.text.strip() == "# Mine\n\nWords."
    assert (card.data.license, card.data.language, card.data.library_name) == ("cc-by-4.0", "en", "mine")
    assert card.data.tags == ["birds", "audio", "speech", "keyword-spotting"]
    assert hub_card("me/tones", described(), card.content, "cc-by-4.0") == card.content  # pushed again


def test_front_matter_alone_goes_above_a_made_card():
    card = ModelCard(hub_card("me/tones", described(), "---\nlicense: mit\nlanguage: de\n---\n", None))
    assert card.data.language == "de"
    assert card.text.strip() == generated_card("me/tones", described()).strip()


@pytest.mark.parametrize("text", ["# A card\n", "\ufeff# A card\n", "# A card\n\n---\n\nmore: colons: here\n\n---\n"])
def test_a_card_without_front_matter_gets_one(text):
    whole = hub_card("me/tones", described(), text, "mit")
    assert "\nlicense: mit\n" in whole.partition("\n---\n")[0] + "\n"
    assert ModelCard(whole).text.strip() == text.removeprefix("\ufeff").strip()


@pytest.mark.parametrize(
    ("text", "licence", "message"),
    [
        (None, None, "give --license ID"),
        (None, "my own!", "no licence of the Hub"),
        ("---\nlicense: mit\n---\nx", "apache-2.0", r"in different ways \(card: mit, --license: apache-2.0\)"),
        ("---\n- a\n- b\n---\nx", "mit", "front matter"),
        ("---\na: [\n---\nx", "mit", "front matter"),
        (" \n", "mit", "empty"),
    ],
)
def test_cards_that_cannot_be_published(text, licence, message):
    with pytest.raises(CardError, match=message) as error:
        hub_card("me/tones", described(), text, licence)
    assert "\n" not in str(error.value)


def test_the_licence_of_a_checkpoint_is_known_and_not_undone():
    shipped = described(licence="CC BY-SA 4.0")
    assert ModelCard(hub_card("me/tones", shipped, None, None)).data.license == "cc-by-sa-4.0"
    assert ModelCard(hub_card("me/tones", shipped, None, "cc-by-sa-4.0")).data.license == "cc-by-sa-4.0"
    with pytest.raises(CardError, match=r"checkpoint: cc-by-sa-4\.0, --license: mit"):
        hub_card("me/tones", shipped, None, "mit")
