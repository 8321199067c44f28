"""Load balancers with real connections: every listener is a port on 127.0.0.1.

One thread with one event loop serves them all and runs the health checks. What
becomes of a request is decided by `balancing.route`; this file only carries it.
HTTPS listeners speak plain HTTP here: a certificate of AWS's can not be had.
"""
from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Mapping

from aiohttp import ClientConnectionError, ClientError, ClientSession, ClientTimeout, TCPConnector, web

from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDict

from ..rules import stickiness
from ..rules.listener import HttpRequest
from ..rules.target_health import HealthCheck
from .connect import TRIES, Endpoint
from .balancing import Checked, Decision, Listener, Target, bad_gateway, gateway_timeout
from .inside import TaskEndpoint
from .task_endpoint import answer

if TYPE_CHECKING:
    from . import Region

CONNECT_TIMEOUT = 10.0  # of an ALB to its target, in region seconds
SHORTEST_CONNECT = 8.0  # seconds of this machine: where a short listen queue is full, the kernel tries again after 1 s and 3 s
SHORTEST_TIMEOUT = 2.0  # seconds of this machine: however fast the region's time runs, a check has so long
OPENING = 10.0  # seconds of this machine, to open or close everything
PIECE = 64 * 1024
ONE_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailers", "transfer-encoding", "upgrade",
}  # fmt: skip


class _Handler(RequestHandler):
    """Goes on when a client that has said all it wants to say closes its half of the connection, as `nc` does."""

    __slots__ = ()

    def eof_received(self) -> bool:
        return True


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


class HttpPlane:
    def __init__(self, region: "Region"):
        self._region = region
        self.ports: dict[str, int] = {}  # listener ARN -> port on 127.0.0.1
        self._servers: dict[str, asyncio.base_events.Server] = {}
        self._session: ClientSession | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ecslab-load-balancer", daemon=True)
        self._thread.start()

    # The plane ------------------------------------------------------------------

    def open(self, listeners: Mapping[str, Listener]) -> None:
        asyncio.run_coroutine_threadsafe(self._open(dict(listeners)), self._loop).result(OPENING)

    def check(self, target: Target, check: HealthCheck) -> None:
        asyncio.run_coroutine_threadsafe(self._check(target, check), self._loop)

    def close(self) -> None:
        if self._thread.is_alive():
            try:
                asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(OPENING)
            except TimeoutError:
                pass
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=OPENING)
        if not self._loop.is_running():
            self._loop.close()

    # Listeners --------------------------------------------------------------------

    async def _open(self, listeners: Mapping[str, Listener]) -> None:
        await self._open_session()
        for arn in [arn for arn in self._servers if arn not in listeners and arn.startswith("arn:")]:
            self._servers.pop(arn).close()
            del self.ports[arn]
        for arn, listener in listeners.items():
            if arn not in self._servers:
                server = self._servers[arn] = await self._serve(listener)
                self.ports[arn] = server.sockets[0].getsockname()[1]

    async def _open_session(self) -> None:
        if self._session is None:
            connector = TCPConnector(limit=0, keepalive_timeout=60)
            self._session = ClientSession(connector=connector, auto_decompress=False, timeout=ClientTimeout(total=None))

    async def _serve(self, listener: Listener):
        if listener.network:
            return await asyncio.start_server(lambda r, w: self._connection(listener.arn, r, w), "127.0.0.1", 0)
        handler = _Server(lambda request: self._request(listener.arn, request), access_log=None)
        return await self._loop.create_server(handler, "127.0.0.1", 0)

    async def _close(self) -> None:
        for server in self._servers.values():
            server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    # Requests -----------------------------------------------------------------------

    async def _request(self, arn: str, request: web.BaseRequest) -> web.StreamResponse:
        balancing = self._region.balancing
        listener = balancing.listeners[arn]
        seen = HttpRequest(
            method=request.method,
            host=request.headers.get("Host", ""),
            path=request.rel_url.raw_path,
            query=request.rel_url.raw_query_string,
            headers={name.lower(): value for name, value in request.headers.items()},
            source_ip=request.remote or "127.0.0.1",
        )
        decision = balancing.route(listener, seen)
        if decision.target is None:
            return self._own_answer(listener, request, decision)
        decision.target.in_flight += 1
        try:
            return await self._forward(listener, request, decision)
        finally:
            decision.target.in_flight -= 1

    def _own_answer(self, listener: Listener, request: web.BaseRequest, decision: Decision) -> web.Response:
        balancing = self._region.balancing
        if decision.status >= 500:
            balancing.traffic.failed(listener.balancer, decision.status)
        balancing.note(request.headers.get("X-Amzn-Trace-Id"), decision.cause)
        return web.Response(status=decision.status, body=decision.body.encode(), headers=decision.headers)

    async def _forward(self, listener: Listener, request: web.BaseRequest, decision: Decision) -> web.StreamResponse:
        region, target = self._region, decision.target
        address = region.balancing.address(target)
        if address is None or not region.balancing.lets_in(listener, target):
            await asyncio.sleep(CONNECT_TIMEOUT / region.speed)
            return self._own_answer(listener, request, gateway_timeout)
        started = time.monotonic()
        try:
            async with self._session.request(
                request.method,
                f"http://{address[0]}:{address[1]}{request.raw_path}",
                headers=_passed_on(request, listener),
                data=request.content if request.body_exists else None,
                allow_redirects=False,
                timeout=self._patience(listener),
            ) as answer:
                region.balancing.traffic.answered(
                    listener.balancer, target, answer.status, (time.monotonic() - started) * region.speed
                )
                response = web.StreamResponse(status=answer.status, reason=answer.reason)
                for name, value in answer.headers.items():
                    if name.lower() not in ONE_HOP:
                        response.headers.add(name, value)
                for cookie in stickiness.added(decision.cookies, answer.headers.getall("Set-Cookie", ())):
                    response.headers.add("Set-Cookie", cookie)
                await response.prepare(request)
                async for piece in answer.content.iter_chunked(PIECE):
                    await response.write(piece)
                await response.write_eof()
                return response
        except (asyncio.TimeoutError, TimeoutError):
            return self._own_answer(listener, request, gateway_timeout)
        except (ClientConnectionError, ClientError, OSError):
            return self._own_answer(listener, request, bad_gateway)

    def _patience(self, listener: Listener) -> ClientTimeout:
        speed = self._region.speed
        return ClientTimeout(
            total=None,
            sock_connect=max(SHORTEST_CONNECT, CONNECT_TIMEOUT / speed),
            sock_read=max(SHORTEST_TIMEOUT, listener.idle_timeout / speed),
        )

    async def _connection(self, arn: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection through a Network Load Balancer."""
        balancing = self._region.balancing
        decision = balancing.route(balancing.listeners[arn], HttpRequest())
        address = balancing.address(decision.target) if decision.target else None
        try:
            if address is None:
                return
            there, back = await asyncio.wait_for(asyncio.open_connection(*address), SHORTEST_TIMEOUT)
            decision.target.in_flight += 1
            try:
                await asyncio.gather(_pipe(reader, back), _pipe(there, writer))
            finally:
                decision.target.in_flight -= 1
                back.close()
        except (OSError, TimeoutError, asyncio.TimeoutError):
            pass
        finally:
            writer.close()

    # What tasks call ----------------------------------------------------------------------

    def open_endpoint(self, endpoint: Endpoint | TaskEndpoint, host: str) -> int:
        """A port on `host` that leads to an endpoint of Service Connect, or to what a task finds at 169.254.170.2."""
        return asyncio.run_coroutine_threadsafe(self._open_endpoint(endpoint, host), self._loop).result(OPENING)

    def close_endpoint(self, endpoint: Endpoint | TaskEndpoint) -> None:
        """Let go of its port, soon."""
        if self._loop.is_running():
            self._loop.call_soon_threadsafe(self._close_endpoint, endpoint)

    def _close_endpoint(self, endpoint: Endpoint | TaskEndpoint) -> None:
        for key in [key for key in self._servers if key.endswith(f" {endpoint}")]:
            self._servers.pop(key).close()
            del self.ports[key]

    async def _answered(self, endpoint: Endpoint | TaskEndpoint, request: web.BaseRequest, host: str) -> web.Response:
        if isinstance(endpoint, TaskEndpoint):
            return await answer(self._region, endpoint, self._session, request, host)
        return await self._through(endpoint, request)

    async def _open_endpoint(self, endpoint: Endpoint | TaskEndpoint, host: str) -> int:
        await self._open_session()
        key = f"{host} {endpoint}"
        if key not in self._servers:
            handler = _Server(lambda request: self._answered(endpoint, request, host), access_log=None)
            self._servers[key] = await self._loop.create_server(handler, host, 0)
            self.ports[key] = self._servers[key].sockets[0].getsockname()[1]
        return self.ports[key]

    async def _through(self, endpoint: Endpoint, request: web.BaseRequest) -> web.Response:
        region, tried = self._region, set()
        body = await request.read()
        answer = web.Response(status=503, text=f"no task of {endpoint.discovery_name} answers\n")
        source = next((t for t in region.tasks.present() if t.network and t.network.private_ip == request.remote), None)
        while len(tried) < TRIES and (target := region.connect.next_target(endpoint, tried)) is not None:
            tried.add(target.id)
            if source is not None and not region.can_reach(source.id, target.id, endpoint.container_port):
                continue
            status = 0
            try:
                url = f"http://{target.network.private_ip}:{endpoint.container_port}{request.raw_path}"
                headers = [(n, v) for n, v in request.headers.items() if n.lower() not in ONE_HOP]
                limit = ClientTimeout(total=max(SHORTEST_TIMEOUT, endpoint.timeout / region.speed))
                async with self._session.request(request.method, url, headers=headers, data=body, allow_redirects=False, timeout=limit) as got:
                    status = got.status
                    kept = [(n, v) for n, v in got.headers.items() if n.lower() not in (*ONE_HOP, "content-length")]
                    answer = web.Response(status=status, body=await got.read(), headers=CIMultiDict(kept))
            except (asyncio.TimeoutError, TimeoutError, ClientError, OSError):
                pass
            region.connect.answered(endpoint, target, status)
            if status and status < 500:
                break
        return answer

    # Health checks --------------------------------------------------------------------

    async def _check(self, target: Target, check: HealthCheck) -> None:
        outcome = await self._outcome(target, check)
        self._region.observe(Checked("", target=target, outcome=outcome))

    async def _outcome(self, target: Target, check: HealthCheck) -> int | str:
        address = self._region.balancing.address(target, None if check.port == "traffic-port" else int(check.port))
        if address is None or not self._region.balancing.reachable(target):
            return "timeout"
        limit = max(SHORTEST_TIMEOUT, check.timeout / self._region.speed)
        try:
            if check.protocol == "TCP":
                _, writer = await asyncio.wait_for(asyncio.open_connection(*address), limit)
                writer.close()
                return "open"
            url = f"http://{address[0]}:{address[1]}{check.path}"
            headers = {"User-Agent": "ELB-HealthChecker/2.0", "Connection": "close"}
            async with self._session.get(url, headers=headers, allow_redirects=False, timeout=ClientTimeout(total=limit)) as answer:
                return answer.status
        except (asyncio.TimeoutError, TimeoutError):
            return "timeout"
        except (ClientError, OSError):
            return "refused"


def _passed_on(request: web.BaseRequest, listener: Listener) -> list[tuple[str, str]]:
    """The request's headers as the target gets them."""
    headers = [(n, v) for n, v in request.headers.items() if n.lower() not in ONE_HOP and n.lower() not in ADDED]
    before = request.headers.get("X-Forwarded-For")
    source = request.remote or "127.0.0.1"
    return headers + [
        ("X-Forwarded-For", f"{before}, {source}" if before else source),
        ("X-Forwarded-Proto", listener.protocol.lower()),
        ("X-Forwarded-Port", str(listener.port)),
    ]


ADDED = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-port")


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(PIECE):
        writer.write(piece)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
