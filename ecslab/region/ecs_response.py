"""One request to ECS or Application Auto Scaling: read and answered by botocore's model as installed.

moto hands every request to `EcsResponse` or `ScalingResponse`. It finds the operation of that
name, checks the request against the model, asks the running region, and gives
the answer the model's shape. Nothing in here answers HTTP 500: what is not
built, or goes wrong, is an error in AWS's shape.
"""
from __future__ import annotations

import json
import logging
import re
from functools import lru_cache

from moto.core.responses import ActionResult
from moto.core.utils import get_service_model
from moto.ecs.exceptions import ECSException
from moto.ecs.responses import EC2ContainerServiceResponse

from ..rules.errors import EcsError, invalid
from . import api, current

log = logging.getLogger("ecslab")
# Operations whose own rules check words, in their own way.
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

    RESPONSE_KEY_PATH_TO_TRANSFORMER: dict = {}  # our answers have botocore's shapes already
    SERVICE = "ecs"
    REFUSED = "ClientException"  # what a request is refused with where the service has no better word

    def __init__(self) -> None:
        super().__init__()
        self.service_name = self.SERVICE
        self.automated_parameter_parsing = False

    def determine_response_protocol(self, _service_model) -> str:
        return "json"  # the only one ECS speaks, whatever the request says it is

    def call_action(self):
        try:
            headers = {**self.response_headers, "Content-Type": "application/x-amz-json-1.1"}
            return 200, headers, json.dumps(self._answer())
        except EcsError as error:
            trouble = error
        except Exception as error:
            log.exception("%s operation %s", self.SERVICE, self._get_action())
            message = f"{self._get_action()} failed inside the region: {type(error).__name__}: {error}"
            trouble = EcsError(self.REFUSED, message)
        return self.serialized(ActionResult(_serialisable(trouble)))

    def _answer(self) -> dict:
        region = current()
        if region is None:
            raise EcsError(self.REFUSED, "No region is running here any more.")
        name = self._get_action() or ""
        if self.region != region.name:
            raise EcsError(
                self.REFUSED,
                f"This is the AWS Region {region.name}, and the request was for {self.region}. "
                f"Create the client with region_name='{region.name}'.",
            )
        model = get_service_model(self.SERVICE)
        if name not in model.operation_names:
            raise EcsError("UnknownOperationException", f"{model.metadata['serviceId']} has no operation {name}.")
        function = api.load(self.SERVICE).get(name)
        if function is None:
            raise EcsError("UnsupportedFeatureException", f"{name} is not built in this region yet.")
        request = _parsed(self.body)
        operation = model.operation_model(name)
        check(request, operation.input_shape, "" if name in OWN_ENUM_CHECKS else name)
        return shaped(region.call(name, function, request, self.headers.get("User-Agent", "")), operation.output_shape)


class ScalingResponse(EcsResponse):
    """The same for Application Auto Scaling, which has one word for every refusal."""

    SERVICE = "application-autoscaling"
    REFUSED = "ValidationException"

    def _answer(self) -> dict:
        try:
            return super()._answer()
        except EcsError as error:
            if error.code in ("InvalidParameterException", "UnsupportedFeatureException", "SerializationException"):
                raise EcsError(self.REFUSED, error.message) from None
            raise


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


def shaped(value, shape):
    """`value` with only what botocore's `shape` has: the same value where our answer is of that shape."""
    kind = shape.type_name
    if kind == "structure":
        return {n: shaped(v, shape.members[n]) for n, v in value.items() if n in shape.members and v is not None}
    if kind == "list":
        return [shaped(item, shape.member) for item in value]
    return value


@lru_cache
def _words(name: str) -> str:
    """`launchType` as ECS writes it in a message: `launch type`."""
    return re.sub(r"(?<=[a-z])([A-Z])", lambda m: " " + m.group(1).lower(), name)
