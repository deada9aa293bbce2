"""The demo on a terminal: the screen, redrawn as things change, and the result when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.live import Live

from auditor.demo.screen import SEVERITY_STYLES, screen
from auditor.demo.tell import summary_lines

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console, RenderableType

    from auditor.demo.outcome import Outcome
    from auditor.demo.stage import Stage

REDRAWS_A_SECOND: Final = 8


class LiveView:
    """Shows the demo in the terminal's alternate screen; the result stays in the scrollback.

    Parameters
    ----------
    console
        The terminal.
    keep
        The folder in which the database stays, if it does.
    """

    def __init__(self, console: Console, keep: Path | None) -> None:
        self._console = console
        self._keep = keep
        self._stage: Stage | None = None
        self._live = Live(
            console=console,
            screen=True,
            refresh_per_second=REDRAWS_A_SECOND,
            get_renderable=self._render,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def changed(self, stage: Stage) -> None:
        """Show it with the next redraw."""
        self._stage = stage
        if not self._live.is_started:
            self._live.start()

    def close(self) -> None:
        """Give the terminal back."""
        self._live.stop()

    def ended(self, stage: Stage, outcome: Outcome) -> None:
        """Give the terminal back and print the result."""
        self.close()
        for line in summary_lines(stage, outcome, self._keep):
            style = SEVERITY_STYLES.get(line.partition("  ")[0].lower(), "")
            self._console.print(line, style=style, markup=False, highlight=False)

    def _render(self) -> RenderableType:
        if self._stage is None:
            return ""
        width, height = self._console.size
        return Group(*screen(self._stage, width, height))
