"""What a sink says when a batch is not taken."""

from __future__ import annotations


class Undelivered(Exception):  # noqa: N818 - a delivery that failed is the everyday case, not an error of the program
    """The batch may or may not be stored; it has to be offered again."""


class BatchRefused(Exception):  # noqa: N818 - the sink's answer, in words without any secret
    """The batch will never be taken, whatever is done; it is counted as rejected and not offered again."""
