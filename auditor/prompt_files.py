"""The prompts' files: read once at start, all of them checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.errors import BadInput
from auditor.explanation.brief import Purpose
from auditor.explanation.prompt import Prompt, parse_prompt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def read_prompts(folder: Path) -> Mapping[Purpose, Prompt]:
    """Read the prompt of each purpose, `<purpose>.md`, from a folder.

    Raises
    ------
    BadInput
        If the folder or a file is not there, cannot be read, or is no prompt; one sentence that names it.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise BadInput(
            f"There is no folder of prompts at {folder}: set AUDITOR_PROMPTS_DIR to one, or unset it."
        )
    return {purpose: _read(folder / f"{purpose}.md", purpose) for purpose in Purpose}


def _read(path: Path, purpose: Purpose) -> Prompt:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput(
            f"The prompt {path} is missing: copy it from the prompts that came with the auditor."
        ) from None
    except UnicodeDecodeError:
        raise BadInput(f"The prompt {path} is not UTF-8 text: save it as UTF-8.") from None
    except OSError as error:
        raise BadInput(f"The prompt {path} cannot be read: {error.strerror}.") from None
    prompt = parse_prompt(str(path), text)
    if prompt.purpose is not purpose:
        raise BadInput(f"The prompt {path} is for {prompt.purpose}: give it that name, or the id {purpose}.")
    return prompt
