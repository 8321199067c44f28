"""Security: which role needs a permission, how a secret is named, whether an image can be pulled.

`ROLES` and `secret` hold what no rule computes; `egress` comes from `rules.network`.
"""
from __future__ import annotations

from random import Random
from typing import NamedTuple

from ecslab.rules.network import Party, Route, RouteTable, SecurityGroup, Subnet, VpcEndpoint, egress

from .kit import About, Draft, Slip, generator, service, single, upper

LAB, DOCS = "10-security", "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/"
GOALS = ("SAA-C03 1.1", "DVA-C02 2.1")
TASK_ROLE = About(
    "Amazon ECS Developer Guide: Amazon ECS task IAM role",
    DOCS + "task-iam-roles.html",
    "§7.1",
    "Task Definitions > Task Roles vs Execution Roles",
    GOALS,
    LAB,
)
SECRETS = About(
    "Amazon ECS Developer Guide: Pass sensitive data to an Amazon ECS container",
    DOCS + "specifying-sensitive-data.html",
    "§7.2",
    "Security > Task Security",
    ("SAA-C03 1.2", "DVA-C02 2.3"),
    LAB,
)
PULLS = About(
    "Amazon ECS Developer Guide: Amazon ECS interface VPC endpoints (AWS PrivateLink)",
    DOCS + "vpc-endpoints.html",
    "§5.2",
    "Security > Task Security",
    ("SAA-C03 1.2", "SOA-C03 5.1"),
    LAB,
)


# Roles ----------------------------------------------------------------------

ROLES = {
    "The task role": ("thinks of the application's own role", "it is what the code inside the containers uses"),
    "The task execution role": (
        "thinks of the role that starts tasks",
        "it is used before the container starts, and for its logs",
    ),
    "The container instance role": ("thinks of the instance's role", "it lets the agent register the instance and talk to ECS"),
    "The service-linked role AWSServiceRoleForECS": (
        "thinks of the role of ECS itself",
        "ECS uses it for interfaces, load balancers and service discovery",
    ),
    "The infrastructure role": (
        "thinks of the infrastructure role",
        "ECS uses it for EBS volumes and for traffic shifts of its own blue/green deployments",
    ),
    "The EventBridge role": ("thinks of the scheduler's role", "EventBridge uses it to run scheduled tasks"),
}
TASKS = {
    "The task role": (
        "the application in a container reads objects of an S3 bucket",
        "the application writes items to a DynamoDB table",
        "a container sends messages to an SQS queue",
        "ECS Exec opens its channel (`ssmmessages`) from inside the container",
    ),
    "The task execution role": (
        "a private image is pulled from Amazon ECR on Fargate",
        "the `awslogs` driver on Fargate creates a log stream",
        "a `secrets` entry is fetched from Secrets Manager",
        "an `environmentFiles` entry is read from S3",
        "a `secrets` entry is fetched from Parameter Store",
    ),
    "The container instance role": (
        "the agent on EC2 registers its instance with the cluster",
        "the agent on EC2 polls ECS for work",
    ),
    "The service-linked role AWSServiceRoleForECS": (
        "ECS creates the network interface of a task in `awsvpc` mode",
        "ECS registers the tasks of a service as load balancer targets",
    ),
    "The infrastructure role": (
        "ECS attaches an EBS volume configured at launch",
        "ECS changes listener rules during a native blue/green deployment",
    ),
    "The EventBridge role": ("an EventBridge rule runs a task every night",),
}


@generator("security.which-role", TASK_ROLE, "medium", "understand")
def which_role(rng: Random) -> Draft:
    """Who acts decides: application, start, agent, ECS, scheduler."""
    key = rng.choice(("The task role", "The task execution role") * 2 + tuple(TASKS))
    what, account = rng.choice(TASKS[key]), rng.randint(10**11, 10**12 - 1)
    near = [name for name in ("The task role", "The task execution role") if name != key]
    others = near + rng.sample([name for name in ROLES if name not in (key, *near)], 2)
    slips = [Slip(ROLES[name][0], name, f"{ROLES[name][1]}.") for name in others]
    return single(
        rng,
        f"In account {account}, `{service(rng)}` fails because a permission is missing: {what}. Which role needs it?",
        key,
        f"{upper(ROLES[key][1])}.",
        [f"What needs the permission: {what}.", f"{key}: {ROLES[key][1]}."],
        slips[:3],
    )


# Secrets --------------------------------------------------------------------


class Secret(NamedTuple):
    """What `valueFrom` may name of a secret; stage and id exclude each other."""

    arn: str
    key: str = ""
    stage: str = ""
    id: str = ""

    def __str__(self) -> str:
        """All colons are needed as soon as one optional part is used."""
        parts = (self.key, self.stage, self.id)
        return ":".join((self.arn, *parts)) if any(parts) else self.arn


KEYS = ("password", "username", "host", "token", "api-key", "port")


@generator("security.secret-reference", SECRETS, "hard", "remember")
def secret_reference(rng: Random) -> Draft:
    """arn:json-key:version-stage:version-id, with all colons."""
    name, account, key = service(rng), rng.randint(10**11, 10**12 - 1), rng.choice(KEYS)
    suffix = "".join(rng.choices("abcdefghijkmnpqrstuvwxyzABCDEFGHJK", k=6))
    arn = f"arn:aws:secretsmanager:us-east-1:{account}:secret:{name}-{suffix}"
    stage = rng.choice(("", "AWSPREVIOUS"))
    right = str(Secret(arn, key, stage))
    which = "its previous version" if stage else "its current version"
    slips = [
        Slip(
            "leaves out the colons of empty parts",
            f"{arn}:{key}" if not stage else f"{arn}:{key}:{stage}",
            "all colons are needed as soon as one part is used.",
        ),
        Slip(
            "puts the version before the JSON key",
            str(Secret(arn, stage or "AWSCURRENT", key)),
            "the JSON key comes first, then the stage, then the id.",
        ),
        Slip(
            "writes the key as a path",
            f"{arn}/{key}" + (f"/{stage}" if stage else ""),
            "a slash belongs to the secret's name; parts are set off by colons.",
        ),
    ]
    return single(
        rng,
        f"The secret `{arn}` holds JSON. The container definition of `{name}` shall get only the value of its key "
        f"`{key}`, from {which}. Which `valueFrom` does that?",
        f"`{right}`",
        "The parts are JSON key, version stage, version id, each after a colon, empty ones too.",
        [
            "`valueFrom` is the ARN, then `:json-key:version-stage:version-id`.",
            f"Key {key}, {f'stage {stage}' if stage else 'no stage (AWSCURRENT)'}, no id: `{right}`.",
        ],
        [slip._replace(answer=f"`{slip.answer}`") for slip in slips],
    )


# A way to the registry ------------------------------------------------------


def _pulls(third: int, route: str, public: bool, *services: str) -> bool:
    """Whether a Fargate task can pull from Amazon ECR: its route to the internet, a public address, VPC endpoints."""
    routes = (Route(f"10.{third}.0.0/16", "local"), *([Route("0.0.0.0/0", route)] if route else []))
    subnet = Subnet("subnet-a", "vpc-1", RouteTable("rtb-1", routes))
    task = Party("the task", f"10.{third}.1.9", subnet, (SecurityGroup("sg-task"),), "203.0.113.7" if public else "")
    allowed = SecurityGroup("sg-endpoint", inbound=SecurityGroup("").outbound)
    door = Party("the endpoint", f"10.{third}.1.4", subnet, (allowed,))
    endpoints = tuple(
        VpcEndpoint(name, "vpc-1", None, ("rtb-1",)) if name == "s3" else VpcEndpoint(name, "vpc-1", door) for name in services
    )
    return egress(task, "ecr", endpoints).allowed


WAYS = {
    "a route to an internet gateway, `assignPublicIp` ENABLED": ("igw-1", True),
    "a route to a NAT gateway, `assignPublicIp` DISABLED": ("nat-1", False),
    "no route out, interface endpoints for `ecr.api` and `ecr.dkr`, a gateway endpoint for S3": (
        "",
        False,
        "ecr.api",
        "ecr.dkr",
        "s3",
    ),
}
DEAD_ENDS = {
    "thinks an internet gateway serves private addresses": (
        "a route to an internet gateway, `assignPublicIp` DISABLED",
        ("igw-1", False),
        "an internet gateway carries only packets of public addresses.",
    ),
    "thinks a public address is a way out": (
        "no route out, `assignPublicIp` ENABLED",
        ("", True),
        "without a route the address leads nowhere.",
    ),
    "forgets that image layers come from S3": (
        "no route out, interface endpoints for `ecr.api` and `ecr.dkr` only",
        ("", False, "ecr.api", "ecr.dkr"),
        "the layers come from S3, which has no way here.",
    ),
    "thinks one endpoint is enough for Amazon ECR": (
        "no route out, an interface endpoint for `ecr.dkr`, a gateway endpoint for S3",
        ("", False, "ecr.dkr", "s3"),
        "the login goes to `ecr.api`.",
    ),
}


@generator("security.way-to-the-registry", PULLS, "hard", "analyze")
def way_to_the_registry(rng: Random) -> Draft:
    """Public address and internet gateway, NAT gateway, or endpoints for all three services."""
    third, key = rng.randint(1, 250), rng.choice(tuple(WAYS))
    chosen = {slip: DEAD_ENDS[slip] for slip in rng.sample(tuple(DEAD_ENDS), 3)}
    assert _pulls(third, *WAYS[key]) and not any(_pulls(third, *way) for _, way, _ in chosen.values())
    return single(
        rng,
        f"A Fargate task of `{service(rng)}` in 10.{third}.1.0/24 pulls its image from Amazon ECR. Its security group "
        "lets everything out. With which subnet and settings does the pull work?",
        upper(key),
        "The task's own interface has a way to `ecr.api`, `ecr.dkr` and S3.",
        [
            "The pull goes through the task's interface, to three services: `ecr.api`, `ecr.dkr` and S3.",
            "A way is a public address with an internet gateway, a NAT gateway, or VPC endpoints for all three.",
        ],
        [Slip(slip, upper(text), why) for slip, (text, _, why) in chosen.items()],
    )
