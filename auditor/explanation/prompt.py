"""A prompt: its front matter, and its two parts as templates, which data can fill but not change."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, Undefined, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from auditor.errors import BadInput
from auditor.explanation.brief import Brief, Purpose
from auditor.explanation.briefing.sizing import LEAST_TOKENS, MOST_TOKENS
from auditor.explanation.sample import sample_briefs
from auditor.explanation.untrusted import Block, data_block, shown

FENCE: Final = "+++"
OUTPUTS: Final = {
    Purpose.INCIDENT_OPENED: "explanation",
    Purpose.INCIDENT_RESOLVED: "explanation",
    Purpose.DAILY_DIGEST: "digest",
}
"""The name of the schema that an answer for a purpose keeps."""
PARTS: Final = ("system", "user")
LONGEST_PROMPT: Final = 200_000
"""Characters; a template that renders to more has run away."""


class PromptSettings(BaseModel):
    """How a model is asked.

    `temperature` is 0..2, or left to the server where it is not given. `brief_tokens` is the estimated size that the
    brief is cut to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    max_output_tokens: int = Field(ge=64, le=32_768)
    temperature: float | None = Field(default=None, ge=0.0, le=2.0)
    brief_tokens: int = Field(default=MOST_TOKENS, ge=LEAST_TOKENS, le=100_000)


class _FrontMatter(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: str
    version: int = Field(ge=1)
    purpose: str
    output: str
    settings: PromptSettings


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that has been checked and tried.

    Parameters
    ----------
    id
        Its name, that of its file.
    version
        Raised with every change that is meant to change answers; see prompts/CHANGELOG.md.
    purpose
        What it asks for.
    output
        The name of the answer's schema.
    settings
        How the model is asked.
    hash
        SHA-256 of the whole file, in hexadecimal.
    parts
        The templates of the system's and the user's message.
    """

    id: str
    version: int
    purpose: Purpose
    output: str
    settings: PromptSettings
    hash: str
    parts: dict[str, Template] = field(repr=False, compare=False)


def parse_prompt(name: str, text: str) -> Prompt:
    """Read a prompt, and try it on sample briefs.

    Parameters
    ----------
    name
        What the file is called, for messages.
    text
        TOML between two lines of `+++`, then a Jinja template of two blocks, `system` and `user`. The first is the same for
        every incident and sees no data; the second sees `brief`, the data of the brief.

    Raises
    ------
    BadInput
        If anything is wrong with it; one sentence that names the file, the place and the mend.
    """
    front, body, lines_before = _divided(name, text)
    matter = _front_matter(name, front)
    purpose = _purpose(name, matter)
    prompt = Prompt(
        id=matter.id,
        version=matter.version,
        purpose=purpose,
        output=matter.output,
        settings=matter.settings,
        hash=hashlib.sha256(text.encode()).hexdigest(),
        parts=_parts(name, body, lines_before),
    )
    for brief in sample_briefs(purpose):
        _tried(name, prompt, brief)
    return prompt


def render(prompt: Prompt, brief: Brief) -> list[dict[str, str]]:
    """The messages for a model, `{"role", "content"}`: first the system's, which no data reaches, then the user's.

    Raises
    ------
    BadInput
        If the prompt's template fails on this brief although it did not on the samples.
    """
    return _tried(prompt.id, prompt, brief)


def _tried(name: str, prompt: Prompt, brief: Brief) -> list[dict[str, str]]:
    messages = []
    for part in PARTS:
        known = {"brief": brief.data} if part == "user" else {}
        try:
            content = prompt.parts[part].render(known).strip()
        except Exception as error:  # noqa: BLE001 - a template is somebody's program, and may fail in any way
            hint = " (the system part sees no data: move it to the user part)" if part == "system" else ""
            raise BadInput(
                f"The prompt {name} cannot be rendered: its {part} part fails with {_said(error)}{hint}."
            ) from None
        if not content or len(content) > LONGEST_PROMPT:
            raise BadInput(
                f"The prompt {name} cannot be used: its {part} part renders to {len(content)} characters."
            )
        messages.append({"role": part, "content": content})
    return messages


def _divided(name: str, text: str) -> tuple[str, str, int]:
    """Front matter, body, and the lines before the body."""
    lines = text.split("\n")
    if lines[0].strip() != FENCE:
        raise BadInput(f"The prompt {name} has no front matter: it has to begin with a line {FENCE}.")
    for i, line in enumerate(lines[1:], 1):
        if line.strip() == FENCE:
            return "\n".join(lines[1:i]), "\n".join(lines[i + 1 :]), i + 1
    raise BadInput(
        f"The front matter of the prompt {name} does not end: close it with a second line {FENCE}."
    )


def _front_matter(name: str, front: str) -> _FrontMatter:
    try:
        return _FrontMatter.model_validate(tomllib.loads(front))
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"The front matter of the prompt {name} is not valid TOML: {error}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        wrong = {"missing": "is missing", "extra_forbidden": "is not known"}.get(
            first["type"], f"is not usable: {first['msg'][:1].lower()}{first['msg'][1:]}"
        )
        raise BadInput(f"The front matter of the prompt {name} is wrong: {where} {wrong}.") from None


def _purpose(name: str, matter: _FrontMatter) -> Purpose:
    known = ", ".join(Purpose)
    for key, value in (("id", matter.id), ("purpose", matter.purpose)):
        if value not in tuple(Purpose):
            raise BadInput(f"The prompt {name} has an unknown {key} {value!r}: choose one of {known}.")
    if matter.id != matter.purpose:
        raise BadInput(
            f"The prompt {name} is called {matter.id} and is for {matter.purpose}: make them the same."
        )
    purpose = Purpose(matter.purpose)
    if matter.output != OUTPUTS[purpose]:
        raise BadInput(
            f"The prompt {name} has the output {matter.output!r}: {purpose} needs {OUTPUTS[purpose]!r}."
        )
    return purpose


def _finalised(value: Any) -> Any:
    return str(value) if isinstance(value, Undefined) else shown(value)


def _data(value: Any) -> Block:
    if isinstance(value, Undefined):
        str(value)  # raises, and says which name it is
    return data_block(value)


class _Environment(ImmutableSandboxedEnvironment):
    """Templates see no files and no modules, cannot change what they are given, and show data through `shown` alone.

    A name after a dot is a field of the data, never a method: `brief.keys` are the cache keys.
    """

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)


def _environment() -> _Environment:
    environment = _Environment(
        undefined=StrictUndefined, finalize=_finalised, autoescape=False, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["data"] = _data
    return environment


_ENVIRONMENT: Final = _environment()


def _parts(name: str, body: str, lines_before: int) -> dict[str, Template]:
    try:
        tree = _ENVIRONMENT.parse(body)
        blocks = [node for node in tree.body if isinstance(node, nodes.Block)]
        _check_blocks(name, tree.body, blocks)
        bodies = {block.name: nodes.Template(block.body, lineno=1) for block in blocks}
        return {part: _ENVIRONMENT.from_string(bodies[part]) for part in PARTS}
    except TemplateSyntaxError as error:
        raise BadInput(
            f"The prompt {name} is not a valid template: line {lines_before + error.lineno}: {_said(error)}."
        ) from None


def _check_blocks(name: str, body: list[nodes.Node], blocks: list[nodes.Block]) -> None:
    rest = [node for node in body if not isinstance(node, nodes.Block) and not _is_space(node)]
    if rest or sorted(block.name for block in blocks) != sorted(PARTS):
        raise BadInput(
            f"The prompt {name} does not have its two parts: put everything into {{% block system %}} … {{% endblock %}} and "
            "{% block user %} … {% endblock %}, once each."
        )


def _is_space(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Output) and all(
        isinstance(part, nodes.TemplateData) and not part.data.strip() for part in node.nodes
    )


def _said(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


__all__ = ["OUTPUTS", "Prompt", "PromptSettings", "parse_prompt", "render"]
