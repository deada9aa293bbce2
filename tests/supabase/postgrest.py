"""PostgREST's rpc over a real database: profiles, the schema cache, roles by SET ROLE, error JSON, the cut at 1000 rows."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import sql
from starlette.responses import JSONResponse, Response

from tests.supabase.connecting import connected
from tests.supabase.keys import Keys, Refused

if TYPE_CHECKING:
    from starlette.requests import Request

ROWS_AT_MOST: Final = 1000
_STATUS_BY_CLASS: Final = {
    "08": 503, "09": 500, "0L": 403, "0P": 403, "23": 409, "25": 500, "28": 403, "2D": 500, "38": 500, "39": 500,
    "3B": 500, "40": 500, "53": 503, "54": 500, "55": 500, "57": 500, "58": 500, "F0": 500, "HV": 500, "P0": 500,
    "XX": 500,
}  # fmt: skip
_STATUS_BY_CODE: Final = {"42883": 404, "42P01": 404, "P0001": 400, "23502": 400, "25006": 405, "53400": 500}
_FUNCTIONS: Final = """
    select p.proname, coalesce(p.proargnames[1:p.pronargs], '{}'), p.pronargdefaults,
        array(select format_type(t, null) from unnest(p.proargtypes) as t), p.proretset, p.prorettype::regtype::text,
        t.typtype = 'c' or p.prorettype = 'record'::regtype
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_type t on t.oid = p.prorettype
    where n.nspname = %s and p.prokind = 'f'
"""


@dataclass
class RestFaults:
    """What goes wrong: each entry is used up by one request."""

    answers: list[tuple[int, dict[str, Any] | str]] = field(default_factory=list)
    """Answered in place of the call: a status and a body."""
    lost: int = 0
    """Requests that are carried out and whose answer never arrives."""
    delays: list[float] = field(default_factory=list)
    """Seconds that a request waits before it is looked at."""


@dataclass(frozen=True)
class _Function:
    arguments: dict[str, str]
    needed: frozenset[str]
    many: bool
    void: bool
    composite: bool


class PostgRest:
    """Answers `POST /rest/v1/rpc/NAME` as PostgREST 14 behind Supabase's gateway does."""

    def __init__(self, dsn: str, keys: Keys, exposed: list[str], *, statement_timeout: str = "8s") -> None:
        self.dsn = dsn
        self.keys = keys
        self.exposed = exposed
        self.statement_timeout = statement_timeout
        self.faults = RestFaults()
        self.calls: list[str] = []
        self._cache: dict[str, dict[str, list[_Function]]] = {}

    async def reload(self) -> None:
        """Read the schema cache anew, as `notify pgrst, 'reload schema'` makes it."""
        async with connected(self.dsn, autocommit=True) as connection:
            for schema in self.exposed:
                found: dict[str, list[_Function]] = {}
                cursor = await connection.execute(_FUNCTIONS, (schema,))
                for name, arguments, defaults, types, many, returned, composite in await cursor.fetchall():
                    needed = frozenset(arguments[: len(arguments) - defaults])
                    typed = dict(zip(arguments, types, strict=False))
                    found.setdefault(name, []).append(
                        _Function(typed, needed, many, returned == "void", composite)
                    )
                self._cache[schema] = found

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        name = request.path_params["name"]
        self.calls.append(name)
        if self.faults.delays:
            await asyncio.sleep(self.faults.delays.pop(0))
        if self.faults.answers:
            status, body = self.faults.answers.pop(0)
            if isinstance(body, str):
                return Response(body, status, media_type="text/html")
            return JSONResponse(body, status)
        try:
            response = await self._answer(request, name)
        except Refused as refused:
            response = JSONResponse(refused.body, refused.status)
        if self.faults.lost > 0:
            self.faults.lost -= 1
            raise ConnectionResetError("the answer is lost on its way")
        return response

    async def _answer(self, request: Request, name: str) -> Response:
        role = self.keys.role_of(
            request.headers.get("apikey"), request.headers.get("authorization"), time.time()
        )
        schema = request.headers.get("content-profile", self.exposed[0])
        if schema not in self.exposed:
            raise Refused(406, {
                "code": "PGRST106",
                "message": f"Invalid schema: {schema}",
                "details": None,
                "hint": f"Only the following schemas are exposed: {', '.join(self.exposed)}",
            })  # fmt: skip
        body = await request.body()
        try:
            given: dict[str, Any] = json.loads(body or b"{}")
        except ValueError:
            raise Refused(400, {
                "code": "PGRST102", "message": "Empty or invalid json", "details": None, "hint": None,
            }) from None  # fmt: skip
        function = self._found(schema, name, given)
        try:
            rows = await self._called(role, schema, name, function, given)
        except psycopg.Error as error:
            return _failure(error, role)
        if function.void:
            return Response(status_code=204)
        if function.many:
            rows = rows[:ROWS_AT_MOST]
            span = f"0-{len(rows) - 1}/*" if rows else "*/*"
            return Response(
                f"[{','.join(rows)}]", media_type="application/json", headers={"Content-Range": span}
            )
        return Response(rows[0], media_type="application/json")

    def _found(self, schema: str, name: str, given: dict[str, Any]) -> _Function:
        for function in self._cache.get(schema, {}).get(name, []):
            if given.keys() <= function.arguments.keys() and function.needed <= given.keys():
                return function
        asked = f"{schema}.{name}({', '.join(sorted(given))})"
        raise Refused(404, {
            "code": "PGRST202",
            "message": f"Could not find the function {asked} in the schema cache",
            "details": f"Searched for the function {asked}, but no matches were found in the schema cache.",
            "hint": None,
        })  # fmt: skip

    async def _called(
        self, role: str, schema: str, name: str, function: _Function, given: dict[str, Any]
    ) -> list[str]:
        arguments = sql.SQL(", ").join(
            sql.SQL("{} => {}::{}").format(
                sql.Identifier(argument),
                sql.Literal(_text(value, function.arguments[argument])),
                sql.SQL(function.arguments[argument]),
            )
            for argument, value in given.items()
        )
        call = sql.SQL("{}({})").format(sql.Identifier(schema, name), arguments)
        shown = sql.SQL("select to_json(answer)::text from {} as answer").format(call)
        if function.void:
            shown = sql.SQL("select null from {} as answer").format(call)
        async with connected(self.dsn) as connection:
            await connection.execute(
                "select set_config('role', %s, true), set_config('statement_timeout', %s, true),"
                " set_config('search_path', %s, true)",
                (role, self.statement_timeout, f"{schema}, public, extensions"),
            )
            cursor = await connection.execute(shown)
            return [row[0] if row[0] is not None else "null" for row in await cursor.fetchall()]

    async def keep_cache(self) -> None:
        """Load the schema cache, and again at each `notify pgrst`."""
        while True:
            with contextlib.suppress(psycopg.Error):
                async with connected(self.dsn, autocommit=True) as connection:
                    await connection.execute("listen pgrst")
                    await self.reload()
                    async for _ in connection.notifies():
                        await self.reload()
            await asyncio.sleep(0.1)


def _text(value: Any, kind: str) -> str | None:
    if kind in {"json", "jsonb"}:
        return json.dumps(value)
    if value is None or isinstance(value, str):
        return value
    if kind.endswith("[]"):
        return "{" + ",".join(json.dumps(part) for part in value) + "}"
    return json.dumps(value)


def _failure(error: psycopg.Error, role: str) -> Response:
    if error.sqlstate is None:
        body = {
            "code": "PGRST001",
            "message": "Database client error. Retrying the connection.",
            "details": str(error),
            "hint": None,
        }
        return JSONResponse(body, 503)
    code = error.sqlstate
    status = _STATUS_BY_CODE.get(code) or _STATUS_BY_CLASS.get(code[:2], 400)
    if code == "42501":
        status = 401 if role == "anon" else 403
    said = error.diag
    body = {
        "code": code,
        "message": said.message_primary,
        "details": said.message_detail,
        "hint": said.message_hint,
    }
    return JSONResponse(body, status)
