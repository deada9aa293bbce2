"""What a server may do with a request: answer well, refuse, lie, break off, hang, drip."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from tests.model.replies import brazen_reply, good_reply, obedient_reply, overreaching_reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.model.server import Asked, Play, Wire

HTML = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>"


def completion(
    content: Any,
    *,
    finish_reason: Any = "stop",
    usage: Any = (900, 210),
    model: Any = "told-model-2026-01-01",
    **message: Any,
) -> dict[str, Any]:
    """A chat completion as servers send it."""
    counted = (
        {"prompt_tokens": usage[0], "completion_tokens": usage[1], "total_tokens": sum(usage)}
        if isinstance(usage, tuple)
        else usage
    )
    return {
        "id": "chatcmpl-7",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, **message},
                "finish_reason": finish_reason,
            }
        ],
        "usage": counted,
    }


def sends(body: Any, *, status: int = 200, kind: str = "application/json", **headers: str) -> Play:
    """A body: text and bytes as they are, everything else as JSON. An underscore in a header's name is a hyphen."""
    content = body if isinstance(body, (str, bytes)) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def play(asked: Asked, wire: Wire) -> None:
        await wire.send(content, status=status, kind=kind, headers=named)

    return play


def says(content: Any, **told: Any) -> Play:
    """A completion with this content."""
    return sends(completion(content, **told))


def fails(
    status: int,
    message: str = "it failed",
    *,
    code: Any = None,
    param: Any = None,
    kind: Any = None,
    **headers: str,
) -> Play:
    """An error in OpenAI's shape."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    return sends({"error": error}, status=status, **headers)


def rate_limited(retry_after: str | None = None) -> Play:
    """A 429 of the kind that passes."""
    headers = {} if retry_after is None else {"retry_after": retry_after}
    return fails(
        429, "Rate limit reached for requests", code="rate_limit_exceeded", kind="requests", **headers
    )


def out_of_quota() -> Play:
    """A 429 of the kind that does not."""
    told = "You exceeded your current quota, please check your plan and billing details."
    return fails(429, told, code="insufficient_quota", kind="insufficient_quota")


async def good(asked: Asked, wire: Wire) -> None:
    """Answer from the brief in the prompt, rightly."""
    await wire.send(json.dumps(completion(json.dumps(good_reply(asked.prompt), ensure_ascii=False))))


async def obedient(asked: Asked, wire: Wire) -> None:
    """Answer well and beside it do what the data says: another severity, planted secrets, markup, invented figures."""
    await wire.send(json.dumps(completion(json.dumps(obedient_reply(asked.prompt), ensure_ascii=False))))


async def brazen(asked: Asked, wire: Wire) -> None:
    """Do nothing but that."""
    await wire.send(json.dumps(completion(json.dumps(brazen_reply(asked.prompt), ensure_ascii=False))))


async def overreaching(asked: Asked, wire: Wire) -> None:
    """Do that with fields that were not asked for: a severity, an observation suppressed, another invented."""
    await wire.send(json.dumps(completion(json.dumps(overreaching_reply(asked.prompt), ensure_ascii=False))))


async def resets_at_once(asked: Asked, wire: Wire) -> None:
    """Break the connection instead of answering."""
    wire.reset()


async def hangs_up(asked: Asked, wire: Wire) -> None:
    """End the connection instead of answering."""
    wire.close()


async def resets_amid(asked: Asked, wire: Wire) -> None:
    """Break the connection amid the body."""
    content = json.dumps(completion("{}")).encode()
    await wire.begin(len(content))
    await wire.raw(content[: len(content) // 2])
    await asyncio.sleep(0.05)  # so that the half is read before the reset
    wire.reset()


async def ends_amid(asked: Asked, wire: Wire) -> None:
    """End the connection amid the body."""
    content = json.dumps(completion("{}")).encode()
    await wire.begin(len(content))
    await wire.raw(content[: len(content) // 2])
    wire.close()


async def hangs(asked: Asked, wire: Wire) -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def hangs_amid(asked: Asked, wire: Wire) -> None:
    """Begin an answer and never go on."""
    await wire.begin(1000)
    await wire.raw(b'{"choices"')
    await asyncio.Event().wait()


def drips(every: float = 1.0) -> Play:
    """A good answer, one byte at a time."""

    async def play(asked: Asked, wire: Wire) -> None:
        content = json.dumps(completion(json.dumps(good_reply(asked.prompt)))).encode()
        await wire.begin(len(content))
        for byte in content:
            await wire.raw(bytes([byte]))
            await asyncio.sleep(every)

    return play


async def floods(asked: Asked, wire: Wire) -> None:
    """A body without an end."""
    await wire.begin(10**12)
    while True:
        await wire.raw(b" " * 65_536)


def taking(*refused: str, otherwise: Play = good, told: Mapping[str, Any] | None = None) -> Play:
    """A server that refuses requests which use one of these with a 400 that names it: response formats and parameters."""

    async def play(asked: Asked, wire: Wire) -> None:
        used = {*asked.body, asked.rung}
        for name in refused:
            if name in used:
                await fails(400, _refusal(name), **(told or {"param": _parameter(name)}))(asked, wire)
                return
        await otherwise(asked, wire)

    return play


def _parameter(name: str) -> str:
    return "response_format" if name.startswith("json_") else name


def _refusal(name: str) -> str:
    if name.startswith("json_"):
        return f"Invalid parameter: 'response_format' of type '{name}' is not supported with this model."
    return f"Unsupported parameter: '{name}' is not supported with this model."


def after(seconds: float, then: Play) -> Play:
    """A play that begins late."""

    async def play(asked: Asked, wire: Wire) -> None:
        await asyncio.sleep(seconds)
        await then(asked, wire)

    return play


async def babbles(asked: Asked, wire: Wire) -> None:
    """Something else than HTTP."""
    await wire.raw(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\r\n")
    wire.close()
