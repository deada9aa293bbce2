"""What is taken out of text that came from elsewhere, and what is left."""

from __future__ import annotations

import base64
import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.explanation.briefing.excerpts import LONGEST_KEY, LONGEST_MESSAGE, READ_AT_MOST, excerpt
from auditor.redaction import without_private_parts

PRIVATE = (
    ("user ada.lovelace+x@example.co.uk not found", "ada"),
    ("mail to ada%40example.com bounced", "ada"),
    ("postgresql://app:hunter2@db.internal/main refused", "hunter2"),
    ("redis://:hunter2@cache:6379", "hunter2"),
    ("host=db password=hunter2 user=app", "hunter2"),
    ('{"api_key": "hunter two", "n": 1}', "hunter"),
    ("client_secret: 'hunter2'", "hunter2"),
    ("Authorization: Bearer abc.def-ghi", "abc.def"),
    ("sent Bearer zyxwvutsrq upstream", "zyxwvutsrq"),
    ("Cookie: sid=hunter2", "hunter2"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln", "eyJ"),
    ("key sk-proj-abcdefghijkl is wrong", "abcdefghijkl"),
    ("key sb_secret_abcdefghijkl is wrong", "abcdefghijkl"),
    ("ghp_abcdefghijklmnop expired", "abcdefghijkl"),
    ("AKIAIOSFODNN7EXAMPLE denied", "IOSFODNN"),
    ("-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY----- bad", "MIIabc"),
    ("GET /answers?q=my+illness&user=ada failed", "illness"),
    ("connect to 10.20.30.40:6379 refused", "10.20"),
    ("connect to 2001:db8::dead:beef refused", "beef"),
    ("device 00:1a:2b:3c:4d:5e unknown", "2b:3c"),
    (f"tenant {uuid.UUID(int=2**127 + 12345)} unknown", "80000000"),
    ("answers:5f4dcc3b5aa765d61d8327deb882cf99:en", "5f4dcc3b"),
    (f"blob {base64.b64encode(b'some very private bytes 123').decode()}", "c29tZSB2"),
    ("card 4111 1111 1111 1111 declined", "1111"),
    ("call +49 170 1234567", "1234567"),
    ("user:123456:profile", "123456"),
    ("user １２３４５６７ gone", "１２３"),
    ("sk-\u200babcd\u200befghijkl leaked", "efghijkl"),
)


@pytest.mark.parametrize(("text", "secret"), PRIVATE, ids=[text[:30] for text, _ in PRIVATE])
def test_what_is_private_is_named_and_not_shown(text: str, secret: str) -> None:
    shown = without_private_parts(text)
    assert secret not in shown
    assert "(" in shown
    assert without_private_parts(shown).count("(") >= 1


@pytest.mark.parametrize(
    "text",
    [
        "TimeoutError: no answer within 3000 ms",
        "503 from the model: overloaded",
        "tenant-42:question-answer:v2",
        "pool exhausted after 12345 waits at 12:30:45",
        "prompt exceeds the token budget of 4096",
        "std::vector::at out of range",
        "SELECT a FROM b WHERE c='d'",
    ],
)
def test_what_is_not_private_is_left(text: str) -> None:
    assert without_private_parts(text) == text


def test_invisible_and_reordering_characters_go_and_lines_become_one() -> None:
    assert without_private_parts("a\u202eb\u200dc\ufeff\x1b[31m\r\nd\u2028e") == "abc[31m d e"


@given(st.text(max_size=400))
def test_an_excerpt_is_one_short_printable_line_that_nothing_acts_on(text: str) -> None:
    for longest in (LONGEST_KEY, LONGEST_MESSAGE):
        shown = excerpt(text, longest)
        assert len(shown) <= longest
        assert shown.isprintable()
        assert not set(shown) & set("<>`*[]|~#@&\\\n")


@pytest.mark.parametrize("before", [0, *range(130, 170), *range(READ_AT_MOST - 25, READ_AT_MOST + 5)])
def test_a_secret_is_not_shown_wherever_the_text_is_cut(before: int) -> None:
    filler = ("word " * 1000)[:before]
    for secret in ("sk-abcdefghijklmnop", "ada@example.com", "password=hunter2x"):
        for text in (f"{filler} {secret} {'tail ' * 500}", f"{filler} {secret}"):
            shown = excerpt(text, LONGEST_MESSAGE)
            assert not re.search(r"sk-a|ada[@·]|hunt", shown), shown
