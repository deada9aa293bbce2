"""What must not be passed on, taken out of text that came from elsewhere: secrets always, personal and opaque parts where asked.

Pure: logs, failures and prompts all take it from here.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_URL_PASSWORD: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@]+@", re.IGNORECASE)
_KEYWORD_PASSWORD: Final = re.compile(r"(password\s*=\s*)(?:'[^']*'|\S+)", re.IGNORECASE)
_BEARER: Final = re.compile(r"\b(?:eyJ[\w-]{8,}\.[\w-]+\.[\w-]+|sb_secret_[\w-]+|sk-[\w-]{8,})")


def redact(text: str) -> str:
    """The text with passwords in URLs and DSNs, JWTs and API keys blanked out."""
    text = _URL_PASSWORD.sub(r"\g<scheme>:***@", text)
    text = _KEYWORD_PASSWORD.sub(r"\1***", text)
    return _BEARER.sub("***", text)


_BREAKS: Final = frozenset("\n\r\t\v\f\x85\u2028\u2029")
_NAME_OF_ONE: Final = (
    r"(?:[\w.-]*(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|auth(?:orization)?"
    r"|credentials?|cookie|session|signature|bearer)[\w.-]*|otp|pin)"
)
_VALUE: Final = r"""(?:"[^"]*"|'[^']*'|(?:(?:basic|bearer|digest|token)\s+)?[^\s,;&"')}\]]+)"""
_KEYS_OF_KNOWN_SHAPE: Final = (
    r"(?<![a-z0-9])(?:(?:sk|pk|rk|ghp|gho|ghu|ghs|ghr|github_pat|glpat|xox[a-z]|sb_secret|sb_publishable|whsec|npm|hf|pypi"
    r"|dop_v1|shpat)[-_]|AKIA|ASIA|AIza|ya29\.)[\w-]{6,}"
)
_PRIVATE: Final[tuple[tuple[re.Pattern[str], str], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), shown)
    for pattern, shown in (
        (r"-----BEGIN[^-]*-----.*?(?:-----END[^-]*-----|$)", "(secret)"),
        (r"([a-z][a-z0-9+.-]*://)[^\s/@]*@", r"\1(secret)@"),
        (r"(?:\?|%3f)[^\s\"'<>]*(?:=|%3d)[^\s\"'<>]*", "?(query)"),
        (rf"""(?<![\w.-])({_NAME_OF_ONE})(["']?\s*[=:]\s*){_VALUE}""", r"\1\2(secret)"),
        (r"\b(bearer|basic|digest)\s+[\w.~+/=-]{6,}", r"\1 (secret)"),
        (r"\beyJ[\w-]{6,}(?:\.[\w-]*){0,2}", "(secret)"),
        (_KEYS_OF_KNOWN_SHAPE, "(secret)"),
        (r"[\w.+-]+(?:@|%40)[\w-]+(?:\.[\w-]+)*", "(email)"),
        (r"(?<![0-9a-f])[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}(?![0-9a-f])", "(id)"),
        (r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?", "(address)"),
        (
            r"(?<![\w:])(?=[0-9a-f:]*(?:::|[a-f]|(?::\d+){5}))(?:[0-9a-f]{0,4}:){2,7}[0-9a-f.]{0,15}(?![\w:])",
            "(address)",
        ),
        (r"(?<![a-z0-9])(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}(?![a-z0-9])", "(address)"),
        (r"(?<![a-z0-9])(?:0x)?(?=[a-f]*\d)[0-9a-f]{12,}(?![a-z0-9])", "(id)"),
        (r"(?<![a-z0-9+/_-])(?=[a-z+/_-]*\d)(?=[0-9+/_-]*[a-z])[a-z0-9+/_-]{24,}={0,2}", "(id)"),
        (r"(?<![a-z0-9])[a-z0-9+/_-]{40,}={0,2}", "(id)"),
        (r"\+?\d(?:[ .()/-]{0,2}\d){8,}", "(number)"),
        (r"\d{6,}", "(number)"),
    )
)
"""Patterns in the order in which they are applied: what names itself first, what is only long last."""


def without_private_parts(text: str) -> str:
    """The text on one line without invisible characters, with secrets, addresses, identifiers and long numbers named, not shown.

    Blanked out are what `redact` takes out, private keys, credentials in URLs, query strings, values of keys that are called
    like a secret, bearer tokens and API keys of known shapes, email, IP and hardware addresses, UUIDs, hexadecimal
    from 12 digits and base64 from 24 characters on, telephone numbers and numbers of six digits and more.
    """
    text = _one_plain_line(text)
    for pattern, shown in _PRIVATE:
        text = pattern.sub(shown, text)
    return redact(text).replace("***", "(secret)")


def _one_plain_line(text: str) -> str:
    """Compatibility forms folded, so that look-alikes of digits and signs are those; control, bidi and zero-width characters out."""
    folded = unicodedata.normalize("NFKC", text)
    shown = (
        " " if letter in _BREAKS else letter
        for letter in folded
        if letter in _BREAKS or not unicodedata.category(letter).startswith("C")
    )
    return " ".join("".join(shown).split())
