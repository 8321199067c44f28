"""Log drivers: which a container may name, with which options, and which of them this project carries.

awslogs is carried to CloudWatch Logs and json-file stays on the machine, as it does in
AWS. Whatever else ECS accepts is accepted, runs, and is said not to be carried. AWS
publishes neither a list of wrong values nor their texts: those about values are ours.

Sources: API Reference, LogConfiguration, FirelensConfiguration; Developer Guide, "Send
Amazon ECS logs to CloudWatch", "Example Amazon ECS task definition: Route logs to
FireLens", "Amazon ECS task definition differences for Fargate".
"""
from __future__ import annotations

import re
from typing import Mapping

from .errors import client
from .task_definition_fields import LOG_DRIVERS, values_at, wrong_setting

CARRIED = ("awslogs", "json-file")
LARGEST_FIRELENS_BUFFER = 536_870_912  # bytes

# driver -> options it cannot do without; a secret option counts too.
REQUIRED = {"awslogs": ("awslogs-group", "awslogs-region"), "splunk": ("splunk-token", "splunk-url")}
# driver -> every option it takes. Of the other drivers no list is known here: they take any.
TAKEN = {
    "awslogs": (
        *REQUIRED["awslogs"], "awslogs-stream-prefix", "awslogs-create-group", "awslogs-datetime-format",
        "awslogs-multiline-pattern", "mode", "max-buffer-size",
    ),
}  # fmt: skip
FIRELENS_OPTIONS = ("enable-ecs-log-metadata", "config-file-type", "config-file-value")

BOOLEAN = r"true|false"
# option -> (what its value must look like, how that is said)
VALUES = {
    "mode": (r"blocking|non-blocking", "blocking or non-blocking"),
    "max-buffer-size": (r"[1-9]\d*[kmg]?b?", "a size such as 25m"),
    "awslogs-create-group": (BOOLEAN, "true or false"),
    "log-driver-buffer-limit": (r"\d{1,9}", f"bytes, from 0 to {LARGEST_FIRELENS_BUFFER}"),
    "enable-ecs-log-metadata": (BOOLEAN, "true or false"),
    "config-file-type": (r"s3|file", "s3 or file"),
}
NO_FIRELENS = (
    "When awsfirelens log driver is specified in log configuration, a firelens configuration object must be "
    "specified in one of the containers of the task definition."
)


def check(definition: Mapping) -> None:
    """ClientException unless every container's logging can be registered, wherever the task is to run."""
    routers = [c for c in definition["containerDefinitions"] if c.get("firelensConfiguration")]
    if len(routers) > 1:
        raise client("A task definition can have at most one container with a firelensConfiguration.")
    for container in routers:
        options = container["firelensConfiguration"].get("options") or {}
        _check_taken("The firelensConfiguration", options, FIRELENS_OPTIONS)
        _check_values(container, options)
    for container in definition["containerDefinitions"]:
        if container.get("logConfiguration"):
            _check_container(container, bool(routers))


def _check_container(container: Mapping, has_router: bool) -> None:
    log = container["logConfiguration"]
    driver, options = log["logDriver"], log.get("options") or {}
    if driver not in LOG_DRIVERS:
        raise client(f"Log driver {driver} is not a valid log driver. Must be one of [{', '.join(LOG_DRIVERS)}]")
    given = {name for name, value in options.items() if value} | set(values_at(log, "secretOptions[].name"))
    missing = [name for name in REQUIRED.get(driver, ()) if name not in given]
    if missing:
        raise client(f"Log driver {driver} requires options: {', '.join(missing)}")
    if driver == "awslogs" and "tag" in options:
        raise wrong_setting(container, "ecslab names streams by 'awslogs-stream-prefix' or the container's id: 'tag' is not built here.")
    _check_taken(f"Log driver {driver}", options, TAKEN.get(driver, tuple(options)))
    _check_values(container, options)
    if options.get("mode") == "blocking" and "max-buffer-size" in options:
        raise wrong_setting(container, "'max-buffer-size' is for the mode non-blocking.")
    if driver == "awsfirelens" and not has_router:
        raise client(NO_FIRELENS)


def _check_taken(who: str, options: Mapping, taken: tuple[str, ...]) -> None:
    strange = [name for name in options if name not in taken]
    if strange:
        raise client(f"{who} disallows options: {', '.join(strange)}")


def _check_values(container: Mapping, options: Mapping[str, str]) -> None:
    for name, (pattern, wanted) in VALUES.items():
        value = options.get(name)
        too_much = name == "log-driver-buffer-limit" and (value or "").isdigit() and int(value) > LARGEST_FIRELENS_BUFFER
        if value is not None and (too_much or not re.fullmatch(pattern, value, re.IGNORECASE)):
            raise wrong_setting(container, f"The option '{name}' must be {wanted}, not '{value}'.")


def not_carried(container: Mapping) -> str:
    """What is to be said of a container whose log driver this project does not carry; empty for the rest."""
    driver = (container.get("logConfiguration") or {}).get("logDriver", "json-file")
    if driver in CARRIED:
        return ""
    return f"the log driver {driver} of container {container['name']} sends nothing from here; what it prints is kept on this machine"
