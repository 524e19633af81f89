"""Imports go strictly downward, and heavy libraries are imported where they are used."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOP_FOLDERS = ("drsn_audio", "recipes", "benchmarks")

LAYERS = (
    ("_version", "downmix", "errors", "extras", "files", "labels", "presets", "pretrained"),
    (
        *("config", "audio", "forking", "hub", "memory", "overlap", "processes", "progress", "projection"),
        *("signals", "smoothing", "text"),
    ),
    ("nn", "frontends", "noise", "metrics", "decoding", "hearing", "journal", "model_sources"),
    ("models", "corpora", "checks"),
    ("datasets", "streaming"),
    ("export", "evaluation", "reports", "transcribing", "denoising"),
    ("training",),
    ("api",),
    ("live", "classifying", "evaluating", "explaining", "publishing"),
    ("commands", "comparing", "sweeping"),
    ("cli",),
    ("recipe",),
    ("__main__", "recipes", "benchmarks"),
)
LAYER = {part: height for height, parts in enumerate(LAYERS) for part in parts}

HEAVY = ("matplotlib", "accelerate", "tensorboard", "torch.utils.tensorboard", "librosa", "espeakng_loader")
HEAVY_ALLOWED = {("training", "accelerate")}


def imports(tree: ast.Module, package: str) -> Iterator[tuple[str, bool]]:
    """Names imported, in full (`package` resolves relative ones), and whether at import of the module."""

    def visit(node: ast.AST, at_import: bool) -> Iterator[tuple[str, bool]]:
        if isinstance(node, ast.Import):
            yield from ((alias.name, at_import) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *filter(None, [node.module])])
            yield from ((f"{base}.{alias.name}", at_import) for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for child in node.body:
                yield from visit(child, False)
            for child in node.orelse:
                yield from visit(child, at_import)
        else:
            inside = at_import and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                yield from visit(child, inside)

    yield from visit(tree, True)


def part_of(name: str) -> str | None:
    """What a full name belongs to: "drsn_audio.noise.mix" -> "noise"; None for other libraries."""
    top, *rest = name.split(".")
    if top == "drsn_audio":
        return rest[0] if rest else "drsn_audio"
    return top if top in TOP_FOLDERS else None


def violations(source: str, path: str) -> list[str]:
    """What a module imports against the rules, a line each; `path` is relative to the repository."""
    name = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
    part = part_of(name)
    found = []
    if part not in LAYER and part != "drsn_audio":
        found.append(f"{path}: {part} is in no layer: give it one in LAYERS of tests/test_layers.py")
    for imported, at_import in imports(ast.parse(source), package):
        target = part_of(imported)
        heavy = next((lib for lib in HEAVY if f"{imported}.".startswith(f"{lib}.")), None)
        if heavy and at_import and (part, heavy) not in HEAVY_ALLOWED:
            found.append(f"{path}: imports {heavy} at module level: import it in the function that needs it")
        if target is None or target == part != "drsn_audio":
            continue
        if part == "drsn_audio":  # the package itself, whose names are loaded when they are asked for
            if at_import and target != "_version":
                found.append(f"{path}: imports {imported} at once: load it lazily")
        elif part in ("recipes", "benchmarks") and target not in ("recipes", "benchmarks"):
            continue
        elif imported != "drsn_audio.__version__" and LAYER.get(target, len(LAYERS)) >= LAYER.get(part, 0):
            found.append(f"{path}: {part} imports {imported}, which is not below it")
    return found


def modules() -> list[Path]:
    return sorted(path for folder in TOP_FOLDERS for path in (ROOT / folder).rglob("*.py"))


def test_imports_of_the_repository():
    assert len(modules()) > 10
    found = [line for path in modules() for line in violations(path.read_text(), str(path.relative_to(ROOT)))]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("module", ["drsn_audio", "drsn_audio.noise", "drsn_audio.reports.table"])
def test_torch_is_not_imported_without_need(module):
    check = f"import sys, {module}; assert 'torch' not in sys.modules and 'lhotse' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("drsn_audio/noise/mix.py", "from drsn_audio.models.encoder import Encoder"),  # upward
        ("drsn_audio/noise/mix.py", "import drsn_audio.models.encoder"),
        ("drsn_audio/noise/mix.py", "from drsn_audio import models"),
        ("drsn_audio/noise/mix.py", "from ..models import encoder"),
        ("drsn_audio/noise/__init__.py", "from ..models import encoder"),
        ("drsn_audio/models/heads/keyword.py", "from ...datasets.keyword import Clip"),
        ("drsn_audio/noise/mix.py", "from drsn_audio.metrics.keyword import accuracy"),  # a sibling
        ("drsn_audio/audio.py", "from drsn_audio.config import DataConfig"),
        ("drsn_audio/audio.py", "from . import config"),
        ("drsn_audio/noise/mix.py", "def f():\n    from drsn_audio.api import load"),  # in a function, too
        ("drsn_audio/noise/mix.py", "if TYPE_CHECKING:\n    from drsn_audio.api import load"),
        ("drsn_audio/noise/mix.py", "import drsn_audio"),  # names of the package come from above
        ("drsn_audio/noise/mix.py", "from drsn_audio import load"),
        ("drsn_audio/cli.py", "from recipes.keywords.train import main"),
        ("drsn_audio/cli.py", "import benchmarks"),
        ("benchmarks/speed.py", "from recipes.keywords.train import main"),
        ("drsn_audio/utils.py", ""),  # in no layer
        ("drsn_audio/noise/mix.py", "import drsn_audio.utils"),
        ("drsn_audio/__init__.py", "from drsn_audio.api import load"),  # at once
        ("drsn_audio/__init__.py", "from .api import load"),
        ("drsn_audio/reports/plot.py", "from matplotlib.figure import Figure"),  # heavy
        ("drsn_audio/reports/plot.py", "try:\n    import matplotlib\nexcept ImportError:\n    pass"),
        ("drsn_audio/reports/plot.py", "class A:\n    import matplotlib.figure as figure"),
        ("drsn_audio/training/loop.py", "from torch.utils.tensorboard import SummaryWriter"),
        ("drsn_audio/training/loop.py", "from torch.utils import tensorboard"),
        ("drsn_audio/evaluation/keyword.py", "from accelerate import Accelerator"),
        ("recipes/keywords/demo.py", "import espeakng_loader"),
        ("benchmarks/speed.py", "import librosa"),
    ],
)
def test_a_violation_is_caught(path, source):
    (line,) = violations(source, path)
    assert line.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("drsn_audio/models/encoder.py", "import torch\nfrom drsn_audio.nn.residual import Block"),
        ("drsn_audio/noise/mix.py", "from drsn_audio.noise.level import rms_db\nfrom .level import rms_db"),
        ("drsn_audio/models/heads/__init__.py", "from .keyword import KeywordHead"),
        (
            "drsn_audio/models/heads/keyword.py",
            "from ...nn.masking import frame_mask\nfrom ..encoder import Features",
        ),
        ("drsn_audio/models/checkpoint.py", "from drsn_audio import __version__, config"),
        ("drsn_audio/cli.py", "from drsn_audio import api\nfrom drsn_audio._version import __version__"),
        ("drsn_audio/__main__.py", "from drsn_audio.cli import main"),
        ("drsn_audio/__init__.py", "from ._version import __version__\ndef f():\n    from .api import load"),
        ("drsn_audio/__init__.py", "if TYPE_CHECKING:\n    from drsn_audio.api import load"),
        ("drsn_audio/reports/plot.py", "def f():\n    from matplotlib.figure import Figure"),
        ("drsn_audio/reports/plot.py", "if TYPE_CHECKING:\n    from matplotlib.figure import Figure"),
        ("drsn_audio/training/loop.py", "from accelerate import Accelerator"),
        ("drsn_audio/training/loop.py", "import librosas\nfrom torch.utils.data import Dataset"),
        (
            "recipes/keywords/train.py",
            "import drsn_audio\nfrom drsn_audio.cli import main\nimport recipes.keywords",
        ),
    ],
)
def test_what_is_allowed_passes(path, source):
    assert violations(source, path) == []
