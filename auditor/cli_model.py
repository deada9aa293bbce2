"""The command line of what a model does: explain, digest, eval. As in `auditor.cli`, nothing heavy is imported here."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from auditor.cli_options import Form, Format

model_app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
"""Its commands stand among those of the command line itself."""


@model_app.command("explain")
def _explain(
    name: Annotated[str, typer.Argument(help="The observation's id, its beginning, or its fingerprint.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the exact prompt; nothing is asked.")
    ] = False,
    form: Format = Form.TEXT,
) -> None:
    """Have the model explain an incident again, within the caps."""
    from auditor.commands.explain import explain

    explain(name, dry_run=dry_run, output_format=form)


@model_app.command("digest")
def _digest(
    day: Annotated[
        str | None, typer.Option(help="The day (UTC), like 2026-01-31; by default yesterday.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the exact prompt; nothing is asked.")
    ] = False,
    form: Format = Form.TEXT,
) -> None:
    """Print a day in words: what happened, what it cost, and what was not audited."""
    from auditor.commands.digest import digest

    digest(day=day, dry_run=dry_run, output_format=form)


@model_app.command("eval")
def _eval(
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            help="A model instead of the configured one, at the configured server or as model@https://address/v1; repeatable.",
        ),
    ] = None,
    prompts: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of prompts instead of the configured one; repeatable.", metavar="DIR"),
    ] = None,
    evals: Annotated[
        Path | None,
        typer.Option(help="A folder of recorded incidents instead of those that come along.", metavar="DIR"),
    ] = None,
    incidents: Annotated[
        list[str] | None, typer.Option("--incident", help="Only this recorded incident; repeatable.")
    ] = None,
    fail_under: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Exit 1 where a smaller share of the incidents passes, 0 to 1."),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Questions at a time.")] = 2,
    deadline: Annotated[
        float, typer.Option(min=1, max=600, help="The longest that one answer may take, in seconds.")
    ] = 60.0,
    key_from: Annotated[
        str | None,
        typer.Option(
            help="Environment variable with the key for servers that --model names; the configured key goes to the configured "
            "server alone.",
            metavar="NAME",
        ),
    ] = None,
    form: Format = Form.TEXT,
) -> None:
    """Grade models and prompts on recorded incidents; it asks the model once for each, and the budget does not count it."""
    from auditor.commands.evaluate import evaluate

    evaluate(
        models=models or [],
        prompts=prompts or [],
        evals=evals,
        incidents=incidents or [],
        fail_under=fail_under,
        concurrency=concurrency,
        deadline_seconds=deadline,
        key_variable=key_from,
        output_format=form,
    )
