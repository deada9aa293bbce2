"""A Supabase project's address and key: what is no address and what is no key is refused by name, before anything is asked."""

from __future__ import annotations

import pytest

from auditor.errors import BadInput
from auditor.logs import redact
from auditor.settings import Settings, read_settings

ADDRESS = "https://project.supabase.co"
KEY = "sb_secret_hush-hush_A1b2"


def read(monkeypatch: pytest.MonkeyPatch, url: str, key: str) -> Settings:
    monkeypatch.setenv("SUPABASE_URL", url)
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", key)
    return read_settings()


@pytest.mark.parametrize(
    "url",
    [
        "project.supabase.co",
        "ftp://project.supabase.co",
        "https://",
        "https://project.supabase.co/rest/v1/",
        "https://project.supabase.co?apikey=hush",
        "https://project .supabase.co",
        "https://supabase.com/dashboard/project/abc",
        "https://me:hush-hush@project.supabase.co",
        "postgresql://me:hush-hush@db.project.supabase.co/postgres",
        "http://127.0.0.1:99999",
        "http://[::1",
    ],
)
def test_what_is_no_address_is_refused_with_one_that_would_be(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    with pytest.raises(BadInput, match=r"SUPABASE_URL .* such as https://PROJECT.supabase.co") as caught:
        read(monkeypatch, url, KEY)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("url", [ADDRESS, "http://[::1]:54321", "http://kong:8000", f"{ADDRESS}/base"])
def test_an_address_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert read(monkeypatch, url, KEY).supabase_url == url


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (f"{KEY}\n{KEY}", "SUPABASE_SERVICE_ROLE_KEY is not usable: .* copy the key anew"),
        (f"{KEY} {KEY}", "copy the key anew"),
        (f"{KEY}\N{EURO SIGN}", "copy the key anew"),
        ("  ", "SUPABASE_URL is set without SUPABASE_SERVICE_ROLE_KEY"),
        ("sb_publishable_hush", "holds a publishable key"),
    ],
)
def test_what_is_no_key_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, key: str, said: str
) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        read(monkeypatch, ADDRESS, key)
    assert "hush" not in str(caught.value)


def test_blanks_and_a_line_break_around_them_are_no_part_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, f" {ADDRESS}/ ", f"\t{KEY}\n")
    assert settings.supabase_url == ADDRESS
    assert settings.supabase_key is not None
    assert settings.supabase_key.get_secret_value() == KEY


@pytest.mark.parametrize("secret", [KEY, "eyJhbGciOiJIUzI1NiJ9.c2Vj-cmV0.c2ln_bmF0dXJl"])
def test_a_key_of_either_kind_is_blanked_out_of_the_log_whole(secret: str) -> None:
    assert redact(f"GET /?apikey={secret}&x=1 said {secret}.") == "GET /?apikey=***&x=1 said ***."
