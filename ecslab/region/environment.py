"""What every AWS SDK and the `aws` command need to find the region, and nothing real.

Set in this process, so children inherit it, and put back at stop. The
credentials are dummies and profiles are out of sight, so that nothing in a lab
reaches real AWS by accident. botocore's waiters get the same rules with shorter
pauses, through a data folder of our own: what a learner waits for happens in
seconds here. Where time is virtual they call as often as AWS's do, each call a
pause later in the region's time; else they keep their patience in real time.
"""
from __future__ import annotations

import gzip
import json
import os
import sys
from functools import lru_cache
from pathlib import Path

import botocore

from .registry import home, spare_home

WAITED_FOR = ("ecs", "elbv2", "codedeploy", "ec2", "cloudwatch")  # services of a lab whose waiters are hurried
DUMMY_KEY = "AKIAECSLAB0000000000"


class Environment:
    def __init__(self, endpoint_url: str, region_name: str, pause: float, virtual: bool):
        try:
            self.data_path = str(_waiters_folder(home(), pause, virtual))
        except OSError:  # its disk is full
            self.data_path = str(_waiters_folder(spare_home(), pause, virtual))
        paths = [self.data_path, os.environ.get("AWS_DATA_PATH")]
        self.values: dict[str, str | None] = {
            "AWS_ENDPOINT_URL": endpoint_url,
            "AWS_REGION": region_name,
            "AWS_DEFAULT_REGION": region_name,
            "AWS_ACCESS_KEY_ID": DUMMY_KEY,
            "AWS_SECRET_ACCESS_KEY": "ecslab",
            "AWS_SESSION_TOKEN": None,
            "AWS_PROFILE": None,
            "AWS_DEFAULT_PROFILE": None,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": None,
            "AWS_PAGER": "",
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",  # "data-127.0.0.1" is nobody's name
            "AWS_DATA_PATH": os.pathsep.join(p for p in paths if p),
        }
        self.values.update({name: None for name in os.environ if name.startswith("AWS_ENDPOINT_URL_")})
        own = {**self.values, "PATH": _with_aws(os.environ.get("PATH", ""))}
        self._before = {name: os.environ.get(name) for name in own}
        _set(own)

    def restore(self) -> None:
        _set(self._before)


def programs() -> str:
    """The folder of this Python's own commands, `aws` among them."""
    return str(Path(sys.executable).parent)


def _with_aws(path: str) -> str:
    """PATH with this Python's own commands, so that `!aws` works in a notebook whose environment is not activated."""
    return path if programs() in path.split(os.pathsep) else os.pathsep.join([programs(), path])


def _set(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@lru_cache
def waiters(service: str = "ecs") -> tuple[str, dict]:
    """(API version, botocore's own waiters) of a service, as installed."""
    folder = max(path for path in (Path(botocore.__file__).parent / "data" / service).iterdir() if path.is_dir())
    packed = folder / "waiters-2.json.gz"
    text = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / "waiters-2.json").read_text()
    return folder.name, json.loads(text)


def waiter_delay(operation: str) -> float:
    """How long botocore's waiters pause between two calls of this operation, in seconds."""
    return max((w["delay"] for w in waiters()[1]["waiters"].values() if w["operation"] == operation), default=0.0)


def _waiters_folder(base: Path, pause: float, virtual: bool) -> Path:
    """A data folder for botocore: its own waiters with pauses of `pause` seconds and as much patience as before."""
    folder = base / "botocore" / f"{botocore.__version__}-{pause:g}-{'virtual' if virtual else 'real'}"
    for service in WAITED_FOR:
        version, document = waiters(service)
        hurried = {name: _hurried(one, pause, virtual) for name, one in document["waiters"].items()}
        _write(folder / service / version / "waiters-2.json", {**document, "waiters": hurried})
    return folder


def _hurried(waiter: dict, pause: float, virtual: bool) -> dict:
    attempts = waiter["maxAttempts"] if virtual else int(waiter["delay"] * waiter["maxAttempts"] / pause)
    return {**waiter, "delay": pause, "maxAttempts": attempts}


def _write(target: Path, document: dict) -> None:
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        fresh.write_text(json.dumps(document))
        fresh.replace(target)
    except OSError:
        fresh.unlink(missing_ok=True)  # half a file helps nobody
        raise


@lru_cache
def loader(data_path: str):
    """A botocore loader that keeps what it has read: clients are made quickly from then on."""
    from botocore.loaders import create_loader

    return create_loader(data_path)
