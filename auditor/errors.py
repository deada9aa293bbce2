"""Every error the auditor raises on purpose; each is one sentence that names the thing and the mend.

AuditorError
├── AnswerIsNo               exit 1: the command worked and its answer is no
├── BadInput                 exit 2: a setting, an argument or a file is wrong
└── DependencyUnreachable    exit 3: a database or a server did not answer
"""

from __future__ import annotations

from typing import ClassVar


class AuditorError(Exception):
    """An expected failure, shown to the user as its message alone."""

    exit_code: ClassVar[int] = 1


class AnswerIsNo(AuditorError):  # noqa: N818 - it is an answer, not a fault
    """The command ran to its end and the answer is no."""

    exit_code = 1


class BadInput(AuditorError):  # noqa: N818 - named for what the user gave
    """Something the user gave cannot be used as it is."""

    exit_code = 2


class DependencyUnreachable(AuditorError):  # noqa: N818 - named for what is wrong
    """Something the auditor needs did not answer."""

    exit_code = 3
