"""evidence.py as the command line calls it, and the costs that it reads."""

import importlib.util
import json
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

SCRIPT = Path(__file__).resolve().parents[2] / "recipes" / "keywords" / "evidence.py"
COST = {"parameters": 100, **{key: {"ms": 2.0, "ratio": 1.5} for key in ("training", "inference", "inference_64")}}


@pytest.fixture
def call(monkeypatch, capsys):
    """Status, and the lines of stdout and stderr."""
    spec = importlib.util.spec_from_file_location("evidence_script", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    def run(*words):
        monkeypatch.setattr("sys.argv", [str(SCRIPT), *map(str, words)])
        status = script.main()
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    return run


@pytest.fixture
def done(plan, put):
    """The YAML, and the folder of results of two models on one fold."""
    planned = plan()
    put(planned, "se-fold1-seed0", lambda kind, snr_db: 10)
    put(planned, "drsn-frequency-fold1-seed0", lambda kind, snr_db: 15)
    return Path(planned.sweep.config).with_name("main.yaml"), Path(planned.sweep.results)


@pytest.mark.slow
def test_it_writes_beside_the_results(call, done):
    path, results = done
    before = {one.name for one in results.iterdir()}
    (results / "costs.json").write_text(json.dumps({"schema": 1, "models": {"se": COST}}))
    status, out, _ = call(path, f"results={results}", "--pairs", "se:drsn-frequency")
    made = ["tables.json", "tables.md", "accuracy.png", "differences.png", "sizes.png"]
    assert (status, out) == (0, [f"{results}/{name}" for name in made])
    assert {one.name for one in results.iterdir()} == before | {*made, "costs.json"}
    facts = json.loads((results / "tables.json").read_text())
    assert [row["cost"] for row in facts["rows"]] == [COST, None]
    assert facts["pairs"][0]["columns"]["mean"]["mean"] == pytest.approx(-0.25)
    assert "2.00 (x 1.50)" in (results / "tables.md").read_text()


@pytest.mark.slow
def test_pages_take_the_first_tables_or_the_briefest(call, done, tmp_path):
    path, results = done
    page, brief = tmp_path / "page.md", tmp_path / "brief.md"
    mark = f"<!-- {results.name}: written by a command -->"
    page.write_text(f"before\n\n{mark}\nas it was\n<!-- end -->\n\nafter\n")
    brief.write_text(f"<!-- {results.name}-differences: written by a command -->\nas it was\n<!-- end -->\n")
    status, out, _ = call(path, f"results={results}", "--page", page, brief)
    assert (status, out[-2:]) == (0, [str(page), str(brief)])
    before, table, after = page.read_text().partition("| drsn-frequency |")
    assert before.startswith(f"before\n\n{mark}\n\nAccuracy in %")
    assert after.endswith("|\n\n<!-- end -->\n\nafter\n")
    assert table
    assert "| se " in after
    assert "as it was" not in page.read_text() + brief.read_text()
    rows = [line for line in brief.read_text().splitlines() if line.startswith("|")]
    assert len(rows) == 3
    assert rows[0].startswith("| drsn-frequency less |")
    assert "+25.0" in rows[2]


@pytest.mark.slow
@pytest.mark.parametrize("text", ["no mark", "<!-- NAME: written by a command -->\nno end", None])
def test_a_page_without_a_place_is_refused_before_the_work(call, done, tmp_path, text):
    path, results = done
    page = tmp_path / "page.md"
    if text is not None:
        page.write_text(text.replace("NAME", results.name))
    status, out, err = call(path, f"results={results}", "--page", page)
    assert (status, out, len(err)) == (2, [], 1)
    assert str(page) in err[0]
    assert not (results / "tables.md").exists()


@pytest.mark.slow
def test_sweeps_are_tables_of_their_own_or_one_elsewhere(call, done, plan, tmp_path):
    path, results = done
    other = path.with_name("twin.yaml")
    other.write_text(path.read_text())
    status, out, _ = call(path, other, f"results={results}", "-o", tmp_path / "both")
    assert status == 0
    assert {Path(line).parent for line in out} == {tmp_path / "both"}
    assert len(json.loads((tmp_path / "both/tables.json").read_text())["rows"]) == 4
    status, out, _ = call(path, other, f"results={results}")
    assert out.count(f"{results}/tables.md") == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ("", "not costs of models (JSONDecodeError): make it with benchmarks/model_costs.py"),
        ("[]", "not costs of models (TypeError)"),
        ('{"schema": 2}', "schema 2, this version reads 1: make it"),
        ('{"schema": 1, "models": {"se": {"parameters": 100}}}', "not costs of models (KeyError)"),
    ],
)
def test_broken_costs_are_one_line(call, done, costs, message):
    path, results = done
    (results / "costs.json").write_text(costs)
    status, _, err = call(path, f"results={results}")
    assert status == 2
    assert err[-1].startswith(f"error: {results}/costs.json: {message}")


@pytest.mark.slow
def test_what_cannot_be_used_is_one_line(call, done, tmp_path):
    path, results = done
    here = f"results={results}"
    for words, message in (
        ((here,), "error: no sweep: name its YAML"),
        ((tmp_path / "none.yaml",), f"error: {tmp_path}/none.yaml: no such sweep"),
        ((path, here, "--pairs", "se"), "error: --pairs se: give two models, such as drsn-cw:se"),
        ((path, here, "--ours", "cw"), "error: cw: no such model"),
        ((path, here, "--costs", tmp_path / "none.json"), f"error: {tmp_path}/none.json: cannot be read"),
        ((path, f"results={tmp_path}/new"), f"error: {tmp_path}/new: no run is done yet"),
    ):
        status, out, err = call(*words)
        assert (status, out) == (2, [])
        assert err[-1].startswith(message)
    assert not (tmp_path / "new").exists()
