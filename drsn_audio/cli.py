"""The command drsn-audio. Results go to stdout, messages to stderr; what is wrong with the input exits with 2."""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import signal
import sys
import textwrap
import time
from collections.abc import Callable, Sequence

from drsn_audio import checks, commands, extras
from drsn_audio._version import __version__
from drsn_audio.checks import Arguments, check_arguments
from drsn_audio.commands import BAD_INPUT, one_line
from drsn_audio.datasets import mix_arguments as mixing
from drsn_audio.denoising import options as denoising
from drsn_audio.errors import InputError
from drsn_audio.evaluation import options as evaluating
from drsn_audio.explaining import options as explaining
from drsn_audio.live.options import add_options
from drsn_audio.live.options import check_options as check_stream
from drsn_audio.processes import here, is_beside_main, single_by_mistake
from drsn_audio.reports import runs_command
from drsn_audio.signals import ended_by_signals
from drsn_audio.transcribing import options as transcribing

EXTRAS = {  # library -> the extra that has it
    "pocketsphinx": "peers", "noisereduce": "peers", "pyrnnoise": "peers", "webrtc_noise_gain": "peers",
    "pesq": "enhance", "pystoi": "enhance", "speechmos": "enhance", "requests": "enhance", "librosa": "enhance",
    "pyroomacoustics": "rooms", "sounddevice": "mic", "onnxruntime": "edge", "flashlight": "lm", "jiwer": "score",
    "onnx": "export", "onnxscript": "export", "onnx_ir": "export", "huggingface_hub": "hub",
}  # fmt: skip
# What an install for exported models alone does without, docs/edge.md.
LEFT_OUT = ("lhotse", "omegaconf", "rich", "safetensors", "scipy", "soundfile", "soxr", "torch", "torchaudio")
ALONE_WITH_IT_S = 5.0  # an error, before a process beside the main one tells it
EXAMPLES = "examples, with what `make demo` leaves behind:"
SNR_ERROR = (
    "The median error, measured by benchmarks/estimate_snr.py on read speech of 2 to 23 s, is 1.0 to 1.2 dB from 0 to "
    "10 dB and 2 dB at 20 and -5 dB in steady noise (machines, rain, traffic). It is larger on single words and with "
    "long pauses (1.4 to 2.3 dB, 4 dB at 20 dB), and below 5 dB where the noise comes and goes itself (horns, music, "
    "children: 5 dB at -5 dB, mostly too high). Digital silence is left out, and 0.5 s must remain; results are kept "
    "within -10 to 35 dB."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""

    def command() -> int:
        with silent_beside_main():
            options = _parser().parse_args(arguments)
            set_log_level(options.quiet)
            if here().count > 1 and options.run not in commands.SHARED:
                raise InputError(
                    "this command is the work of one process: start it without torchrun or accelerate launch"
                )
            wrong = check_arguments(options.arguments, options)
            if wrong:
                return commands.fail_places(wrong, options)
        return options.run(options)

    return guarded(command)


def silent_beside_main() -> contextlib.AbstractContextManager:
    """Of several processes, what all of them would say alike is said by the main one alone."""
    if not is_beside_main(os.environ):
        return contextlib.nullcontext()
    silence = contextlib.ExitStack()
    for redirect in (contextlib.redirect_stdout, contextlib.redirect_stderr):
        silence.enter_context(redirect(io.StringIO()))
    return silence


def guarded(command: Callable[[], int | None], quiet: bool = False) -> int:
    """Run a command; errors in what the user gave become one line on stderr and status 2."""
    open_standard_streams()
    log = logging.getLogger("drsn_audio")
    log.handlers = [logging.StreamHandler()]  # stderr, as it is now
    set_log_level(quiet)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may hold any bytes
    if single_by_mistake(os.environ):
        log.warning("accelerate launch --cpu starts one process, however many are asked for: use torchrun")
    beside_main = is_beside_main(os.environ)
    try:
        with ended_by_signals():
            status = command() or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # e.g. | head
        return 1
    except KeyboardInterrupt as interrupt:
        if not beside_main:
            _print_error(str(interrupt) or "stopped")
        return 128 + getattr(interrupt, "signal", signal.SIGINT)
    except Exception as error:
        message = _blame(error)
        if message is None:
            raise
        if beside_main:  # what is wrong for all the main one tells, and its launcher then ends this one, too
            time.sleep(ALONE_WITH_IT_S)
        _print_error(f"error: {one_line(message)}")
        return BAD_INPUT
    finally:
        leave_standard_streams()


def set_log_level(quiet: bool) -> None:
    """Progress and notes unless `quiet`; of processes beside the main one, errors alone."""
    level = logging.ERROR if is_beside_main(os.environ) else logging.WARNING if quiet else logging.INFO
    logging.getLogger("drsn_audio").setLevel(level)


def open_standard_streams() -> None:
    """Put /dev/null where stdin, stdout or stderr is closed (`>&-`), before a file that is opened takes its place.

    What is printed there is gone, as the caller wanted, and the status is that of the work.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: mostly this one
            if null != number:
                os.dup2(null, number)
                os.close(null)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # stdin stays None: what reads it says that it is closed
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115


def leave_standard_streams() -> None:
    """Flush stdout and stderr; what cannot be written is dropped, else Python complains of it at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _print_error(line: str) -> None:
    with contextlib.suppress(OSError):  # the reader of stderr may be gone as well
        print(line, file=sys.stderr)


def _blame(error: Exception) -> str | None:
    """What to tell the user of an error in what they gave; None where the error is ours, a bug."""
    if isinstance(error, OSError) and error.strerror:
        return (
            f"{error.filename or 'a file'}: {error.strerror}: check the path, its permissions and the room on the disk"
        )
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("drsn_audio"):
        library = error.name.partition(".")[0]
        if library in LEFT_OUT:
            return f"{library} is not installed: pip install {library}"
        return f"{library} is not installed: {extras.install_command(EXTRAS.get(library, 'train'))}"
    return str(error) if isinstance(error, InputError) else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="drsn-audio", description="Speech recognition in strong noise.")
    parser.add_argument("--version", action="version", version=f"drsn-audio {__version__}")
    quiet = "no progress, no notes on stderr"
    model = "a shipped model, a run folder, a checkpoint's .json, or owner/name of the Hugging Face Hub"
    parser.add_argument("--quiet", action="store_true", help=quiet)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str,
        run: Callable[[argparse.Namespace], int],
        text: str,
        *examples: str,
        more: str = "",
        arguments: Arguments,
    ) -> argparse.ArgumentParser:
        sub = subparsers.add_parser(
            name,
            help=text,
            description=textwrap.fill(f"{text} {more}", 79),
            epilog="\n  ".join([EXAMPLES, *examples]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        # Before the command or after it: here only where it is given, or this default would undo the other.
        sub.add_argument("--quiet", action="store_true", default=argparse.SUPPRESS, help=quiet)
        sub.set_defaults(run=run, arguments=arguments)
        return sub

    sub = command(
        "prepare", commands.prepare, "Read a corpus, write its Lhotse manifests.",
        "drsn-audio prepare folder runs/demo/data/commands/test manifests/words test_share=0.5",
        "drsn-audio prepare synthetic-noise manifests/noise count=2 duration_s=5",
        arguments=Arguments(more=(checks.check_prepared,)),
    )  # fmt: skip
    sub.add_argument("corpus", metavar="CORPUS", help="speech-commands, urbansound8k, ...; see data/README.md")
    sub.add_argument(
        "places",
        metavar="SOURCE OUT [key=value]",
        nargs="+",
        help="voices, synthetic-noise and rooms have no SOURCE",
    )

    sub = command(
        "mix", commands.mix, "Mix speech with noise at chosen signal-to-noise ratios.",
        "drsn-audio mix runs/demo/data/commands/test street factory --snr 20 5 -5 -o mixes",
        "drsn-audio mix --from-manifest mixes/mix.jsonl.gz -o mixes-again",
        more="Interrupted, the same command goes on where it stopped. The manifest, mix.jsonl.gz, names everything "
        "that was drawn, and --from-manifest makes the same files from it.",
        arguments=Arguments(sound=("speech",), noise=("noise", "background"), files=("from_manifest",), out="out",
            more=(mixing.check_options, checks.check_jobs, checks.check_rooms)),
    )  # fmt: skip
    mixing.add_options(sub)

    sub = command(
        "shard", commands.shard, "Put the speech of manifests into shards, to train on from slow or far disks.",
        "drsn-audio shard runs/demo/data/commands/test.jsonl.gz -o shards --shard-size 100",
        more="Interrupted, the same command goes on where it stopped. The folder is then named where training takes a "
        "manifest: data.train=[shards].",
        arguments=Arguments(manifests=("manifests",), out_folder="out", more=(checks.check_jobs,)),
    )  # fmt: skip
    sub.add_argument("manifests", metavar="CUTS", nargs="+", help="speech manifests")
    sub.add_argument("-o", "--out", required=True, help="the folder")
    sub.add_argument("--shard-size", type=int, default=1000, metavar="N", help="utterances a shard (default: 1000)")
    sub.add_argument(
        "--format",
        choices=("flac", "wav"),
        default="flac",
        help="flac: 16 or 24 bits, lossy files stay as they are; wav: floats, too; both lose nothing (default: flac)",
    )
    order = sub.add_mutually_exclusive_group()
    order.add_argument("--shuffle", type=int, default=0, metavar="SEED", help="of the order (default: 0)")
    order.add_argument("--in-order", action="store_true", help="as in the manifests: training shuffles less far later")
    sub.add_argument("--jobs", type=int, default=1, metavar="N", help="processes (default: 1)")

    sub = command(
        "estimate-snr", commands.estimate_snr, "Signal-to-noise ratio of each file, of which nothing else is known.",
        "drsn-audio estimate-snr runs/demo/noisy.wav --json",
        more=SNR_ERROR,
        arguments=Arguments(sound=("paths",)),
    )  # fmt: skip
    sub.add_argument("paths", metavar="PATH", nargs="+", help="files, folders, globs")
    sub.add_argument("--json", action="store_true", help="one JSON object a line")

    sub = command(
        "classify", commands.classify, "Name the keywords in each file, and where they are.",
        "drsn-audio classify runs/demo/noisy.wav",
        "drsn-audio classify runs/demo/noisy.wav --model runs/demo --json",
        arguments=Arguments(model="model", task="classify", sound=("paths",), out_file="out",
            more=(checks.check_answers,)),
    )  # fmt: skip
    sub.add_argument("paths", metavar="PATH", nargs="+", help="files, folders, globs, manifests of cuts (.jsonl.gz)")
    sub.add_argument(
        "--model",
        default="commands-12",
        metavar="M",
        help=f"{model} (default: commands-12)",
    )
    sub.add_argument("--json", action="store_true", help="one JSON object a line")
    sub.add_argument("-o", "--out", metavar="FILE", help="write them there as JSON, a line each (default: on stdout)")
    sub.add_argument("--resume", action="store_true", help="keep what an earlier run, cut short, has heard for FILE")
    sub.add_argument(
        "--reject-below",
        type=float,
        metavar="P",
        help="keywords less probable are answered with unknown; 0 turns it off (default: what the model was calibrated "
        "to, and in files longer than its clip at least 0.5)",
    )
    sub.add_argument("--device", default="cpu", help="cpu, cuda, mps (default: cpu)")

    sub = command(
        "transcribe", commands.transcribe, "Write what is said in each file.",
        "drsn-audio transcribe runs/demo/words.wav",
        "drsn-audio transcribe runs/demo/data/commands/test --format srt -o subtitles",
        more="Files may last for hours. What cannot be read is told, and the others are written.",
        arguments=Arguments(model="model", task="transcribe", sound=("paths",), out_folder="out",
            files=("reference", "language_model", "lexicon"), more=(transcribing.check_options,)),
    )  # fmt: skip
    transcribing.add_options(sub, model)

    sub = command(
        "denoise", commands.denoise, "Take the noise out of each file.",
        "drsn-audio denoise runs/demo/noisy.wav -o clean.flac",
        "drsn-audio denoise runs/demo/data/commands/test -o clean --blend 0.2",
        more="What is written has the rate, length and channels of what is read. Files may last for hours. What cannot "
        "be read is told, and the others are written.",
        arguments=Arguments(model="model", task="denoise", sound=("paths",), out="out",
            more=(denoising.check_options,)),
    )  # fmt: skip
    denoising.add_options(sub, model)

    sub = command(
        "explain", commands.explain, "Draw the thresholds of a model under the spectrogram, and what they set to zero.",
        "drsn-audio explain runs/demo/noisy.wav",
        "drsn-audio explain runs/demo/noisy.wav --model words-20-stream -o words.svg --json",
        more="A picture for each file: its spectrogram, and under it, block by block, the thresholds over channels, "
        "frequency and time, and what was set to zero. docs/explain.md says how to read it.",
        arguments=Arguments(model="model", task="explain", sound=("paths",), out="out",
            more=(explaining.check_options,)),
    )  # fmt: skip
    explaining.add_options(sub, model)

    sub = command(
        "stream", commands.stream, "Name the keywords in live sound, write what is said, or denoise it, as it comes.",
        "drsn-audio stream runs/demo/noisy.wav --json",
        more="A line for each: when it was heard (of a model that writes: where it is), the word, its score. Ctrl-C "
        "ends it, with a summary. Raw PCM may "
        "come through a pipe: arecord -f S16_LE -r 16000 -t raw | drsn-audio stream -",
        arguments=Arguments(model="model", task="stream", files=("reference",), more=(check_stream,)),
    )  # fmt: skip
    add_options(sub, model)

    sub = command(
        "export", commands.export, "Write a streaming model as ONNX, which runs without torch.",
        "drsn-audio export commands-12-stream --onnx commands.onnx --int8",
        more="What became of its numbers, measured on a minute of noisy speech, is printed, and written beside it.",
        arguments=Arguments(model="model", task="export", files=("audio",), out_file="onnx",
            more=(checks.check_onnx_name,)),
    )  # fmt: skip
    sub.add_argument("model", metavar="MODEL", help=model)
    sub.add_argument("--onnx", required=True, metavar="OUT", help="the file, OUT.onnx")
    sub.add_argument("--int8", action="store_true", help="OUT.int8.onnx, too: convolutions in 8 bits")
    sub.add_argument(
        "--blocks",
        type=int,
        metavar="N",
        help="blocks of the model that a step hears: more take less time, and tell later (default: 1; 4 of a model "
        "that writes)",
    )
    sub.add_argument("--audio", metavar="WAV", help="compare on this sound (default: speech is made for it)")

    sub = command(
        "push", commands.push, "Publish a model on the Hugging Face Hub, with its card, in one commit.",
        "drsn-audio push runs/demo your-name/tones --license mit --dry-run upload",
        more="The address of the commit is printed. Log in before: hf auth login, or HF_TOKEN. What the checkpoint "
        "says of its training goes with it, the command and the paths of the data, too.",
        arguments=Arguments(model="model", files=("card",), out_folder="dry_run", more=(checks.check_repo,)),
    )  # fmt: skip
    sub.add_argument("model", metavar="MODEL", help=f"{model}; of a run folder, its best checkpoint")
    sub.add_argument("repo", metavar="REPO", help="owner/name; it is made where it is not there")
    sub.add_argument("--private", action="store_true", help="seen by its owner alone; refused where REPO is public")
    sub.add_argument(
        "--card",
        metavar="CARD.md",
        help="its model card (default: the one beside the checkpoint, or a short one is made)",
    )
    sub.add_argument(
        "--license",
        metavar="ID",
        help="of the weights, as the Hub names it: mit, cc-by-4.0, other (shipped models tell)",
    )
    sub.add_argument("--message", metavar="M", help="of the commit")
    sub.add_argument("--dry-run", metavar="FOLDER", help="write the files there, and publish nothing")

    sub = command(
        "evaluate", commands.evaluate, "Accuracy or word error rate of a model, clean and per noise and SNR.",
        "drsn-audio evaluate --model runs/demo --manifest runs/demo/data/commands/test.jsonl.gz \\\n"
        "    --noise runs/demo/data/noise/noise.jsonl.gz --folds 5 --snr 20 0 -5 -o results",
        arguments=Arguments(model="model", manifests=("manifest", "noise"), files=("language_model", "lexicon"),
            out_folder="out", more=(evaluating.check_options, transcribing.check_beam)),
    )  # fmt: skip
    evaluating.add_options(sub, model)
    transcribing.add_beam_options(sub)

    sub = command(
        "runs", commands.runs, "List trainings: what each is, how far it has come, and how good it is.",
        "drsn-audio runs", "drsn-audio runs runs/demo --json",
        arguments=Arguments(),
    )  # fmt: skip
    runs_command.add_options(sub)
    return parser
