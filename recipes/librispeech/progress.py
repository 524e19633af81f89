"""Loss and character error rate of a training, epoch by epoch, of one that is still going on, too.

example:
  python recipes/librispeech/progress.py runs/librispeech-mini
"""

from __future__ import annotations

import argparse
from pathlib import Path

from drsn_audio.cli import guarded


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run folder of train.py")
    parser.add_argument("-o", "--out", type=Path, help="folder of progress.png (default: the run folder)")
    parser.add_argument("--rows", type=int, default=12, help="of the table, at most about so many (default: 12)")
    options = parser.parse_args()

    def run() -> None:
        from drsn_audio.reports.progress import plot_progress, progress_table, read_log

        log = read_log(options.run / "log.jsonl")
        picture = (options.out or options.run) / "progress.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        plot_progress(log, picture)
        print(progress_table(log, options.rows))
        print(picture)

    return guarded(run)


if __name__ == "__main__":
    raise SystemExit(main())
