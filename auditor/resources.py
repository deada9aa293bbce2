"""Where the files that travel with the code are, in a checkout and in an installed wheel alike."""

from __future__ import annotations

from pathlib import Path

from auditor.errors import BadInput

_PACKAGE = Path(__file__).resolve().parent


def migrations_folder() -> Path:
    """The folder of the SQL migrations."""
    return _resolve("migrations", _PACKAGE.parent / "supabase" / "migrations")


def prompts_folder() -> Path:
    """The folder of the prompts that came with this installation."""
    return _resolve("prompts", _PACKAGE.parent / "prompts")


def evals_folder() -> Path:
    """The folder of the recorded incidents that models and prompts are graded on."""
    return _resolve("evals", _PACKAGE.parent / "evals")


def series_model_file() -> Path:
    """The weights that series are scored with; see benchmarks/series_training.py for how they came about."""
    return _PACKAGE / "detection" / "series" / "weights.json"


def _resolve(name: str, in_checkout: Path) -> Path:
    in_wheel = _PACKAGE / "_data" / name
    for folder in (in_wheel, in_checkout):
        if folder.is_dir():
            return folder
    raise BadInput(f"The folder {name} is missing from this installation: reinstall cache-auditor.")
