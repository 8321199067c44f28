"""A real JupyterLab on a free port of 127.0.0.1, and a Chromium page that shows one notebook in it."""
from __future__ import annotations

import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import nbformat

CHECKOUT = Path(__file__).resolve().parents[2]
CHROMIUM_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]
START_SECONDS = 60
TURN_SECONDS = 300
PAGE_MS = 30_000


@contextmanager
def _alone() -> Iterator[None]:
    """One JupyterLab at a time, whoever else runs tests: three of them starting at once keep two processors busy for a minute."""
    with open(Path(tempfile.gettempdir()) / "ecslab-one-browser", "w") as turn:
        deadline = time.monotonic() + TURN_SECONDS
        while True:
            try:
                fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"Another test kept its browser for more than {TURN_SECONDS} seconds.") from None
                time.sleep(0.2)
        yield


@contextmanager
def jupyterlab(folder: Path, **environment: str) -> Iterator[str]:
    """Serve `folder`; yields the address of a page to put a notebook's name behind, token included as {}."""
    with _alone(), _served(folder, environment) as address:
        yield address


@contextmanager
def _served(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}",
        f"--ServerApp.root_dir={folder}", "--LabApp.news_url=", "--expose-app-in-browser",
    ]
    own = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    env = {**os.environ, **own, "PYTHONPATH": str(CHECKOUT), "ECSLAB_HOME": str(folder / "home"), **environment}
    settings = Path(own["JUPYTER_CONFIG_DIR"]) / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    with open(folder / "server.log", "w") as log:
        server = subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait_until_up(server, f"http://127.0.0.1:{port}/api?token={token}", folder / "server.log")
        yield f"http://127.0.0.1:{port}/lab/tree/{{}}?token={token}&reset"
    finally:
        os.killpg(server.pid, signal.SIGINT)
        try:
            server.wait(2)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(10)


def _wait_until_up(server: subprocess.Popen, address: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")


def write_notebook(path: Path, *cells: str) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)


@contextmanager
def browser_page() -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_default_timeout(PAGE_MS)
        try:
            yield page
        finally:
            browser.close()


def open_notebook(page, address: str) -> None:
    """Open a notebook and wait for its kernel: running cells sooner opens a dialog that asks for one."""
    page.goto(address)
    page.get_by_text("| Idle").wait_for()
