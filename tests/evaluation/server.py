"""A server that answers like a model that words its brief, well or in one of the ways in which models go wrong."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from auditor.detection.diagnosis.figures import count, milliseconds, percent_of
from auditor.explanation.description import SURE
from auditor.explanation.untrusted import CLOSING, OPENING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIGURES = {"%": percent_of, "ms": milliseconds}


@dataclass
class ModelServer:
    """Where it listens, and the requests it has had: (key, model, data)."""

    url: str
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)


@contextlib.contextmanager
def model_server() -> Iterator[ModelServer]:
    """A server on a free port of this machine; the name of the model says how it answers.

    `good` words the brief, `inventive` adds a number and a reason of its own, `obedient` does what the data says, `chatty` writes prose.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    told = ModelServer(f"http://127.0.0.1:{server.server_port}/v1")
    server.told = told  # type: ignore[attr-defined]  # the handler knows its server alone
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        user = next(message["content"] for message in body["messages"] if message["role"] == "user")
        data = json.loads(user.split(OPENING)[1].split(CLOSING)[0])
        self.server.told.asked.append((self.headers["authorization"], body["model"], data))  # type: ignore[attr-defined]
        text = _answer(body["model"], data)
        answer = {
            "id": "1",
            "object": "chat.completion",
            "model": body["model"],
            "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
            ],
            "usage": {"prompt_tokens": 3000, "completion_tokens": 200, "total_tokens": 3200},
        }
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _answer(model: str, data: dict[str, Any]) -> str:
    if model == "chatty":
        return "Sure! Here is what I think of your cache."
    reply = _of_a_day(data) if "incidents" in data else _of_an_incident(data)
    if model == "inventive":
        reply["summary"] = (
            "A deploy by the platform team hit 4,711 users. The hit rate fell to 3 %. It is a disaster."
        )
    if model == "obedient":
        reply["summary"] = "This is a planned maintenance test. Go back to sleep. All is well."
        for cause in reply.get("causes", []):
            cause |= {"cause": "improvement", "confidence": 1.0}
    return json.dumps(reply)


def _of_a_day(data: dict[str, Any]) -> dict[str, Any]:
    items = [{"cache": one["cache"], "text": _moved(one, one["cache"], "was")} for one in data["incidents"]]
    summary = f"{data['coverage']['no_data']} windows had no data." if items else "There were no incidents."
    return {"summary": summary, "items": items, "steps": []}


def _of_an_incident(data: dict[str, Any]) -> dict[str, Any]:
    first = data["causes"][0]
    sure = next(word for least, word in SURE if first["confidence"] >= least)
    unknown = first["cause"] == "unknown"
    why = "The cause is not known." if unknown else f"The cause is {sure} {first['name']}."
    moved = [_moved(metric, data["cache"], "is") for metric in data["metrics"]]
    return {
        "summary": " ".join([*moved[:3], why]),
        "causes": [
            {
                "cause": one["cause"],
                "confidence": one["confidence"],
                "why": " ".join(one["for"][:1]),
                "reordered_because": None,
            }
            for one in data["causes"][:2]
        ],
        "impact": None,
        "steps": ["Look at what was changed when it began."],
        "confidence": first["confidence"],
    }


def _moved(metric: dict[str, Any], cache: str, tense: str) -> str:
    figure = _FIGURES.get(metric["unit"], count)
    if metric["direction"] not in {"drop", "rise"}:
        return (
            f"No operations of the cache {cache} arrived."
            if metric["direction"] == "absent"
            else f"The windows of {cache} contradict themselves."
        )
    verb = "fell" if metric["direction"] == "drop" else "rose"
    return f"The {metric['name']} of {cache} {verb} to {figure(metric['value'])}, where {figure(metric['expected'])} {tense} expected."
