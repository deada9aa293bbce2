"""Realtime's frames of both protocol versions: 1.0.0 as objects, 2.0.0 as arrays with broadcasts in binary (Phoenix serializer V2)."""

from __future__ import annotations

import json
from typing import Any, Final

VERSIONS: Final = ("1.0.0", "2.0.0")
_PUSHED, _DELIVERED, _JSON = 3, 4, 1

Frame = dict[str, Any]


def decoded(version: str, message: str | bytes) -> Frame:
    """The frame in what a client sent."""
    if isinstance(message, bytes):
        return _pushed(message)
    told = json.loads(message)
    if version == VERSIONS[0]:
        return dict(told)
    join_ref, ref, topic, event, payload = told
    return {"join_ref": join_ref, "ref": ref, "topic": topic, "event": event, "payload": payload}


def encoded(version: str, frame: Frame) -> str | bytes:
    """A frame as the server sends it to a client of that version."""
    if version == VERSIONS[0]:
        return json.dumps(frame)
    if frame["event"] == "broadcast":
        return _delivered(frame)
    return json.dumps([None, frame["ref"], frame["topic"], frame["event"], frame["payload"]])


def _pushed(message: bytes) -> Frame:
    """A client's broadcast: kind, five lengths and the encoding in a byte each, then the texts, then the payload."""
    kind, *lengths, encoding = message[:7]
    assert (kind, encoding) == (_PUSHED, _JSON), "the tests' clients broadcast JSON"
    texts: list[str] = []
    at = 7
    for length in lengths:
        texts.append(message[at : at + length].decode())
        at += length
    join_ref, ref, topic, event, _ = texts
    payload = {"type": "broadcast", "event": event, "payload": json.loads(message[at:])}
    return {"join_ref": join_ref, "ref": ref, "topic": topic, "event": "broadcast", "payload": payload}


def _delivered(frame: Frame) -> bytes:
    """The server's broadcast: kind, three lengths and the encoding in a byte each, then the texts, then the payload."""
    told = frame["payload"]
    meta = json.dumps(told["meta"]).encode() if "meta" in told else b""
    texts = [frame["topic"].encode(), told["event"].encode(), meta]
    head = bytes([_DELIVERED, *(len(text) for text in texts), _JSON])
    return head + b"".join(texts) + json.dumps(told["payload"]).encode()
