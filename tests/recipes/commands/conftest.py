"""The recipe of connected words."""

import pytest


@pytest.fixture
def folder(folder):
    return folder.parent / "commands"
