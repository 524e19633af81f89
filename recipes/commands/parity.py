"""Does the stream write what the model writes of the whole sound? Every test string, in PyTorch and exported to ONNX.

The answer is printed, and written into the run folder as parity.json; near ties are named. Exit status 1 where a text
differs and it is no near tie.

example:
  python recipes/commands/parity.py runs/words-20-stream
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from drsn_audio.cli import guarded
from drsn_audio.config import load_config


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of train.py")
    parser.add_argument("--manifest", nargs="+", metavar="CUTS", help="default: data.test of the run's config")
    parser.add_argument("--seed", type=int, default=0, help="of the chunks that are fed (default: 0)")
    parser.add_argument("-o", "--out", type=Path, metavar="JSON", help="default: parity.json in the run folder")
    options = parser.parse_args()

    def run() -> int:
        manifests = options.manifest or load_config(options.run / "config.yaml").data.test
        facts = answer(options.run, manifests, options.seed)
        out = options.out or options.run / "parity.json"
        out.write_text(json.dumps(facts, indent=1) + "\n")
        from drsn_audio.evaluation.text_parity import parity_lines

        print("\n".join([*parity_lines(facts), str(out)]))
        return int(any(form["differences"] for form in facts["streams"].values()))

    return guarded(run)


def answer(model: Path, manifests: list[str], seed: int) -> dict[str, Any]:
    """Facts of `text_parity`, and where they are from."""
    import torch

    from drsn_audio.api import load_transcriber
    from drsn_audio.datasets.manifests import file_sha256, read_cuts
    from drsn_audio.evaluation.provenance import provenance
    from drsn_audio.evaluation.text_parity import text_parity
    from drsn_audio.export.onnx import export_onnx
    from drsn_audio.export.run import WRITING_BLOCKS
    from drsn_audio.progress import ProgressBar
    from drsn_audio.streaming.onnx import OnnxStream

    torch.set_num_threads(1)  # chunks are too little to share: threads would wait for each other
    writer, cuts = load_transcriber(model), read_cuts(manifests)
    with tempfile.TemporaryDirectory() as folder, ProgressBar() as progress:
        path = Path(folder) / "model.onnx"
        form: dict[str, Any] = {"timing": writer.timing, "temperature": writer.temperature, "blocks": WRITING_BLOCKS}
        export_onnx(writer.module, path, **form, about={})
        facts = text_parity(
            writer.module,
            writer.units,
            {"PyTorch": writer.stream(), "ONNX": OnnxStream(path)},
            cuts,
            temperature=writer.temperature,
            seed=seed,
            progress=progress,
        )
    return {
        "checkpoint": writer.info["sha256"],
        "step": writer.info["step"],
        **facts,
        "manifests": {str(manifest): file_sha256(manifest) for manifest in manifests},
        **provenance(),
    }


if __name__ == "__main__":
    raise SystemExit(main())
