"""The command line: what there is to call, its options, and how failures end. What the commands do is in `auditor.commands`.

Nothing heavy is imported here, so that `auditor --help` answers at once.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Final

import typer

from auditor.cli_model import model_app
from auditor.cli_options import Cache, EngineersVerdict, Form, Format
from auditor.errors import AuditorError
from auditor.streams import ReaderGone

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED: Final = 130


_OPTIONS: Final = {
    "rich_markup_mode": None,
    "no_args_is_help": True,
    "add_completion": False,
    "pretty_exceptions_enable": False,
}

app = typer.Typer(
    name="auditor",
    help="Watches the one-minute windows of caches, tests them against learned baselines, and says what broke and why.",
    context_settings={"help_option_names": ["-h", "--help"]},
    **_OPTIONS,  # type: ignore[arg-type]  # one set of options for every level
)
baseline_app = typer.Typer(help="What is normal for a cache: learn it, look at it, choose it.", **_OPTIONS)  # type: ignore[arg-type]  # as above
observations_app = typer.Typer(help="What the auditor found: list it, read it, answer it.", **_OPTIONS)  # type: ignore[arg-type]  # as above
app.add_typer(model_app)
app.add_typer(baseline_app, name="baseline")
app.add_typer(observations_app, name="observations")


def run_command_line(arguments: Sequence[str]) -> int:
    """Run one command; the exit code: 0 fine, 1 the answer is no, 2 bad usage or input, 3 a dependency is unreachable.

    Failures that were foreseen end as one sentence on standard error; others as one that names them, with the traceback where
    LOG_LEVEL is DEBUG.
    """
    try:
        return _called(arguments)
    except AuditorError as error:
        return _complain(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except ReaderGone:
        raise
    except Exception as error:  # noqa: BLE001 - the outermost boundary: a user gets a sentence, never a traceback
        if os.environ.get("LOG_LEVEL", "").upper() == "DEBUG":
            import traceback

            traceback.print_exc()
        if isinstance(error, UnicodeEncodeError) and any(error.object in given for given in arguments):
            return _complain(f"{error.object!a} is not UTF-8: write it anew in a terminal that is.", 2)
        from auditor.redaction import redact

        said = redact(str(error).splitlines()[0] if str(error) else "no message")
        return _complain(
            f"Unexpected {type(error).__name__}: {said} (set LOG_LEVEL=DEBUG for the details).", 1
        )


def _called(arguments: Sequence[str]) -> int:
    try:
        outcome = typer.main.get_command(app)(list(arguments), standalone_mode=False)
    except typer.TyperException as error:
        return _complain_of_usage(error)
    except typer.Exit as ended:
        return ended.exit_code
    finally:
        sys.stdout.flush()  # what cannot be written is told as any other failure
    return outcome if isinstance(outcome, int) else 0


def _complain_of_usage(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    path = getattr(context, "command_path", "auditor")
    said = str(getattr(error, "format_message", error.__str__)())
    if said.startswith("Usage:"):  # nothing at all was asked: show what there is
        print(said)
        return 2
    return _complain(f"{' '.join(said.split()).rstrip('.')}. See {path} --help.", 2)


def _complain(sentence: str, code: int) -> int:
    with contextlib.suppress(OSError):  # nobody listens
        print(f"auditor: {sentence}", file=sys.stderr)
    return code


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"auditor {version('cache-auditor')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Print the version and exit."),
    ] = False,
) -> None:
    pass


@app.command("run")
def _run(
    once: Annotated[bool, typer.Option("--once", help="Audit all that is settled, then exit.")] = False,
    form: Format = Form.TEXT,
) -> None:
    """Run the service: audit every cache's settled windows until it is told to stop."""
    from auditor.commands.run import run

    run(once=once, output_format=form)


@app.command("demo")
def _demo(
    fault: Annotated[str, typer.Option(help="The fault to put into the last hour, or none.")] = "key_change",
    seed: Annotated[
        int, typer.Option(help="Makes the load, the backend and the fault's moment repeatable.")
    ] = 1,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0, help="Stop after so many seconds, but not before the last hour has been audited."
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(help="Keep the database in this folder (AUDITOR_EMBEDDED_DIR for other commands)."),
    ] = None,
    form: Format = Form.TEXT,
) -> None:
    """Watch a real cache under load degrade, and what the auditor says of it."""
    from auditor.commands.demo import demo

    demo(fault=fault, seed=seed, seconds=seconds, keep=keep, output_format=form)


@app.command("replay")
def _replay(
    start: Annotated[
        str | None, typer.Option("--from", help="First minute (ISO 8601, UTC unless said otherwise).")
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", help="Last minute; by default the last that the service has audited."),
    ] = None,
    source: Annotated[
        list[Path] | None,
        typer.Option(
            "--input", help="Windows in a .csv, .csv.gz or .parquet file instead of the database; repeatable."
        ),
    ] = None,
    cache: Cache = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for ledger.csv, observations.jsonl, summary.json and report.html."),
    ] = None,
    fail_on_diff: Annotated[
        bool,
        typer.Option("--fail-on-diff", help="Compare with what the service stored; exit 1 where it differs."),
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Processes to share the caches among.")] = 1,
    form: Format = Form.TEXT,
) -> None:
    """Judge history as the service would have, from an empty system at the first window."""
    from auditor.commands.replay import replay

    replay(
        start=start,
        end=end,
        inputs=source or [],
        cache=cache,
        output=output,
        fail_on_diff=fail_on_diff,
        jobs=jobs,
        output_format=form,
    )


@app.command("score")
def _score(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Files of timestamp,value rows, .csv or .csv.gz.", show_default=False
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(help="Folder for the scores, a file for each; needed for more than one.", metavar="DIR"),
    ] = None,
    budget: Annotated[
        float, typer.Option(help="False alarms a week and series that you accept; `flag` follows from it.")
    ] = 1.0,
    form: Annotated[
        Form, typer.Option("--format", help="How to print: CSV as text, or a JSON object for each row.")
    ] = Form.TEXT,
) -> None:
    """Score any regular series: timestamp,value,expected,lower,upper,score,p_value,flag for every row."""
    from auditor.commands.score import score_files

    score_files(files, output=output, alarms_per_week=budget, output_format=form)


@app.command("migrate")
def _migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be applied.")] = False,
    form: Format = Form.TEXT,
) -> None:
    """Bring the database's schema up to this installation; may be run any number of times."""
    from auditor.commands.migrate import migrate

    migrate(dry_run=dry_run, output_format=form)


@app.command("doctor")
def _doctor(
    canary: Annotated[
        bool,
        typer.Option(
            "--canary/--no-canary",
            help="Put a canary event through the chain and remove it again; without it nothing is written.",
        ),
    ] = True,
    seconds: Annotated[
        float, typer.Option(min=0.1, max=300, help="The longest to wait for the canary, in seconds.")
    ] = 20.0,
    form: Format = Form.TEXT,
) -> None:
    """Prove each link of the chain, end to end, with a mend for each failure; exit code 1 where one is broken."""
    from auditor.commands.doctor import doctor

    doctor(canary=canary, seconds=seconds, output_format=form)


@baseline_app.command("learn")
def _learn(
    cache: Annotated[str, typer.Argument(help="The cache's name.")],
    days: Annotated[
        float, typer.Option(min=0.05, max=60, help="How many days of windows to learn from.")
    ] = 14,
    form: Format = Form.TEXT,
) -> None:
    """Learn a baseline from stored windows and store it, inactive."""
    from auditor.commands.baseline import learn

    learn(cache, days=days, output_format=form)


@baseline_app.command("show")
def _show_baseline(
    name: Annotated[str, typer.Argument(help="A cache's name, for its active baseline, or a baseline's id.")],
    form: Format = Form.TEXT,
) -> None:
    """Show what is normal, by signal and hour of the day."""
    from auditor.commands.baseline import show

    show(name, output_format=form)


@baseline_app.command("activate")
def _activate(
    name: Annotated[str, typer.Argument(help="The baseline's id, or its beginning.")],
    form: Format = Form.TEXT,
) -> None:
    """Judge by a stored baseline from the next minute on, until the next daily relearning."""
    from auditor.commands.baseline import activate

    activate(name, output_format=form)


@baseline_app.command("history")
def _history(
    cache: Cache = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
    form: Format = Form.TEXT,
) -> None:
    """List the baselines that were learned, newest first."""
    from auditor.commands.baseline import history

    history(cache, limit=limit, output_format=form)


@observations_app.command("list")
def _list(
    cache: Cache = None,
    severity: Annotated[str | None, typer.Option(help="Only info, warning or critical.")] = None,
    status: Annotated[str | None, typer.Option(help="Only open or resolved.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only from this time on (ISO 8601), or so long ago: 6h, 2d.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
    form: Format = Form.TEXT,
) -> None:
    """List observations, newest first."""
    from auditor.commands.observations import list_all

    list_all(cache=cache, severity=severity, status=status, since=since, limit=limit, output_format=form)


@observations_app.command("rate")
def _rate(
    cache: Cache = None,
    since: Annotated[
        str | None, typer.Option(help="Only from this time on (ISO 8601), or so long ago: 6h, 2d.")
    ] = None,
    form: Format = Form.TEXT,
) -> None:
    """Show the alarms a week that nobody has called an incident, with an interval, beside the budget that was promised."""
    from auditor.commands.observations import rate

    rate(cache=cache, since=since, output_format=form)


@observations_app.command("show")
def _show(
    name: Annotated[str, typer.Argument(help="The observation's id, its beginning, or its fingerprint.")],
    form: Format = Form.TEXT,
) -> None:
    """Show one observation in full: the words, the numbers, the causes with what speaks for and against them."""
    from auditor.commands.observations import show

    show(name, output_format=form)


@observations_app.command("ack")
def _ack(
    name: Annotated[str, typer.Argument(help="The observation's id, its beginning, or its fingerprint.")],
    verdict: Annotated[
        EngineersVerdict,
        typer.Option(
            help="incident: it was real; new_normal: it is how things are now; ignore: nobody needs to be woken for as much."
        ),
    ],
    by: Annotated[str | None, typer.Option(help="Who says so; by default the name of your account.")] = None,
    form: Format = Form.TEXT,
) -> None:
    """Acknowledge an observation with a verdict, which changes what pages and what is learned; saying the same again changes nothing."""
    from auditor.commands.observations import acknowledge

    acknowledge(name, verdict=verdict.value, by=by, output_format=form)
