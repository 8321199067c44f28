"""The board: every task of a cluster in the lane of its state, live.

`snapshot` reads the region, `board_text` says the same in plain text, and the
widget redraws while it is open: tasks move from lane to lane as ECS moves them.
In JupyterLab, right-click the board and choose "Create New View for Output" to
keep it beside the notebook.
"""
from __future__ import annotations

import threading
from typing import Any

from ecslab.region import Region

REFRESH = 0.3  # seconds between two looks at the region
STOPPED_SHOWN = 8
EVENTS_SHOWN = 6

# Lane -> the states it holds. Going down is one lane: the states pass quickly.
LANES = {
    "PROVISIONING": ("PROVISIONING",),
    "PENDING": ("PENDING",),
    "ACTIVATING": ("ACTIVATING",),
    "RUNNING": ("RUNNING",),
    "STOPPING": ("DEACTIVATING", "STOPPING", "DEPROVISIONING"),
    "STOPPED": ("STOPPED",),
}


def board(region: Region, cluster: str | None = None) -> None:
    """Show the board of `cluster`, or of every cluster of the region."""
    from ecslab.teach.lab import _show

    _show(lambda: _widget()(region, cluster), board_text(snapshot(region, cluster)))


def snapshot(region: Region, cluster: str | None = None) -> dict:
    """The services and tasks as they are now: what both forms of the board show."""
    with region.lock:
        now = region.clock.now()
        clusters = [c for c in region.clusters.values() if c.status == "ACTIVE" and cluster in (None, c.name)]
        tasks = [t for c in clusters for t in c.tasks.values()]
        services = [s for c in clusters for s in c.services.values() if s.status != "INACTIVE"]
        lanes = {lane: [_card(t) for t in tasks if t.last_status in states] for lane, states in LANES.items()}
        lanes["STOPPED"] = lanes["STOPPED"][-STOPPED_SHOWN:]
        events = sorted((e for s in services for e in s.events), key=lambda e: e["createdAt"])[-EVENTS_SHOWN:]
        return {
            "engine": region.engine.name,
            "speed": region.speed,
            "clock": _clock(now),
            "services": [_service(s) for s in services],
            "lanes": lanes,
            "events": [{"at": _clock(e["createdAt"]), "text": e["message"]} for e in reversed(events)],
        }


def _card(task: Any) -> dict:
    definition = task.task_definition
    return {
        "id": task.id,
        "short": task.id[:6],
        "name": task.service.name if task.service else definition.family,
        "revision": definition.revision,
        "definition": f"{definition.family}:{definition.revision}",
        "status": task.last_status,
        "health": task.health,
        "zone": task.zone,
        "reason": task.stopped_reason or "",
        "codes": [c.exit_code for c in task.containers.values() if c.exit_code is not None],
    }


def _service(service: Any) -> dict:
    running, pending = service.counts()
    deployments = []
    for deployment in service.deployments:
        up, coming = service.counts(deployment.id)
        deployments.append(
            {
                "status": deployment.status,
                "definition": f"{deployment.task_definition.family}:{deployment.task_definition.revision}",
                "rollout": deployment.rollout_state,
                "running": up,
                "pending": coming,
            }
        )
    return {
        "name": service.name,
        "status": service.status,
        "desired": service.desired_count,
        "running": running,
        "pending": pending,
        "deployments": deployments,
    }


def _clock(at: float) -> str:
    from datetime import datetime, timezone

    return datetime.fromtimestamp(at, timezone.utc).strftime("%H:%M:%S")


def board_text(shot: dict) -> str:
    """The board in plain text."""
    lines = [f"Board at {shot['clock']} ({shot['engine']})"]
    for service in shot["services"]:
        lines.append(
            f"  service {service['name']}: desired {service['desired']}, running {service['running']}, pending {service['pending']}"
        )
        lines += [
            f"    {d['status']:7} {d['definition']}  {d['rollout']}  running {d['running']}, pending {d['pending']}"
            for d in service["deployments"]
        ]
    for lane, cards in shot["lanes"].items():
        if cards:
            names = ", ".join(f"{c['definition']} ({c['short']})" for c in cards)
            lines.append(f"  {lane:12} {len(cards)}: {names}")
    if not any(shot["lanes"].values()):
        lines.append("  no tasks")
    return "\n".join(lines)


def _widget():
    from ._kit import Panel, source

    class BoardWidget(Panel):
        _esm = source("dom.js", "board.js")
        _css = source("panel.css", "board.css")

        def __init__(self, region: Region, cluster: str | None):
            super().__init__(board_text(snapshot(region, cluster)))
            self.view = snapshot(region, cluster)
            self._closed = threading.Event()
            threading.Thread(target=self._follow, args=(region, cluster), daemon=True, name="ecslab-board").start()

        def _follow(self, region: Region, cluster: str | None) -> None:
            while not self._closed.wait(REFRESH) and self.comm is not None and not region.is_stopped:
                shot = snapshot(region, cluster)
                if shot != self.view:
                    self.view = shot

        def act(self, message: dict) -> None:
            """The board is only for looking."""

        def close(self) -> None:
            self._closed.set()
            super().close()

    return BoardWidget
