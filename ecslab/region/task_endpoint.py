"""169.254.170.2 for real containers: one port for each task, which the task's pause container leads to.

`inside` says what a task finds there. A request that is signed goes on to the
region's own endpoint instead (AWS_ENDPOINT_URL in the containers): so an SDK in a
container reaches this region as its task role, never as the learner.

A port answers its own task only: another address, a web page and another name for
the host are refused. Where tasks are reached through ports of 127.0.0.1 (Docker
Desktop), addresses tell nothing, and the ids in the paths are what keeps tasks apart.
"""
from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from aiohttp import ClientError, ClientSession, ClientTimeout, web
from multidict import CIMultiDict
from yarl import URL

from . import access, sessions
from .inside import ADDRESS, TaskEndpoint

if TYPE_CHECKING:
    from . import Region

LIMIT = 60.0  # seconds of this machine, for one answer of the region
SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/\s,]+/\d{8}/[a-z0-9-]+/[a-z0-9-]+/aws4_request, ?SignedHeaders=[^\s,]+, ?Signature=[^\s,]+"
)
NOT_FOR_TASKS = (sessions.PATH, "/moto-api")  # of the region's endpoint
NOT_PASSED_ON = {"host", "connection", "keep-alive", "transfer-encoding", "te", "upgrade", "expect", "content-length", "user-agent"}


async def answer(region: "Region", endpoint: TaskEndpoint, session: ClientSession, request: web.BaseRequest, host: str) -> web.Response:
    """One request from a container; `host` is the address of this machine that it came to."""
    if request.remote != (host if host == "127.0.0.1" else endpoint.address):
        return _refused(403, "This address answers another task.")
    if "Origin" in request.headers or request.headers.get("Host", ADDRESS) not in (ADDRESS, f"{ADDRESS}:80"):
        return _refused(403, "This address answers only to programs in its task.")
    body = await request.read()
    if "Authorization" in request.headers:
        return await _passed_on(region, session, request, body)
    told = await asyncio.to_thread(region.inside(endpoint.task_id).request, request.method, request.raw_path, body.decode(errors="replace"))
    return web.Response(status=told.status, text=told.body, content_type="application/json")


async def _passed_on(region: "Region", session: ClientSession, request: web.BaseRequest, body: bytes) -> web.Response:
    if not SIGNED.fullmatch(request.headers["Authorization"]):
        return _refused(400, "The Authorization header is not that of AWS Signature Version 4.")
    if request.path.startswith(NOT_FOR_TASKS):
        return _refused(404, "There is nothing for a task at that address.")
    headers = [(name, value) for name, value in request.headers.items() if name.lower() not in NOT_PASSED_ON]
    url = URL(region.endpoint_url + request.raw_path, encoded=True)
    try:
        async with session.request(
            request.method,
            url,
            headers=[*headers, (access.FROM_A_TASK, "yes")],
            data=body,
            allow_redirects=False,
            timeout=ClientTimeout(total=LIMIT),
        ) as got:
            kept = [(name, value) for name, value in got.headers.items() if name.lower() not in NOT_PASSED_ON]
            return web.Response(status=got.status, body=await got.read(), headers=CIMultiDict(kept))
    except (asyncio.TimeoutError, TimeoutError, ClientError, OSError):
        return _refused(502, "The region does not answer.")


def _refused(status: int, message: str) -> web.Response:
    return web.json_response({"code": "Refused", "message": message}, status=status)
