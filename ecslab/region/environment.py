"""What every AWS SDK and the `aws` command need to find the region, and nothing real.

Set in this process, so children inherit it, and put back at stop. The
credentials are dummies and profiles are out of sight, so that nothing in a lab
reaches real AWS by accident. botocore's waiters get the same rules with shorter
pauses, through a data folder of our own: what a learner waits for happens in
seconds here.
"""
from __future__ import annotations

import gzip
import json
import os
import sys
from functools import lru_cache
from pathlib import Path

import botocore

from .registry import home

API_VERSION = "2014-11-13"
DUMMY_KEY = "AKIAECSLAB0000000000"


class Environment:
    def __init__(self, endpoint_url: str, region_name: str, pause: float):
        self.data_path = str(_waiters_folder(pause))
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
def waiters() -> dict:
    """botocore's own waiters for ECS, as installed."""
    folder = Path(botocore.__file__).parent / "data" / "ecs" / API_VERSION
    packed = folder / "waiters-2.json.gz"
    if packed.exists():
        return json.loads(gzip.decompress(packed.read_bytes()))
    return json.loads((folder / "waiters-2.json").read_text())


def waiter_delay(operation: str) -> float:
    """How long botocore's waiters pause between two calls of this operation, in seconds."""
    return max((w["delay"] for w in waiters()["waiters"].values() if w["operation"] == operation), default=0.0)


def _waiters_folder(pause: float) -> Path:
    """A data folder for botocore: its own waiters with pauses of `pause` seconds and as much patience as before."""
    folder = home() / "botocore" / f"{botocore.__version__}-{pause:g}"
    target = folder / "ecs" / API_VERSION / "waiters-2.json"
    if target.exists():
        return folder
    document = {**waiters(), "waiters": {}}
    for name, waiter in waiters()["waiters"].items():
        patience = waiter["delay"] * waiter["maxAttempts"]
        document["waiters"][name] = {**waiter, "delay": pause, "maxAttempts": int(patience / pause)}
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    fresh.write_text(json.dumps(document))
    fresh.replace(target)
    return folder


@lru_cache
def loader(data_path: str):
    """A botocore loader that keeps what it has read: clients are made quickly from then on."""
    from botocore.loaders import create_loader

    return create_loader(data_path)
