"""The command that a hint names installs the extra from wherever this package came."""

import json

import pytest

from drsn_audio import extras


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Pretend that the package is installed in a folder without pyproject.toml, with this direct_url.json."""

    def pretend(origin):
        class Distribution:
            def read_text(self, name):
                assert name == "direct_url.json"
                return origin if origin is None or isinstance(origin, str) else json.dumps(origin)

        (tmp_path / "site-packages/drsn_audio").mkdir(parents=True, exist_ok=True)
        monkeypatch.setattr(extras, "__file__", str(tmp_path / "site-packages/drsn_audio/extras.py"))
        monkeypatch.setattr(extras.metadata, "distribution", lambda name: Distribution())

    return pretend


def test_of_a_checkout(monkeypatch, tmp_path):
    folder = tmp_path / "my checkout"
    (folder / "drsn_audio").mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    monkeypatch.setattr(extras, "__file__", str(folder / "drsn_audio/extras.py"))
    assert extras.install_command("mic") == f"pip install -e '{folder.resolve()}[mic]'"


def test_of_an_index(installed):
    for origin in (None, "", "no json", "[]"):
        installed(origin)
        assert extras.install_command("mic") == "pip install 'drsn-audio[mic]'"


def test_of_a_folder_and_of_a_file(installed, tmp_path):
    folder = tmp_path / "src"
    folder.mkdir()
    installed({"url": folder.as_uri(), "dir_info": {}})
    assert extras.install_command("mic") == f"pip install '{folder}[mic]'"
    installed({"url": folder.as_uri(), "dir_info": {"editable": True}})
    assert extras.install_command("mic") == f"pip install -e '{folder}[mic]'"
    wheel = folder / "drsn_audio-1-py3-none-any.whl"
    wheel.touch()
    installed({"url": wheel.as_uri(), "archive_info": {}})
    assert extras.install_command("hub") == f"pip install 'drsn-audio[hub] @ {wheel.as_uri()}'"
    wheel.unlink()
    assert extras.install_command("hub") == "pip install 'drsn-audio[hub]'"


def test_of_a_repository(installed):
    installed({"url": "https://example.org/d.git", "vcs_info": {"vcs": "git", "commit_id": "0"}})
    assert extras.install_command("lm") == "pip install 'drsn-audio[lm] @ git+https://example.org/d.git'"
