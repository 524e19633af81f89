"""Tables and pictures of what is there of a sweep, finished or not: accuracy of each model by SNR and kind of noise,
and its paired difference to ours, with intervals over speakers and noise recordings. Trains nothing.

Writes tables.md, tables.json, accuracy.png, differences.png and sizes.png beside the sweep's results; with -o several
sweeps are one table, there. A model's costs are those of costs.json (benchmarks/model_costs.py) beside the results.
With --page the first tables also go into a markdown page, between <!-- FOLDER: written by a command --> and
<!-- end -->, FOLDER being the name of the results'; with FOLDER-differences in that place, only the briefest of them.

examples:
  python recipes/keywords/evidence.py recipes/keywords/sweeps/evidence.yaml
  python recipes/keywords/evidence.py recipes/keywords/sweeps/evidence.yaml --pairs drsn-cw:se se-frequency:se \\
    --page recipes/keywords/RESULTS.md docs/evidence.md
  python recipes/keywords/evidence.py recipes/keywords/sweeps/evidence.yaml recipes/keywords/sweeps/variants.yaml \\
    -o runs/both --ours gain
"""

from __future__ import annotations

import argparse

from drsn_audio.cli import guarded


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="+", metavar="SWEEP.yaml | key=value", help="sweeps, and overrides of sweep.py")
    parser.add_argument("-o", "--out", default="", metavar="FOLDER", help="one table of all the sweeps, there")
    parser.add_argument(
        "--ours", default="", metavar="MODEL", help="compared with every other (default: drsn-frequency, or a drsn)"
    )
    parser.add_argument("--pairs", nargs="+", default=[], metavar="A:B", help="further differences, A less B")
    parser.add_argument("--costs", default="", metavar="FILE", help="default: costs.json beside the results")
    parser.add_argument("--page", nargs="+", default=[], metavar="FILE.md", help="put tables there, too")
    options = parser.parse_intermixed_args()

    def run() -> int:
        from drsn_audio.sweeping.evidence_command import prove

        return prove(options)

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
