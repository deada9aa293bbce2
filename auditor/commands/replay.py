"""`auditor replay`: history judged as the service would have."""

from __future__ import annotations

import contextlib
import functools
import json
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from auditor.commands.asking import asked
from auditor.commands.observations import moment_of
from auditor.commands.printing import counted, printable, table
from auditor.database import history, queries
from auditor.detection.achieved import in_words
from auditor.errors import AnswerIsNo, BadInput
from auditor.replay.differences import SHOWN, ledger_differences, observation_differences
from auditor.replay.engine import replay_all
from auditor.replay.files import LONGEST_MINUTES, read_files
from auditor.replay.report import Report
from auditor.replay.writers import Folder, Tally
from auditor.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from auditor.detection.answers import Answer
    from auditor.detection.windows import WindowBlock
    from auditor.replay.engine import CacheReplay

OBSERVATIONS_COMPARED = 100_000


def replay(
    *,
    start: str | None,
    end: str | None,
    inputs: list[Path],
    cache: str | None,
    output: Path | None,
    fail_on_diff: bool,
    jobs: int,
    output_format: str = "text",
) -> None:
    """Replay windows from files or from the database.

    Raises
    ------
    BadInput
        If a time, a file or the output folder cannot be used.
    AnswerIsNo
        With `fail_on_diff`, if the replay is not what the service stored.
    """
    first = None if start is None else int(moment_of("--from", start).timestamp() // 60)
    last = None if end is None else int(moment_of("--to", end).timestamp() // 60)
    if first is not None and last is not None and last < first:
        raise BadInput(f"--to {end} lies before --from {start}: swap them.")
    if inputs and fail_on_diff:
        raise BadInput("--fail-on-diff compares with the database: leave --input out.")
    session = _Session(output, fail_on_diff=fail_on_diff, jobs=jobs)
    if inputs:
        windows = read_files(inputs, cache=cache, first=first, last=last)
        session.replay(list(windows.caches), windows)
    else:
        asked(lambda dsn: session.replay_database(dsn, cache, first, last))
    session.tell(output_format)


class _Session:
    """One replay under way: what comes out of it goes to the folder, the report and the tally as it comes."""

    def __init__(self, output: Path | None, *, fail_on_diff: bool, jobs: int) -> None:
        self._settings = read_settings()
        self._output = output
        self._fail_on_diff = fail_on_diff
        self._jobs = jobs
        self._tally = Tally(self._settings.policy)
        self._observations: list[dict[str, Any]] = []
        self._differences: list[str] = []
        self._differing = 0

    def replay_database(self, dsn: str, cache: str | None, first: int | None, last: int | None) -> None:
        """Replay the caches of a database, each up to the minute that the service has audited unless told otherwise."""
        cursors = history.checkpoint_cursors(dsn)
        names = sorted(cursors) if cache is None else [cache]
        if not names:
            raise BadInput("The database has no audited caches yet: run auditor run, or give --input.")
        if last is not None and last > time.time() // 60 + LONGEST_MINUTES:
            raise BadInput("--to lies more than ten years ahead: name an earlier time, or leave it out.")
        audited = [cursor for name, cursor in cursors.items() if cursor is not None and name in names]
        to = last if last is not None else max(audited, default=None)
        read = functools.partial(_read, dsn, cursors if last is None else {}, first, to)
        compare = functools.partial(self._compare, dsn, first, to) if self._fail_on_diff else None
        self.replay(names, read, compare, history.engineers_answers(dsn, names))

    def replay(
        self,
        names: list[str],
        read: Callable[[str], Iterable[WindowBlock]],
        compare: Callable[[CacheReplay], None] | None = None,
        answers: Mapping[str, Sequence[Answer]] = MappingProxyType({}),
    ) -> None:
        """Replay the caches that `read` gives the windows of, with the answers that engineers gave meanwhile."""
        started = time.monotonic()
        report = Report()
        with contextlib.ExitStack() as stack:
            folder = None if self._output is None else stack.enter_context(Folder(self._output))
            for outcome in replay_all(names, read, self._settings.policy, answers=answers, jobs=self._jobs):
                if outcome.windows:
                    self._tally.add(outcome)
                    self._tally.seconds = time.monotonic() - started
                    self._observations += outcome.observations
                    report.add(outcome)
                    if folder is not None:
                        folder.add(outcome)
                if compare is not None:
                    compare(outcome)
            if not self._tally.windows:
                which = f"of {names[0]}" if len(names) == 1 else "to replay"
                raise BadInput(f"There are no windows {which}: check --cache, --from and --to.")
            if folder is not None:
                folder.write("summary.json", json.dumps(self._tally.as_json(), indent=2) + "\n")
                folder.write("report.html", report.html(self._tally.as_json()))

    def _compare(self, dsn: str, first: int | None, to: int | None, outcome: CacheReplay) -> None:
        name = outcome.implementation_type
        ledger = history.ledger_between(dsn, from_minute=first, to_minute=to, caches=[name])
        self._note(ledger_differences(outcome, ledger))
        rows = queries.list_observations(dsn, implementation_type=name, limit=OBSERVATIONS_COMPARED)
        self._note(observation_differences(outcome.observations, [row for row in rows if row["fingerprint"]]))

    def _note(self, differences: Iterator[str]) -> None:
        for difference in differences:
            self._differing += 1
            if len(self._differences) < SHOWN:
                self._differences.append(difference)

    def tell(self, output_format: str) -> None:
        """Print the summary; raise AnswerIsNo where there were differences."""
        summary = self._tally.as_json()
        if self._fail_on_diff:
            summary |= {"differences": self._differing, "first_differences": self._differences}
        if output_format == "json":
            print(json.dumps(summary))
        else:
            self._tell_in_words(summary)
        if self._differing:
            shown = "".join(f"\n  {printable(difference)}" for difference in self._differences)
            raise AnswerIsNo(
                f"The replay differs from what the service stored in {counted(self._differing, 'place')}:{shown}"
            )

    def _tell_in_words(self, summary: dict[str, Any]) -> None:
        print(
            f"Replayed {counted(summary['windows'], 'window')} of {counted(summary['caches'], 'cache')}, {summary['from']} to {summary['to']}, "
            f"{summary['windows_per_second']:,.0f} a second."
        )
        print(
            "Verdicts: "
            + ", ".join(f"{count:,} {verdict}" for verdict, count in summary["verdicts"].items())
            + "."
        )
        print(
            f"Incidents: {summary['incidents']}, of which {summary['pages']} would have paged: "
            f"{summary['pages_per_cache_week']:.2g} a week and cache."
        )
        print(in_words(summary))
        rows = [
            (row["timestamp"][:16].replace("T", " "), row["severity"], row["status"], row["title"])
            for row in self._observations
            if row["severity"] != "info"
        ]
        if rows:
            table(("when (UTC)", "severity", "status", "title"), rows)
        if self._output is not None:
            print(f"Written to {self._output}: ledger.csv, observations.jsonl, summary.json, report.html.")
        if self._fail_on_diff and not self._differing:
            print("The replay is what the service stored, minute for minute.")


def _read(
    dsn: str, cursors: dict[str, int | None], first: int | None, last: int | None, name: str
) -> Iterator[WindowBlock]:
    to = cursors.get(name, last)
    for _, block in history.windows_between(
        dsn, from_minute=first, to_minute=last if to is None else to, caches=[name]
    ):
        yield block
