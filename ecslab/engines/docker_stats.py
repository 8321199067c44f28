"""What containers use, as Docker tells it: for machines whose control groups cannot be read.

Docker takes one to two seconds to answer a single question about a container,
but tells its counters every second to whoever listens. So one listener per
container remembers the latest.
"""
from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Mapping

if TYPE_CHECKING:
    import docker


class Listeners:
    def __init__(self, client: "docker.APIClient"):
        self._client = client
        self._latest: dict[str, tuple[float, int] | None] = {}
        self._lock = threading.Lock()

    def usage(self, container_id: str) -> tuple[float, int] | None:
        """(CPU seconds used, bytes in use), at most a second old; None until the first counters came."""
        with self._lock:
            if container_id in self._latest:
                return self._latest[container_id]
            self._latest[container_id] = None
        threading.Thread(target=self._listen, args=(container_id,), name="ecslab-docker-stats", daemon=True).start()
        return None

    def _listen(self, container_id: str) -> None:
        try:
            for counters in self._client.stats(container_id, stream=True, decode=True):
                if not counters["memory_stats"]:
                    break  # it stopped
                self._latest[container_id] = _usage(counters)
        except Exception:
            pass  # the container or the engine is gone; whoever asks again is heard again
        finally:
            with self._lock:
                self._latest.pop(container_id, None)


def whole(client: "docker.APIClient", container_id: str, network_of: str | None, speed: float) -> dict[str, Any] | None:
    """All of a container's statistics at this moment; `network_of` is the container that owns its network, if another does."""
    told = _now(client, container_id)
    if told is None:
        return None
    if network_of:
        told["networks"] = (_now(client, network_of) or {}).get("networks") or {}
    for counters in (told["cpu_stats"], told["precpu_stats"]):
        counters["cpu_usage"] = {name: _faster(value, speed) for name, value in counters["cpu_usage"].items()}
        if "system_cpu_usage" in counters:
            counters["system_cpu_usage"] = _faster(counters["system_cpu_usage"], speed)
    return told


def _now(client: "docker.APIClient", container_id: str) -> dict[str, Any] | None:
    import docker

    try:
        return client.stats(container_id, stream=False, one_shot=True)
    except docker.errors.InvalidVersion:  # before version 1.41 of the API: two readings, a second apart
        return client.stats(container_id, stream=False)
    except docker.errors.APIError:
        return None


def _faster(value: int | list[int], speed: float) -> int | list[int]:
    return [int(one * speed) for one in value] if isinstance(value, list) else int(value * speed)


def _usage(counters: Mapping) -> tuple[float, int]:
    memory = counters["memory_stats"]
    detail = memory.get("stats", {})
    cache = detail.get("total_inactive_file", detail.get("inactive_file", 0))  # cgroup version 1, 2
    return counters["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, max(0, memory["usage"] - cache)
