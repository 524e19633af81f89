"""The recipe of denoising."""

import pytest


@pytest.fixture
def folder(folder):
    return folder.parent / "denoise"
