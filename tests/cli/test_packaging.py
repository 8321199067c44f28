"""The package, its pins and its make targets."""
from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT], capture_output=True, timeout=300, check=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path).namelist()


@pytest.mark.parametrize(
    "path",
    ["ecslab/cli.py", "ecslab/app/app", "ecslab/widgets/quiz.js", "ecslab/widgets/board.css", "ecslab/content/quizzes/services.yaml",
     "ecslab/content/labs/00-start-here.ipynb", "ecslab/content/labs/exercises/03-services.py", "ecslab/content/labs/images/03-services.svg"],
)  # fmt: skip
def test_the_wheel_carries_code_front_ends_and_content(wheel, path):
    assert path in wheel


def test_binder_runs_the_versions_that_are_tested():
    tested = pins("constraints.txt")
    assert pins("binder/requirements.txt").items() <= tested.items()
    assert (ROOT / "binder/runtime.txt").read_text().strip() == f"python-{sys.version_info[0]}.{sys.version_info[1]}"


def test_every_dependency_is_pinned():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["test"]
    names = {re.match(r"[A-Za-z0-9_-]+", requirement)[0].lower() for requirement in wanted}
    assert names <= {name.lower() for name in pins("constraints.txt")}


def test_binders_post_build_is_a_program_that_parses():
    script = ROOT / "binder/postBuild"
    assert script.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", script], timeout=10).returncode == 0


@pytest.mark.parametrize("target", ["lab", "test", "bench", "labs"])
def test_make_knows_its_targets(target):
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and done.stdout


def test_the_packages_importing_is_quick_and_brings_nothing_heavy():
    heavy = "boto3,moto,docker,anywidget,jupyterlab"
    code = f"import sys, ecslab; print([m for m in '{heavy}'.split(',') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"
