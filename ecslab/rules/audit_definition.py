"""What an audit asks of a task definition: images, health, secrets, logs, and what a container may do.

Of these the card names health checks, Secrets Manager, image scanning, CloudWatch Logs and the right size; the rest are the
task definition's parts of the AWS pages that each check names. A container whose image sets a user of its own cannot be told
apart here: only what the definition says is in the region's state.
"""
from __future__ import annotations

import re
from typing import Mapping

from .audit_check import HIGH, LOW, MEDIUM, Judged, Picture, check, fine, in_container, in_containers, names, wrong
from .errors import EcsError
from .pricing import dollars
from .right_size import right_size

SECURITY = "Amazon ECS task and container security best practices"
TELLING = {"PASSWORD", "PASSWD", "PWD", "SECRET", "SECRETS", "TOKEN", "KEY", "APIKEY", "CREDENTIAL", "CREDENTIALS"}
ONLY_A_NAME = {"FILE", "PATH", "ARN", "NAME", "ID", "URL", "PREFIX", "TTL"}  # DB_PASSWORD_FILE says where, not what
IN_A_URL = re.compile(r"://[^/\s:@]+:[^/\s@]+@")
CARRIED_AWAY = {"awslogs", "awsfirelens", "splunk", "fluentd", "gelf", "syslog"}
ROOT = {"root", "0"}
STRONG = {"ALL", "SYS_ADMIN", "NET_ADMIN", "SYS_MODULE", "SYS_PTRACE", "DAC_READ_SEARCH"}
UNPRIVILEGED = "1000:1000"


@check(
    "image-tag", MEDIUM, "Images are named by a version",
    "`latest` is another image tomorrow: nobody can tell which version runs, and a rollback may start the very version it flees from.",
    "Task Definitions > Task Definition Components", "Best practices for Amazon ECS container images",
)  # fmt: skip
def image_tag(picture: Picture) -> Judged | None:
    loose = [c for c in picture.containers if _tag(c["image"]) in ("", "latest")]
    if not loose:
        return fine(", ".join(c["image"] for c in picture.containers))
    found = ", ".join(f"{c['name']} runs {c['image']}" for c in loose)
    return wrong(found, "\n".join(in_container(picture, c, "image", f"{_untagged(c['image'])}:<version>") for c in loose))


def _tag(image: str) -> str:
    """The digest, the tag, or nothing."""
    if "@" in image:
        return image.partition("@")[2]
    return image.rpartition("/")[2].partition(":")[2]


def _untagged(image: str) -> str:
    return image.removesuffix(":latest")


@check(
    "health-check", HIGH, "Something notices a task that runs but does not work",
    "Without a health check a task counts as good while its process lives. A hung one keeps its place and its traffic.",
    "Best Practices", "Determine Amazon ECS task health using container health checks",
)  # fmt: skip
def health_check(picture: Picture) -> Judged | None:
    checked = [c for c in picture.essential if c.get("healthCheck")]
    if checked:
        return fine(f"container health check of {names(checked)}")
    if picture.target_groups:
        asked = ", ".join(f"{g['TargetGroupName']} asks {g.get('HealthCheckPath') or g.get('HealthCheckProtocol')}" for g in picture.target_groups)
        return fine(f"no container health check, but {asked}")
    first = picture.essential[0]
    command = {"command": ["CMD-SHELL", "curl -f http://localhost/ || exit 1"]}
    return wrong(f"neither {names(picture.essential)} nor a target group has a health check", in_container(picture, first, "healthCheck", command))


@check(
    "plain-secrets", HIGH, "No secret stands in plain text",
    "Whoever may call DescribeTaskDefinition reads `environment`, in every old revision too. `secrets` names only where a secret is.",
    "Security > Task Security", "Pass sensitive data to an Amazon ECS container",
)  # fmt: skip
def plain_secrets(picture: Picture) -> Judged | None:
    found = [(c, e["name"]) for c in picture.containers for e in c.get("environment") or () if _is_secret(e)]
    if not found:
        kept = [s["name"] for c in picture.containers for s in c.get("secrets") or ()]
        return fine(f"secrets by reference: {', '.join(kept)}") if kept else fine("no environment variable is named like a secret or holds one")
    return wrong(
        ", ".join(f"{c['name']} has {name} in environment" for c, name in found),
        "\n".join(_as_reference(picture, c, name) for c, name in found),
    )


def _is_secret(entry: Mapping) -> bool:
    words = re.split(r"[^A-Z0-9]+", entry["name"].upper())
    named = bool(TELLING.intersection(words)) and words[-1] not in ONLY_A_NAME
    return bool(entry.get("value")) and (named or bool(IN_A_URL.search(entry["value"])))


def _as_reference(picture: Picture, container: Mapping, name: str) -> str:
    where = f'definition["containerDefinitions"][{picture.index(container)}]'
    secret = f"{picture.definition['family']}/{name}"
    return "\n".join([
        f'container, value = {where}, next(e["value"] for e in {where}["environment"] if e["name"] == {name!r})',
        f'arn = secretsmanager.create_secret(Name={secret!r}, SecretString=value)["ARN"]',
        f'container["environment"] = [e for e in container["environment"] if e["name"] != {name!r}]',
        f'container.setdefault("secrets", []).append({{"name": {name!r}, "valueFrom": arn}})',
    ])  # fmt: skip


@check(
    "logs", HIGH, "What containers print leaves the task",
    "The task's disk goes with the task. Without a log driver that sends lines away, a crash leaves nothing to read.",
    "Monitoring & Logging > CloudWatch Integration", "Send Amazon ECS logs to CloudWatch",
)  # fmt: skip
def logs(picture: Picture) -> Judged | None:
    silent = [c for c in picture.containers if _driver(c) not in CARRIED_AWAY]
    if not silent:
        return fine(", ".join(f"{c['name']}: {_driver(c)}" for c in picture.containers))
    region = picture.service["serviceArn"].split(":")[3]
    options = {"awslogs-group": f"/ecs/{picture.definition['family']}", "awslogs-region": region, "awslogs-stream-prefix": "ecs"}
    driver = {"logDriver": "awslogs", "options": options}
    return wrong(
        ", ".join(f"{c['name']} has {_driver(c) or 'no logConfiguration'}" for c in silent),
        f'logs.create_log_group(logGroupName={options["awslogs-group"]!r})\n' + in_containers(picture, silent, "logConfiguration", driver),
    )


def _driver(container: Mapping) -> str:
    return (container.get("logConfiguration") or {}).get("logDriver", "")


@check(
    "log-retention", LOW, "Logs are kept for a chosen time",
    "A log group without retention keeps every line for ever, and every gigabyte of it is paid every month.",
    "Monitoring & Logging > CloudWatch Integration", "Working with log groups and log streams",
)  # fmt: skip
def log_retention(picture: Picture) -> Judged | None:
    if not picture.log_groups:
        return None
    endless = [name for name, group in picture.log_groups.items() if not group.get("retentionInDays")]
    if endless:
        change = "\n".join(f"logs.put_retention_policy(logGroupName={name!r}, retentionInDays=30)" for name in endless)
        return wrong(f"{', '.join(endless)} never expires", change)
    return fine(", ".join(f"{name} keeps {group['retentionInDays']} days" for name, group in picture.log_groups.items()))


@check(
    "read-only-root", MEDIUM, "A container cannot change its own programs",
    "Who gets in can neither replace a program nor leave one behind. What has to be written goes to a volume. "
    "ECS Exec does not work with it, so this is not asked where Exec is on.",
    "Security > Task Security", SECURITY,
)  # fmt: skip
def read_only_root(picture: Picture) -> Judged | None:
    if picture.on_windows or picture.service.get("enableExecuteCommand"):
        return None
    writable = [c for c in picture.containers if not c.get("readonlyRootFilesystem")]
    if writable:
        return wrong(f"{names(writable)} may write to its root file system", in_containers(picture, writable, "readonlyRootFilesystem", True))
    return fine(f"{names(picture.containers)}: root file system is read-only")


@check(
    "non-root", MEDIUM, "Containers do not run as root",
    "Root in a container is root towards every file it mounts and one kernel fault away from more. Without `user` the image decides, "
    "and most images choose root.",
    "Security > Task Security", SECURITY,
)  # fmt: skip
def non_root(picture: Picture) -> Judged | None:
    if picture.on_windows:
        return None
    rooted = [c for c in picture.containers if (c.get("user") or "root").partition(":")[0] in ROOT]
    if rooted:
        found = ", ".join(f"{c['name']} has {'user ' + c['user'] if c.get('user') else 'no user'}" for c in rooted)
        return wrong(found, in_containers(picture, rooted, "user", UNPRIVILEGED))
    return fine(", ".join(f"{c['name']} runs as {c['user']}" for c in picture.containers))


@check(
    "privileged", HIGH, "No container is privileged",
    "A privileged container owns its host, and with it every other task there and the instance's role.",
    "Security > Task Security", SECURITY,
)  # fmt: skip
def privileged(picture: Picture) -> Judged | None:
    if picture.on_fargate:
        return None  # Fargate refuses it
    found = [c for c in picture.containers if c.get("privileged")]
    if found:
        return wrong(f"{names(found)} is privileged", in_containers(picture, found, "privileged", False))
    return fine("no container is privileged")


@check(
    "capabilities", LOW, "Containers give up the capabilities they do not need",
    "Docker leaves a container powers such as CHOWN or NET_RAW that a web application never uses and an intruder does.",
    "Security > Task Security", SECURITY,
)  # fmt: skip
def capabilities(picture: Picture) -> Judged | None:
    if picture.on_windows:
        return None
    loose = [c for c in picture.containers if "ALL" not in _capabilities(c, "drop") or STRONG & _capabilities(c, "add")]
    if not loose:
        return fine(f"{names(picture.containers)}: ALL dropped")
    change = "\n".join(f'definition["containerDefinitions"][{picture.index(c)}].setdefault("linuxParameters", {{}})["capabilities"] = '
                       f"{{'drop': ['ALL']}}" for c in loose)  # fmt: skip
    return wrong(", ".join(_powers(c) for c in loose), change)


def _capabilities(container: Mapping, which: str) -> set[str]:
    return set(((container.get("linuxParameters") or {}).get("capabilities") or {}).get(which) or ())


def _powers(container: Mapping) -> str:
    added = STRONG & _capabilities(container, "add")
    return f"{container['name']} adds {', '.join(sorted(added))}" if added else f"{container['name']} does not drop ALL"


@check(
    "no-new-privileges", LOW, "A process cannot become more than it was",
    "With no-new-privileges a setuid program inside the image does not make an unprivileged user root.",
    "Security > Task Security", SECURITY,
)  # fmt: skip
def no_new_privileges(picture: Picture) -> Judged | None:
    if picture.on_fargate or picture.on_windows:
        return None  # Fargate takes no dockerSecurityOptions
    loose = [c for c in picture.containers if not any(o.startswith("no-new-privileges") for o in c.get("dockerSecurityOptions") or ())]
    if loose:
        return wrong(f"{names(loose)} has no no-new-privileges", in_containers(picture, loose, "dockerSecurityOptions", ["no-new-privileges"]))
    return fine(f"{names(picture.containers)}: no-new-privileges")


@check(
    "init-process", LOW, "With ECS Exec on, an init process reaps what sessions leave",
    "Children of a session that outlive it stay as zombies, because the application's process does not wait for them.",
    "Task Definitions > Task Definition Components", "Monitor Amazon ECS containers with ECS Exec",
)  # fmt: skip
def init_process(picture: Picture) -> Judged | None:
    if not picture.service.get("enableExecuteCommand") or picture.on_windows:
        return None
    without = [c for c in picture.containers if not (c.get("linuxParameters") or {}).get("initProcessEnabled")]
    if without:
        change = "\n".join(f'definition["containerDefinitions"][{picture.index(c)}].setdefault("linuxParameters", {{}})["initProcessEnabled"] = True'
                           for c in without)  # fmt: skip
        return wrong(f"enableExecuteCommand is on and {names(without)} has no initProcessEnabled", change)
    return fine(f"{names(picture.containers)}: initProcessEnabled")


@check(
    "stop-timeout", LOW, "On Fargate Spot a task says how long it needs to finish",
    "Spot warns two minutes ahead, but without stopTimeout a container is killed 30 seconds after SIGTERM.",
    "Pricing > Fargate Launch Type", "Amazon ECS clusters for Fargate",
)  # fmt: skip
def stop_timeout(picture: Picture) -> Judged | None:
    if not any(one["capacityProvider"] == "FARGATE_SPOT" for one in picture.strategy):
        return None
    silent = [c for c in picture.essential if c.get("stopTimeout") is None]
    if silent:
        return wrong(f"{names(silent)} has no stopTimeout", in_containers(picture, silent, "stopTimeout", 120))
    return fine(", ".join(f"{c['name']} has {c['stopTimeout']} s" for c in picture.essential))


@check(
    "network-mode", MEDIUM, "Tasks have a network interface of their own",
    "In awsvpc mode each task has its own address and security groups. In bridge and host mode all tasks of an instance share its.",
    "Networking > Network Modes", "Amazon ECS task networking options for EC2",
)  # fmt: skip
def network_mode(picture: Picture) -> Judged | None:
    mode = picture.definition.get("networkMode") or "bridge"
    if mode == "awsvpc":
        return fine("networkMode is awsvpc")
    return wrong(f"networkMode is {mode}", 'definition["networkMode"] = \'awsvpc\'')


@check(
    "memory-limit", MEDIUM, "No task can take its instance's memory",
    "A container with nothing but memoryReservation may grow until the instance has none left, and its neighbours are killed with it.",
    "Task Definitions > Task Definition Components", "Amazon ECS task definition parameters",
)  # fmt: skip
def memory_limit(picture: Picture) -> Judged | None:
    if picture.on_fargate:
        return None  # a size is asked for there
    if picture.definition.get("memory"):
        return fine(f"the task has {picture.definition['memory']} MiB")
    boundless = [c for c in picture.containers if not c.get("memory")]
    if boundless:
        limits = "\n".join(in_container(picture, c, "memory", 2 * c["memoryReservation"]) for c in boundless)
        return wrong(f"{names(boundless)} has no memory limit", limits)
    return fine(", ".join(f"{c['name']} has {c['memory']} MiB" for c in picture.containers))


@check(
    "right-size", LOW, "Tasks have the size they need",
    "On Fargate the size asked for is paid, used or not; one that is too small is throttled or killed.",
    "Best Practices", "AWS Fargate Pricing",
)  # fmt: skip
def right_sized(picture: Picture) -> Judged | None:
    if not picture.on_fargate or picture.peaks is None:
        return None
    definition, service = picture.definition, picture.service
    cpu, memory = int(definition["cpu"]), int(definition["memory"])
    arch = (definition.get("runtimePlatform") or {}).get("cpuArchitecture") or "X86_64"
    used = [round(whole * peak / 100, 1) for whole, peak in zip((cpu, memory), picture.peaks)]
    try:
        best = right_size(cpu, memory, *used, arch=arch, tasks=max(1, service.get("desiredCount", 1)))
    except EcsError:
        return None  # a size the price table does not know
    found = f"at most {used[0]:g} of {cpu} CPU units and {used[1]:g} of {memory} MiB were used"
    if best.best_cpu is None or (best.best_cpu, best.best_memory) == (cpu, memory):
        return fine(found)
    saving = f"; {best.best_cpu}/{best.best_memory} saves ${dollars(best.monthly_saving):,} a month" if best.monthly_saving > 0 else ""
    return wrong(found + saving, f'definition["cpu"], definition["memory"] = \'{best.best_cpu}\', \'{best.best_memory}\'')


CHECKS = (
    health_check, plain_secrets, logs, privileged, image_tag, read_only_root, non_root, network_mode, memory_limit, right_sized,
    log_retention, capabilities, no_new_privileges, init_process, stop_timeout,
)  # fmt: skip
