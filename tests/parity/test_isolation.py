"""What a container may write at its start, and what a command in it finds: the same on both engines."""
from __future__ import annotations

from ecslab.region import start
from ecslab.rules.exec_command import PERMISSIONS
from tests.parity.test_parity import SPEED, Story
from tests.region.test_secrets import role

DATA = {"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]}
SEALED = {"mountPoints": [{"sourceVolume": "data", "containerPath": "/data", "readOnly": True}]}
READ_ONLY = {"readonlyRootFilesystem": True}
NOBODY = {"user": "65534"}
CACHE = {"linuxParameters": {"tmpfs": [{"containerPath": "/cache", "size": 8}]}}

# What a container has, the file it writes, the end of what it says: two tasks, as one has ten containers at most.
WRITES = [
    {
        "plain": ({}, "/report", "wrote /report"),
        "lost": ({}, "/no/such/folder", "cannot write /no/such/folder: nonexistent directory"),
        "kernel": ({}, "/sys/report", "cannot write /sys/report: Read-only file system"),
        "nobody": (NOBODY, "/report", "cannot write /report: Permission denied"),
        "nobody-etc": (NOBODY, "/etc/report", "cannot write /etc/report: Permission denied"),
        "nobody-tmp": (NOBODY, "/tmp/report", "wrote /tmp/report"),
        "read-only": (READ_ONLY, "/report", "cannot write /report: Read-only file system"),
        "read-only-tmp": (READ_ONLY, "/tmp/report", "cannot write /tmp/report: Read-only file system"),
    },
    {
        "memory": (READ_ONLY, "/dev/shm/report", "wrote /dev/shm/report"),
        "volume": (READ_ONLY | DATA, "/data/report", "wrote /data/report"),
        "sealed": (READ_ONLY | SEALED, "/data/report", "cannot write /data/report: Read-only file system"),
        "nobody-volume": (NOBODY | DATA, "/data/other", "cannot write /data/other: Permission denied"),
        "cache": (READ_ONLY | NOBODY | CACHE, "/cache/report", "wrote /cache/report"),
        "borrowed": (READ_ONLY | {"volumesFrom": [{"sourceContainer": "volume"}]}, "/data/third", "wrote /data/third"),
    },
]


def started(story: Story, number: int) -> str:
    """A task with a container for each line above; one more keeps it running."""
    containers = [
        {"name": name, "image": "ecslab/app:1.0", "memory": 32, "essential": False, "command": ["--write", path, "--exit-after", "20"], **settings}
        for name, (settings, path, _) in WRITES[number].items()
    ]
    containers.append({"name": "rest", "image": "ecslab/app:1.0", "memory": 32})
    story.ecs.register_task_definition(
        family=f"writes-{number}", networkMode="bridge", requiresCompatibilities=["EC2"],
        volumes=[{"name": "data"}], containerDefinitions=containers,
    )  # fmt: skip
    return story.ecs.run_task(cluster="demo", taskDefinition=f"writes-{number}", launchType="EC2")["tasks"][0]["taskArn"]


def tell(story: Story) -> dict[str, tuple[str, int | None]]:
    """The first line that each container printed, and how it ended."""
    story.region.add_instance("demo")
    told = {}
    for arn in [started(story, number) for number in range(len(WRITES))]:
        story.until(lambda: all(c["lastStatus"] == "STOPPED" for c in story.task(arn)["containers"][:-1]))
        assert story.task(arn)["lastStatus"] == "RUNNING"
        told |= {c["name"]: (story.region.logs(arn, c["name"])[0], c.get("exitCode")) for c in story.task(arn)["containers"][:-1]}
    return told


COMMANDS = [
    "whoami", "id -u", "cat /version", "echo one two", "false", "sh -c 'echo $COLOUR'", "sh -c 'exit 3'",
    "wget -qO- http://localhost/health", "kill -9 1", "kill 77777",
    "sh -c 'echo $AWS_EXECUTION_ENV $AWS_REGION $AWS_DEFAULT_REGION $AWS_ENDPOINT_URL'",
    "wget -qO- http://localhost/object?at=shop/open", "wget -qO- http://localhost/object?at=shop/closed", "wget -qO- http://localhost/secret?id=other",
    "/app object shop/open", "/app object shop/closed", "/app object 'what?'", "/app health", "wget -qO- http://169.254.170.2/v4/",
]  # fmt: skip


def executed(story: Story) -> list:
    """What each command prints and how it ends; how the task ends after the last."""
    settings = {"user": "65534", "environment": [{"name": "COLOUR", "value": "green"}]}
    s3 = story.region.client("s3")
    s3.create_bucket(Bucket="shop")
    for key in ("open", "closed"):
        s3.put_object(Bucket="shop", Key=key, Body=f"{key} to whom it may concern".encode())
    allowed = [*((p, "*") for p in PERMISSIONS), ("s3:GetObject", "arn:aws:s3:::shop/open")]
    story.define("shell", container=settings, taskRoleArn=role(story, "open", *allowed))
    arn = story.run("shell", enableExecuteCommand=True)
    story.until(lambda: story.task(arn)["containers"][0]["managedAgents"][0]["lastStatus"] == "RUNNING" and story.task(arn)["lastStatus"] == "RUNNING")
    story.until(lambda: story.region.exec(arn, None, "wget -qO- localhost/health").exit_code == 0)
    told: list = [story.region.exec(arn, "app", command) for command in COMMANDS]
    last = story.region.exec(arn, "app", "kill 1")
    assert last.exit_code in (0, 137)  # the container may end before the command's own exit code is known
    ended = story.ended(arn)
    return [*told, ended["stoppedReason"], ended["containers"]]


def test_what_a_container_may_write_and_run_is_the_same_on_both_engines():
    every = {name: said for task in WRITES for name, (_, _, said) in task.items()}
    expected = {name: (f"ecslab app: {said}", int("cannot" in said)) for name, said in every.items()}
    shells = {}
    for engine, options in (("simulated", {}), ("docker", {"speed": SPEED})):
        with start(engine=engine, **options) as region:
            story = Story(region)
            assert tell(story) == expected, engine
            shells[engine] = executed(story)
    assert shells["docker"] == shells["simulated"]
    assert shells["docker"][-1] == [("app", "STOPPED", 0, "")]
    assert [one.output for one in shells["docker"][10:15]] == [
        "AWS_ECS_FARGATE us-east-1 us-east-1 http://169.254.170.2\n",
        "open to whom it may concern\n",
        "wget: server returned error: HTTP/1.1 502 Bad Gateway\n",
        "wget: server returned error: HTTP/1.1 502 Bad Gateway\n",
        "open to whom it may concern\n",
    ]


def test_on_the_bridge_a_container_has_its_localhost_to_itself_on_both_engines():
    ports, told = (80, 81), {}
    for engine, options in (("simulated", {}), ("docker", {"speed": SPEED})):
        with start(engine=engine, **options) as region:
            story = Story(region)
            region.add_instance("demo")
            containers = [{"name": f"c{port}", "image": "ecslab/app:1.0", "memory": 32, "command": ["--port", str(port)]} for port in ports]
            story.ecs.register_task_definition(
                family="two", networkMode="bridge", requiresCompatibilities=["EC2"], containerDefinitions=containers,
                taskRoleArn=role(story, "open", *((p, "*") for p in PERMISSIONS)),
            )  # fmt: skip
            arn = story.ecs.run_task(cluster="demo", taskDefinition="two", launchType="EC2", enableExecuteCommand=True)["tasks"][0]["taskArn"]
            ready = lambda: all(c.get("managedAgents", [{}])[0].get("lastStatus") == "RUNNING" for c in story.task(arn)["containers"])  # noqa: E731
            story.until(ready)
            ask = lambda container, port: story.region.exec(arn, container, f"wget -qO- http://localhost:{port}/health").exit_code  # noqa: E731
            story.until(lambda: ask("c80", 80) == 0 and ask("c81", 81) == 0)
            told[engine] = [ask(f"c{here}", port) for here in ports for port in ports]
    assert told["docker"] == told["simulated"] == [0, 1, 1, 0]
