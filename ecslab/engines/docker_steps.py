"""Steps that may fail, and things that are made once: the engine's small tools.

Names of errors are those of the ECS agent.
"""
from __future__ import annotations

import threading
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any, Callable, Iterator

LONGEST_STEP = 300.0  # seconds any job waits for another


class StepFailed(Exception):
    """Why a step of a task went wrong, in ECS's words; of one container, or of the whole task."""

    def __init__(self, reason: str, container: str | None = None):
        super().__init__(reason)
        self.container = container


@contextmanager
def named(error_name: str, container: str | None = None) -> Iterator[None]:
    """Give what Docker answers, or that it does not, the name that ECS has for it."""
    import docker
    import requests

    try:
        yield
    except docker.errors.APIError as error:
        raise StepFailed(f"{error_name}: Error response from daemon: {words(error)}", container) from error
    except requests.exceptions.Timeout as error:
        raise StepFailed(f"DockerTimeoutError: {words(error)}", container) from error


def words(error: Exception) -> str:
    return str(getattr(error, "explanation", None) or error).strip() or type(error).__name__


def quietly(call: Callable, *arguments, **options) -> None:
    """End or remove something that may be gone already, or on its way out."""
    import docker

    try:
        call(*arguments, **options)
    except docker.errors.APIError:
        pass


class Once:
    """What all tasks share is made once, by whoever needs it first."""

    def __init__(self, executor: Executor):
        self._executor = executor
        self._made: dict[Any, Future] = {}
        self._lock = threading.Lock()

    def begin(self, key: Any, make: Callable, *arguments) -> Future:
        with self._lock:
            if key not in self._made:
                self._made[key] = self._executor.submit(make, *arguments)
            return self._made[key]

    def result(self, key: Any, make: Callable, *arguments) -> Any:
        """What `make` returned. A failure is not kept: the next one who needs it tries again."""
        future = self.begin(key, make, *arguments)
        try:
            return future.result(LONGEST_STEP)
        except Exception:
            with self._lock:
                if self._made.get(key) is future:
                    del self._made[key]
            raise
