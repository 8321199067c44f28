"""The HTTP endpoint: moto's server with our ECS plugged in at one seam.

moto plays every other service. For ECS its URL table is pointed at `EcsResponse`
below, which reads the request with botocore's model as installed, calls the
operation of that name, and lets moto serialise the answer. Nothing in here
answers HTTP 500: what is not built, or goes wrong, is an error in AWS's shape.
"""
from __future__ import annotations

import json
import logging
import re
import socket
import threading
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import moto.ecs.urls
from moto.core.responses import ActionResult
from moto.core.utils import get_service_model
from moto.ecs.exceptions import ECSException
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from ..rules.errors import EcsError, invalid
from . import api

if TYPE_CHECKING:
    from . import Region

log = logging.getLogger("ecslab")
LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "host.docker.internal")
# Members of requests that RegisterTaskDefinition's own rules check, with their own words.
OWN_ENUM_CHECKS = ("RegisterTaskDefinition",)
PYTHON_TYPES = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
    "double": (int, float),
    "float": (int, float),
    "timestamp": (int, float, str),
}


class EcsResponse(EC2ContainerServiceResponse):
    """moto's view of one ECS request, answered by our region."""

    current: "Region | None" = None
    RESPONSE_KEY_PATH_TO_TRANSFORMER: dict = {}  # our answers have botocore's shapes already

    def __init__(self) -> None:
        super().__init__()
        self.automated_parameter_parsing = False

    def determine_response_protocol(self, _service_model) -> str:
        return "json"  # the only one ECS speaks, whatever the request says it is

    def call_action(self):
        try:
            return self.serialized(ActionResult(self._answer()))
        except EcsError as error:
            trouble = error
        except Exception as error:
            log.exception("ECS operation %s", self._get_action())
            message = f"{self._get_action()} failed inside the region: {type(error).__name__}: {error}"
            trouble = EcsError("ClientException", message)
        return self.serialized(ActionResult(_serialisable(trouble)))

    def _answer(self) -> dict:
        region = EcsResponse.current
        if region is None:
            raise EcsError("ClientException", "No region is running here any more.")
        name = self._get_action() or ""
        if self.region != region.name:
            raise EcsError(
                "ClientException",
                f"This is the AWS Region {region.name}, and the request was for {self.region}. "
                f"Create the client with region_name='{region.name}'.",
            )
        model = get_service_model("ecs")
        if name not in model.operation_names:
            raise EcsError("UnknownOperationException", f"ECS has no operation {name}.")
        function = api.load().get(name)
        if function is None:
            raise EcsError("UnsupportedFeatureException", f"{name} is not built in this region yet.")
        request = _parsed(self.body)
        check(request, model.operation_model(name).input_shape, "" if name in OWN_ENUM_CHECKS else name)
        return region.call(name, function, request, self.headers.get("User-Agent", ""))


def _serialisable(error: EcsError) -> ECSException:
    exception = ECSException(error.code, error.message)
    for name, value in error.extra.items():
        setattr(exception, name, value)
    return exception


def _parsed(body) -> dict:
    try:
        request = json.loads(body or "{}")
    except ValueError:
        raise EcsError("SerializationException", "The request body is not valid JSON.") from None
    if not isinstance(request, dict):
        raise EcsError("SerializationException", "Start of structure or map found where not expected.")
    return request


def check(value, shape, operation: str, name: str = "") -> None:
    """Is `value` of botocore's `shape`? SerializationException for a wrong type, InvalidParameterException for a wrong word."""
    kind = shape.type_name
    if value is None:
        return
    if kind in ("structure", "list", "map"):
        expected = list if kind == "list" else dict
        if not isinstance(value, expected):
            raise EcsError("SerializationException", f"{name or 'request'} must be a {kind}, not {type(value).__name__}.")
        if kind == "list":
            for item in value:
                check(item, shape.member, operation, name)
        elif kind == "map":
            for item in value.values():
                check(item, shape.value, operation, name)
        else:
            for required in shape.required_members:
                if value.get(required) is None:
                    raise invalid(f"{required} can not be null.")
            for member, item in value.items():
                if member in shape.members:
                    check(item, shape.members[member], operation, member)
        return
    types = PYTHON_TYPES.get(kind)
    if types and (not isinstance(value, types) or (isinstance(value, bool) and bool not in types)):
        raise EcsError("SerializationException", f"{name} must be a {kind}, not {type(value).__name__}.")
    if operation and kind == "string" and getattr(shape, "enum", None) and value not in shape.enum:
        raise invalid(f"{_words(name)} should be one of [{','.join(shape.enum)}]")


@lru_cache
def _words(name: str) -> str:
    """`launchType` as ECS writes it in a message: `launch type`."""
    return re.sub(r"(?<=[a-z])([A-Z])", lambda m: " " + m.group(1).lower(), name)


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
        return self._app(environ, start_response)


def _is_loopback(netloc: str, amazon: bool = False) -> bool:
    host = netloc.rpartition(":")[0] if re.search(r":\d+$", netloc) else netloc
    return host in LOOPBACK or host.endswith(".localhost") or (amazon and host.endswith((".amazonaws.com", ".localhost")))


@lru_cache
def _application() -> _OnlyFromHere:
    """moto's application with ECS replaced. One for the whole process: it keeps nothing of a region."""
    moto.ecs.urls.url_paths["{0}/$"] = EcsResponse.dispatch
    return _OnlyFromHere(DomainDispatcherApplication(create_backend_app))


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
                "127.0.0.1", port, _application(), threaded=True, request_handler=_QuietHandler, fd=listener.fileno()
            )
        self._server.daemon_threads = True
        self.port = self._server.port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True, name="ecslab-endpoint")
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._server.server_close()
