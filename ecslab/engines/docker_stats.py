"""What containers use, as Docker tells it.

Docker takes one to two seconds to answer a single question about a container,
but tells its counters every second to whoever listens. So one listener per
container remembers the latest.
"""
from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Iterable, Mapping

if TYPE_CHECKING:
    import docker

FIRST = 5.0  # seconds that whoever wants all of them waits for a container's first counters


class Listeners:
    def __init__(self, client: "docker.APIClient"):
        self._client = client
        self._latest: dict[str, Mapping | None] = {}  # by container; None until the first counters came
        self._news = threading.Condition()

    def usage(self, container_id: str) -> tuple[float, int] | None:
        """(CPU seconds used, bytes in use), at most a second old; None until the first counters came."""
        self._hear([container_id])
        told = self._latest.get(container_id)
        return _usage(told) if told else None

    def whole(self, containers: Mapping[str, str], network_of: str | None, speed: float) -> dict[str, dict[str, Any]]:
        """All that Docker tells of these containers (name -> id), as long as they run; times in the region's seconds.

        `network_of` is the container that owns their network, if another does. Waits for what nobody listened to before.
        """
        wanted = [*containers.values(), *([network_of] if network_of else [])]
        self._hear(wanted)
        with self._news:
            self._news.wait_for(lambda: all(self._latest.get(one, ()) is not None for one in wanted), FIRST)
            latest = dict(self._latest)
        found = {name: _in_region_time(latest[id], speed) for name, id in containers.items() if latest.get(id)}
        if network_of:
            networks = (latest.get(network_of) or {}).get("networks") or {}
            found = {name: {**told, "networks": networks} for name, told in found.items()}
        return found

    def _hear(self, container_ids: Iterable[str]) -> None:
        with self._news:
            new = [one for one in container_ids if one not in self._latest]
            self._latest |= dict.fromkeys(new)
        for one in new:
            threading.Thread(target=self._listen, args=(one,), name="ecslab-docker-stats", daemon=True).start()

    def _listen(self, container_id: str) -> None:
        try:
            for counters in self._client.stats(container_id, stream=True, decode=True):
                if not counters["memory_stats"]:
                    break  # it stopped
                with self._news:
                    self._latest[container_id] = counters
                    self._news.notify_all()
        except Exception:
            pass  # the container or the engine is gone; whoever asks again is heard again
        finally:
            with self._news:
                self._latest.pop(container_id, None)
                self._news.notify_all()


def _in_region_time(told: Mapping, speed: float) -> dict[str, Any]:
    return {**told, **{name: _cpu(told[name], speed) for name in ("cpu_stats", "precpu_stats")}}


def _cpu(counters: Mapping, speed: float) -> dict[str, Any]:
    used = {name: _faster(value, speed) for name, value in counters["cpu_usage"].items()}
    system = {name: _faster(counters[name], speed) for name in ("system_cpu_usage",) if name in counters}
    return {**counters, **system, "cpu_usage": used}


def _faster(value: int | list[int], speed: float) -> int | list[int]:
    return [int(one * speed) for one in value] if isinstance(value, list) else int(value * speed)


def _usage(counters: Mapping) -> tuple[float, int]:
    memory = counters["memory_stats"]
    detail = memory.get("stats", {})
    cache = detail.get("total_inactive_file", detail.get("inactive_file", 0))  # cgroup version 1, 2
    return counters["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, max(0, memory["usage"] - cache)
