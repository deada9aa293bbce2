"""A replay as one page: per cache its metrics with the learned band, its incidents, and the observations in words.

One file without any other: it opens offline, in light and dark, and everything that came from outside is escaped.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from auditor.detection.catalogue import CATALOGUE
from auditor.detection.judgement import VERDICTS, Verdict
from auditor.replay.writers import instant

if TYPE_CHECKING:
    from auditor.replay.engine import CacheReplay

POINTS: Final = 600
WIDTH: Final = 900
HEIGHT: Final = 110
CACHES_DRAWN: Final = 50

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --faint: #6a737d; --band: #cfe3f7; --line: #0b62b0; --bad: #c0392b; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --paper: #15181c; --faint: #9aa4af; --band: #22415f; --line: #6db3f2; --bad: #ff7b6b; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; } figure { margin: 0 0 .8rem; } figcaption { color: var(--faint); }
svg { width: 100%; height: auto; display: block; } .band { fill: var(--band); } .line { fill: none; stroke: var(--line); stroke-width: 1.2; }
.mark { fill: var(--bad); opacity: .22; } .critical, .warning { color: var(--bad); font-weight: 600; }
article { border-left: 3px solid var(--faint); padding-left: 1rem; margin: 1rem 0; } article.critical, article.warning { border-color: var(--bad); font-weight: 400; color: inherit; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; } dt { color: var(--faint); }
"""


class Report:
    """Gathers a replay, keeping only what is drawn: at most `POINTS` points of each metric and cache."""

    def __init__(self) -> None:
        self._sections: list[str] = []
        self._caches = 0

    def add(self, outcome: CacheReplay) -> None:
        """Take one cache in."""
        self._caches += 1
        if self._caches <= CACHES_DRAWN:
            self._sections.append(_section(outcome))

    def html(self, summary: dict[str, Any]) -> str:
        """The whole page."""
        facts = "".join(
            f"<dt>{escape(str(name)).replace('_', ' ')}</dt><dd>{_said(value)}</dd>"
            for name, value in summary.items()
        )
        left_out = self._caches - CACHES_DRAWN
        caches = "cache is" if left_out == 1 else "caches are"
        more = (
            f"<p>{left_out} more {caches} in ledger.csv and observations.jsonl.</p>" if left_out > 0 else ""
        )
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Cache Auditor: replay</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<style>{_STYLE}</style></head><body><h1>Replay</h1><dl>{facts}</dl>{''.join(self._sections)}{more}</body></html>\n"
        )


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return escape(", ".join(f"{count:,} {name}" for name, count in value.items()) or "none")
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.3g}"
    return escape(f"{value:,}" if isinstance(value, int) else str(value))


def _section(outcome: CacheReplay) -> str:
    charts = "".join(_chart(outcome, metric.name, f"{metric.title} ({metric.unit})") for metric in CATALOGUE)
    articles = "".join(_article(row) for row in outcome.observations if row["severity"] != "info")
    infos = sum(row["severity"] == "info" for row in outcome.observations)
    told = articles or "<p>Nothing that would have paged anyone.</p>"
    return f"<section><h2>{escape(outcome.implementation_type)}</h2>{charts}{told}<p>{infos} info{'' if infos == 1 else 's'} beside.</p></section>"


def _article(row: dict[str, Any]) -> str:
    said = "".join(f"<p>{escape(part)}</p>" for part in (row["description"] or "").splitlines() if part)
    advice = "".join(f"<p>{escape(part)}</p>" for part in (row["recommendation"] or "").splitlines() if part)
    severity = escape(row["severity"])
    return (
        f'<article class="{severity}"><h3><span class="{severity}">{severity}</span> {escape(row["title"])}</h3>'
        f"<p><time>{escape(row['window_start'])}</time> to <time>{escape(row['window_end'])}</time>, {escape(row['status'])}</p>{said}{advice}</article>"
    )


def _chart(outcome: CacheReplay, metric: str, title: str) -> str:
    value, lower, upper = (
        np.concatenate([getattr(ledger.scores[metric], field) for ledger in outcome.ledgers])
        for field in ("value", "lower", "upper")
    )
    if not np.isfinite(value).any() or metric == "silence":
        return ""
    anomalous = np.concatenate([ledger.verdict for ledger in outcome.ledgers]) == VERDICTS.index(
        Verdict.ANOMALOUS
    )
    step = max(1, -(-len(value) // POINTS))
    mid, low, high = (_thinned(column, step) for column in (value, lower, upper))
    floor = float(np.nanmin(np.concatenate([mid, low[np.isfinite(low)]])))
    ceiling = float(
        np.nanmax(np.concatenate([mid, np.minimum(high[np.isfinite(high)], np.nanmax(mid) * 1.5)]))
    )
    scale = (HEIGHT - 10) / ((ceiling - floor) or 1.0)

    def point(i: int, level: float) -> str:
        across = WIDTH * i / max(1, len(mid) - 1)
        return f"{across:.1f},{HEIGHT - 5 - scale * (min(max(level, floor), ceiling) - floor):.1f}"

    line = " ".join(point(i, float(x)) for i, x in enumerate(mid) if np.isfinite(x))
    known = [i for i in range(len(mid)) if np.isfinite(low[i]) and np.isfinite(high[i])]
    band = " ".join(
        [point(i, float(high[i])) for i in known] + [point(i, float(low[i])) for i in reversed(known)]
    )
    marks = "".join(
        f'<rect class="mark" x="{WIDTH * i / max(1, len(mid) - 1):.1f}" y="0" width="{max(1.5, WIDTH / len(mid)):.1f}" height="{HEIGHT}"/>'
        for i in range(len(mid))
        if anomalous[i * step : (i + 1) * step].any()
    )
    first, last = instant(outcome.first_minute or 0), instant(outcome.last_minute or 0)
    label = escape(
        f"{title} of {outcome.implementation_type}, {first} to {last}, from {floor:.4g} to {ceiling:.4g}"
    )
    return (
        f"<figure><figcaption>{escape(title)}: {floor:.4g} to {ceiling:.4g}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}"><polygon class="band" points="{band}"/>{marks}'
        f'<polyline class="line" points="{line}"/></svg></figure>'
    )


def _thinned(column: np.typing.NDArray[np.float64], step: int) -> np.typing.NDArray[np.float64]:
    """Means of `step` neighbours, NaN where nothing is known."""
    padded = np.concatenate([column, np.full(-len(column) % step, np.nan)]).reshape(-1, step)
    known = np.isfinite(padded)
    count = known.sum(axis=1)
    total = np.where(known, padded, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
