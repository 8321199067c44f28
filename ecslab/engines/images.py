"""The lab's own images, made on this machine the first time they are needed.

`ecslab/app:1.0` and `:2.0` (the lab app) and `ecslab/pause:3` (the container
that holds a task's network) are a few megabytes each: the public `busybox`
image with one script in it. Where that image is not here and cannot be pulled,
the statically linked `busybox` program of this machine takes its place.
"""
from __future__ import annotations

import hashlib
import io
import re
import shutil
import struct
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Mapping

if TYPE_CHECKING:
    import docker

PUBLIC_BASE = "busybox:1.37"
OFFLINE_BASE = "ecslab/base:1"
PAUSE = "ecslab/pause:3"
PUBLIC_TOOLS = "alpine:3.20"  # where nft and socat come from when this machine has none
TOOLS = ("nft", "socat")
TOOLS_LABEL = "ecslab.tools"
SOURCE_LABEL = "ecslab.source"  # what the image was made from; another value means: make it again

# The lab's own images are made here, an image by its id is here or nowhere, and private ECR repositories would be a real account's.
LIVES_ONLY_HERE = re.compile(r"ecslab/|sha256:|\d{12}\.dkr\.ecr\.")

Progress = Callable[[str], None]


class ImagesUnavailable(RuntimeError):
    """The lab's images cannot be made here; the text says what would help."""


@dataclass(frozen=True)
class Recipe:
    """An image: instructions that follow FROM, and the files they copy."""

    tag: str
    instructions: str
    files: Mapping[str, bytes]
    programs: Mapping[str, Path] = field(default_factory=dict)  # copied from this machine

    @property
    def source(self) -> str:
        programs = [(name, path.stat().st_size, path.stat().st_mtime) for name, path in sorted(self.programs.items())]
        content = repr((self.instructions, sorted(self.files.items()), programs))
        return hashlib.sha256(content.encode()).hexdigest()[:16]


def recipes() -> list[Recipe]:
    script = Path(__file__).parent.parent.joinpath("app", "app").read_bytes()
    serve = 'COPY app version /\nENTRYPOINT ["/app"]\nEXPOSE 80\n'
    apps = [
        Recipe(f"ecslab/app:{version}", serve, {"app": script, "version": f"{version}\n".encode()})
        for version in ("1.0", "2.0")
    ]
    return [*apps, _pause()]


def _pause() -> Recipe:
    """The container that owns a task's network. Its tools are this machine's own where it has them."""
    start = {"pause": Path(__file__).parent.joinpath("pause").read_bytes()}
    local = _local_tools()
    if local:
        return Recipe(PAUSE, 'COPY root /\nCOPY pause /\nCMD ["/pause"]\n', start, local)
    return Recipe(PAUSE, 'COPY pause /\nCMD ["/pause"]\n', start)


@lru_cache
def _local_tools() -> Mapping[str, Path]:
    """nft, socat and the libraries they load, by their place in the image; empty where one is missing."""
    found: dict[str, Path] = {}
    for name in TOOLS:
        program = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/bin")
        if program is None or sys.platform != "linux":
            return {}
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, timeout=10)
        found[f"root/bin/{name}"] = Path(program)
        for library in re.findall(r"(/\S+) \(0x", listed.stdout):
            found[f"root{library}"] = Path(library)
    return found


def has_tools(client: "docker.APIClient") -> bool:
    """Whether the pause image can filter traffic and answer names."""
    image = find(client, PAUSE)
    return image is not None and (image["Config"].get("Labels") or {}).get(TOOLS_LABEL) == "yes"


def ensure_app_images(client: "docker.APIClient", progress: Progress | None = None) -> None:
    """Make the images that are missing or out of date. Raises ImagesUnavailable when that is impossible."""
    missing = [recipe for recipe in recipes() if not _is_current(client, recipe)]
    if not missing:
        return
    say = progress or (lambda text: None)
    base = _base(client, say)
    for recipe in missing:
        say(f"making {recipe.tag}")
        _build(client, recipe, base)


def _is_current(client: "docker.APIClient", recipe: Recipe) -> bool:
    image = find(client, recipe.tag)
    return image is not None and (image["Config"].get("Labels") or {}).get(SOURCE_LABEL) == recipe.source


def find(client: "docker.APIClient", image: str) -> dict | None:
    """What Docker knows of an image on this machine; None when it is not here."""
    import docker

    try:
        return client.inspect_image(image)
    except docker.errors.NotFound:
        return None


def _base(client: "docker.APIClient", say: Progress) -> str:
    for name in (PUBLIC_BASE, OFFLINE_BASE):
        if find(client, name) is not None:
            return name
    say(f"pulling {PUBLIC_BASE}")
    why = pull(client, PUBLIC_BASE)
    if why is None:
        return PUBLIC_BASE
    program = _static_busybox()
    if program is None:
        raise ImagesUnavailable(
            f"The lab's images cannot be made: {PUBLIC_BASE} could not be pulled ({why}), and this machine has no "
            "statically linked busybox.\nGo online once (`docker pull busybox:1.37`), or install one "
            "(on Debian and Ubuntu: `apt install busybox-static`)."
        )
    say(f"making {OFFLINE_BASE} from {program}")
    client.import_image_from_data(_root_file_system(program), repository="ecslab/base", tag="1")
    return OFFLINE_BASE


def pull(client: "docker.APIClient", image: str, cancelled: Callable[[], bool] = lambda: False) -> str | None:
    """Pull an image. None when it is here now, else why not, in the daemon's words."""
    import docker

    repository, tag = docker.utils.parse_repository_tag(image)
    try:
        for line in client.pull(repository, tag=tag or "latest", stream=True, decode=True):
            if "error" in line:
                return line["error"]
            if cancelled():
                return "the task was stopped"
    except docker.errors.APIError as error:
        return str(error.explanation)
    return None


def get(client: "docker.APIClient", image: str, cancelled: Callable[[], bool]) -> str | None:
    """Pull an image as ECS would. None when it is here now, else the words after `CannotPullContainerError: `."""
    if LIVES_ONLY_HERE.match(image):
        return _unresolved(image, "not found")
    for _ in range(2):
        why = pull(client, image, cancelled)
        if why is None:
            return None
        if "denied" in why or "manifest unknown" in why or "not found" in why:
            return f"Error response from daemon: {why}"
    return _unresolved(image, why)


def _unresolved(image: str, why: str) -> str:
    return f"pull image manifest has been retried 1 time(s): failed to resolve ref {image}: {why}"


def _build(client: "docker.APIClient", recipe: Recipe, base: str) -> None:
    source = recipe.source
    tools = "yes" if recipe.programs else "no"
    if recipe.tag == PAUSE and not recipe.programs and pull(client, PUBLIC_TOOLS) is None:
        base, tools = PUBLIC_TOOLS, "yes"
        recipe = replace(recipe, instructions=f"RUN apk add --no-cache nftables socat\n{recipe.instructions}")
    dockerfile = f'FROM {base}\n{recipe.instructions}LABEL {SOURCE_LABEL}="{source}" {TOOLS_LABEL}="{tools}"\n'
    context = _tar({"Dockerfile": dockerfile.encode(), **recipe.files, **{n: p.read_bytes() for n, p in recipe.programs.items()}})
    lines = client.build(fileobj=io.BytesIO(context), custom_context=True, tag=recipe.tag, rm=True, decode=True)
    for line in lines:
        if "error" in line:
            raise ImagesUnavailable(f"{recipe.tag} could not be built: {line['error']}")


def _tar(files: Mapping[str, bytes], links: Mapping[str, str] = {}, folders: Mapping[str, int] = {}) -> bytes:
    """A tar archive: executable files, symbolic links and folders with their modes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, mode in folders.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            archive.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return buffer.getvalue()


# Without the network ----------------------------------------------------------


def _static_busybox() -> Path | None:
    found = shutil.which("busybox") or "/bin/busybox"
    return Path(found) if _is_static_program(Path(found)) else None


def _is_static_program(path: Path) -> bool:
    """A Linux program (64-bit ELF) that asks for no dynamic loader: no program header of type PT_INTERP."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    if content[:6] != b"\x7fELF\x02\x01":
        return False
    (offset,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    kinds = {struct.unpack_from("<I", content, offset + i * size)[0] for i in range(count)}
    return 3 not in kinds


def _root_file_system(program: Path) -> bytes:
    applets = subprocess.run([program, "--list"], capture_output=True, text=True, timeout=10, check=True).stdout.split()
    accounts = {
        "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
        "etc/group": b"root:x:0:\nnogroup:x:65534:\n",
    }
    return _tar(
        {"bin/busybox": program.read_bytes(), **accounts},
        links={f"bin/{applet}": "busybox" for applet in applets if applet != "busybox"},
        folders={"bin": 0o755, "etc": 0o755, "root": 0o700, "tmp": 0o1777},
    )
