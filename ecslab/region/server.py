"""The HTTP endpoint on loopback: moto's server, with ECS answered by us.

moto plays every other service. The seam is one line: before moto makes its
application for ECS, its URL table is pointed at `ecs_response.EcsResponse`.
moto's ECS and EC2 are imported in the background once the endpoint is open,
because they are most of what a start would take.
"""
from __future__ import annotations

import importlib
import json
import logging
import re
import socket
import threading
from functools import lru_cache
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from . import sessions

OURS = {"ecs": "EcsResponse", "applicationautoscaling": "ScalingResponse"}  # services answered by us, as moto's packages call them -> our response
log = logging.getLogger("ecslab")
# services of moto's that want mending -> where that is done
MENDED = {"elb": "elbv2", "cloudwatch": "metrics", "codedeploy": "codedeploy", "ec2": "network", "autoscaling": "scaling_groups", "logs": "awslogs", "events": "event_bridge", "ecr": "ecr"}
LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "host.docker.internal")


class _OnlyFromHere:
    """Refuses requests that a web page elsewhere makes through the learner's browser."""

    def __init__(self, app):
        self._app = app

    def __call__(self, environ, start_response):
        origin = environ.get("HTTP_ORIGIN")
        foreign = origin is not None and not _is_loopback(urlsplit(origin).netloc)
        if foreign or not _is_loopback(environ.get("HTTP_HOST", ""), amazon=True):
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"This endpoint answers only to programs on this machine.\n"]
        if environ.get("PATH_INFO", "").startswith(sessions.PATH):
            status, body = _session(environ)
            start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
            return [body]
        refused = _not_allowed(environ)
        if refused is not None:
            status, kind, body = refused
            start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
            return [body]
        return self._app(environ, start_response)


def _not_allowed(environ) -> tuple[str, str, bytes] | None:
    """The refusal of a request that its caller's policies do not allow."""
    from . import access, current

    region = current()
    return None if region is None else access.refusal(region, environ)


def _session(environ) -> tuple[str, bytes]:
    """A command of ECS Exec, run with its session's token."""
    from . import current

    region = current()
    return ("400 Bad Request", b'{"message": "No region is running here any more."}') if region is None else region.sessions.answer(environ)


def _is_loopback(netloc: str, amazon: bool = False) -> bool:
    host = netloc.rpartition(":")[0] if re.search(r":\d+$", netloc) else netloc
    return host in LOOPBACK or host.endswith(".localhost") or (amazon and host.endswith((".amazonaws.com", ".localhost")))


@lru_cache
def application() -> _OnlyFromHere:
    """moto's application with ECS replaced. One for the whole process: it keeps nothing of a region."""
    return _OnlyFromHere(DomainDispatcherApplication(_service_application))


def _service_application(service):
    if service in OURS:
        from . import ecs_response

        urls = importlib.import_module(f"moto.{service}.urls")
        urls.url_paths["{0}/$"] = getattr(ecs_response, OURS[service]).dispatch
        return create_backend_app(service)
    if service in MENDED:
        importlib.import_module(f"ecslab.region.{MENDED[service]}").mended()
    application = create_backend_app(service)
    application.config["PROPAGATE_EXCEPTIONS"] = True  # to _Noticed, which answers in AWS's shape
    return _Noticed(application, service)


class _Noticed:
    """A service of moto's whose every request the region hears of: `Region.before` and `Region.noticed`."""

    def __init__(self, app, service: str):
        self._app = app
        self._service = service

    def __call__(self, environ, start_response):
        from . import current

        region = current()
        if region is not None:
            region.before(environ.get("HTTP_USER_AGENT", ""))
        try:
            answer = self._app(environ, start_response)
        except Exception as error:
            log.debug("%s", self._service, exc_info=True)
            answer = _refused(environ, start_response, self._service, error)
        if region is not None:
            region.noticed(self._service)
        return answer


def _refused(environ, start_response, service: str, error: Exception) -> list[bytes]:
    """What moto does not play, or stumbles over, as an error in AWS's shape. It is no use to try again."""
    missing = isinstance(error, NotImplementedError)
    code = "NotImplemented" if missing else "InternalFailure"
    message = f"{service}: {error}" if missing else f"{service} failed inside the region: {type(error).__name__}: {error}"
    if "json" in environ.get("CONTENT_TYPE", "") or "HTTP_X_AMZ_TARGET" in environ:
        kind, body = "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message})
    else:
        kind = "text/xml"
        body = f"<ErrorResponse><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error></ErrorResponse>"
    start_response("400 Bad Request", [("Content-Type", kind), ("x-amzn-ErrorType", code)])
    return [body.encode()]


class _QuietHandler(MotoRequestHandler):
    def log(self, *_args, **_kwargs) -> None:
        pass


class Server:
    """The endpoint on 127.0.0.1, in a thread of its own. OSError when the port is taken."""

    def __init__(self, port: int = 0):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen(128)
            self._server = make_server(
                "127.0.0.1", port, application(), threaded=True, request_handler=_QuietHandler, fd=listener.fileno()
            )
        self._server.daemon_threads = True
        self.port = self._server.port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True, name="ecslab-endpoint")
        self._thread.start()
        threading.Thread(target=importlib.import_module, args=("ecslab.region.ecs_response",), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._server.server_close()
