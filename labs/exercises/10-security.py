"""Exercises of lab 10: who may do what, and what a container may do."""
from datetime import datetime

from ecslab.rules import policy
from ecslab.teach import Saw, exercise
from ecslab.teach.aws import document, role_policies, user_policies

CLUSTER, SERVICE = "demo", "shop"
TASKS = {"iam:PassedToService": policy.TASKS}
DEFINITION = "describe_task_definition -> containerDefinitions[0]"


def _may(policies, words, action, resource, wanted, where, context={}):
    """Is that allowed exactly when it should be?"""
    allowed = bool(policy.decide(policies, action, resource, context))
    return Saw(allowed == wanted, f"{words}: {'allowed' if allowed else 'not allowed'}", "allowed" if wanted else "not allowed", where)


def _settled(aws):
    """The service, its one definition's container, and what is missing for its rollout to be over."""
    service = aws.service(CLUSTER, SERVICE)
    if service is None:
        return {}, [Saw(False, f"no service {SERVICE!r} in the cluster {CLUSTER!r}", "the lab's service", "describe_services")]
    over = len(service["deployments"]) == 1 and service["runningCount"] == service["desiredCount"] > 0
    told = f"{len(service['deployments'])} deployments, {service['runningCount']} of {service['desiredCount']} tasks running"
    return _container(aws, service["taskDefinition"]), [Saw(over, told, "one deployment, with every task running", "describe_services -> deployments")]


def _container(aws, definition):
    return aws.task_definition(definition)["containerDefinitions"][0]


def _secret(aws):
    found = aws.client("secretsmanager").list_secrets()["SecretList"]
    return next((one for one in found if one["Name"] == "shop/db"), None)


def _reads_password(aws, container):
    """Does DB_PASSWORD come from the JSON key of the secret, and from nowhere else?"""
    secret = _secret(aws)
    if secret is None:
        return [Saw(False, "no secret shop/db", "the secret of the cell above", "secretsmanager list_secrets")]
    given = {item["name"]: item["valueFrom"] for item in container.get("secrets") or ()}.get("DB_PASSWORD", "nothing")
    fits = given.startswith(f"{secret['ARN']}:password:")
    plain = [item["name"] for item in container.get("environment") or () if item["name"] == "DB_PASSWORD"]
    return [
        Saw(fits, f"DB_PASSWORD from {given}", "the ARN of shop/db, then :password::", f"{DEFINITION}.secrets"),
        Saw(not plain, f"DB_PASSWORD in the plain environment: {'yes' if plain else 'no'}", "no", f"{DEFINITION}.environment"),
    ]


@exercise(
    "security.trust",
    title="Let tasks wear it",
    task="""
    Change the **trust policy** of the role `courier`, so that ECS tasks may assume it and Lambda functions may not. Then run one task of
    `courier` with `run("courier")`.
    """,
    hints=[
        "Permissions say what a role may do. The error is about something else: who may assume it.",
        "The principal of a task role and of an execution role is a service: `ecs-tasks.amazonaws.com`. The helper `trust` makes such a document.",
        "`iam.update_assume_role_policy(RoleName=..., PolicyDocument=...)` replaces the trust policy.",
        """
        ```python
        iam.update_assume_role_policy(RoleName="courier", PolicyDocument=trust("ecs-tasks.amazonaws.com"))
        run("courier")
        ```
        """,
    ],
    explanation="""
    Not `ecs.amazonaws.com`, which is ECS itself (infrastructure roles), and not `ec2.amazonaws.com`, which is the container instance.
    Tasks have a principal of their own, and both of a task's roles trust it.
    """,
)
def trust(aws):
    trust = document(aws.client("iam").get_role(RoleName="courier")["Role"]["AssumeRolePolicyDocument"])
    tasks, functions = policy.trusts(trust), policy.trusts(trust, "lambda.amazonaws.com")
    running = [t for t in aws.tasks(CLUSTER, family="courier") if t["lastStatus"] == "RUNNING"]
    where = "iam get_role -> AssumeRolePolicyDocument"
    return [
        Saw(tasks, f"ECS tasks {'may' if tasks else 'may not'} assume it", "they may", where),
        Saw(not functions, f"Lambda functions {'may' if functions else 'may not'} assume it", "they may not", where),
        Saw(bool(running), f"{len(running)} tasks of courier running", "at least 1", "describe_tasks -> lastStatus"),
    ]


@exercise(
    "security.pass-role",
    title="Hand over one hat only",
    task="""
    Give the user `developer` one more inline policy: permission to **pass** the role `courier` (its ARN is in the variable `courier`) to
    **ECS tasks**, and to nobody else. The role `admin` stays out of reach.
    """,
    hints=[
        "The action is in the error you just read. So is the kind of resource it is about.",
        "`Action` is `iam:PassRole`, `Resource` the role's ARN. To whom it may be passed is a condition.",
        "`'Condition': {'StringEquals': {'iam:PassedToService': 'ecs-tasks.amazonaws.com'}}`, and `iam.put_user_policy` with a new `PolicyName`.",
        """
        ```python
        passing = {
            "Effect": "Allow", "Action": "iam:PassRole", "Resource": courier,
            "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
        }
        policy = {"Version": "2012-10-17", "Statement": [passing]}
        iam.put_user_policy(UserName="developer", PolicyName="passes", PolicyDocument=json.dumps(policy))
        ```
        """,
    ],
    explanation="""
    Whoever may pass a role may have everything the role may do. So `iam:PassRole` on `*` makes an administrator of every developer; it
    belongs on the roles of one application, with the service it is passed to.
    """,
)
def pass_role(aws):
    policies = user_policies(aws.client("iam"), "developer")
    arn = "arn:aws:iam::{}:role/{}".format
    account = aws.client("sts").get_caller_identity()["Account"]
    courier, admin = arn(account, "courier"), arn(account, "admin")
    where = "iam list_user_policies, get_user_policy"
    functions = {"iam:PassedToService": "lambda.amazonaws.com"}
    return [
        _may(policies, "to pass courier to ECS tasks", "iam:PassRole", courier, True, where, TASKS),
        _may(policies, "to pass courier to Lambda", "iam:PassRole", courier, False, where, functions),
        _may(policies, "to pass admin to ECS tasks", "iam:PassRole", admin, False, where, TASKS),
    ]


@exercise(
    "security.secret",
    title="Say where, not what",
    task="""
    Register a new revision of `shop` whose container gets `DB_PASSWORD` from the key **`password`** of the secret (its ARN is in the
    variable `secret`), with the same two roles and without the plain variable. Update the service to it, and let half a minute pass.
    """,
    hints=[
        "A container definition has `environment` for values and `secrets` for places.",
        "One entry of `secrets` is `{'name': ..., 'valueFrom': ...}`. A JSON key is written behind the secret's ARN.",
        "`valueFrom` is `f'{secret}:password::'`: key, stage and id, each after a colon, the last two empty. Two colons at the end.",
        """
        ```python
        define("shop", {"secrets": [{"name": "DB_PASSWORD", "valueFrom": f"{secret}:password::"}]}, **roles)
        ecs.update_service(cluster="demo", service="shop", taskDefinition="shop")
        lab.region.run_for("30s")
        ```
        """,
    ],
    explanation="""
    DescribeTaskDefinition now shows a place. Who wants the value needs `secretsmanager:GetSecretValue` on it, and every reading is
    an API call of its own, which can be allowed, denied and recorded.
    """,
)
def secret(aws):
    newest = aws.task_definition("shop")
    service = aws.service(CLUSTER, SERVICE)
    if newest is None or service is None:
        return [Saw(False, "no definition or no service named shop", "both, as the lab made them", "describe_services")]
    uses = service["taskDefinition"] == newest["taskDefinitionArn"]
    told = service["taskDefinition"].rpartition("/")[2]
    return [
        *_reads_password(aws, newest["containerDefinitions"][0]),
        Saw(bool(newest.get("executionRoleArn")), f"execution role: {newest.get('executionRoleArn', 'none')}", "one", "describe_task_definition -> executionRoleArn"),
        Saw(uses, f"the service's definition is {told}", "the newest revision of shop", "describe_services -> taskDefinition"),
    ]


@exercise(
    "security.execution-role",
    title="The one who opens the safe",
    task="""
    Let the **execution role** `shop-execution` read the secret `shop/db`, and no other secret. Then wait until the service is stable: it
    tries again by itself.
    """,
    hints=[
        "The message names the role, the action and the resource. You need just these three.",
        "A role's inline policy is put with `iam.put_role_policy`; the helper `document` makes one from (action, resource).",
        "`document(('secretsmanager:GetSecretValue', secret))`, then `ecs.get_waiter('services_stable').wait(...)`.",
        """
        ```python
        iam.put_role_policy(
            RoleName="shop-execution", PolicyName="reads", PolicyDocument=document(("secretsmanager:GetSecretValue", secret))
        )
        ecs.get_waiter("services_stable").wait(cluster="demo", services=["shop"])
        ```
        """,
    ],
    explanation="""
    The task role needs nothing for this: the value is in the environment before your code runs. A secret with a key of your own needs
    `kms:Decrypt` too, parameters of SSM need `ssm:GetParameters`, environment files `s3:GetObject`: all of the execution role.
    """,
)
def execution_role(aws):
    policies, found = role_policies(aws.client("iam"), "shop-execution"), _secret(aws)
    if found is None:
        return [Saw(False, "no secret shop/db", "the secret of the lab", "secretsmanager list_secrets")]
    container, over = _settled(aws)
    where = "iam list_role_policies, get_role_policy"
    other = found["ARN"].replace("shop/db", "other/db")
    action = "secretsmanager:GetSecretValue"
    return [
        _may(policies, "to read shop/db", action, found["ARN"], True, where),
        _may(policies, "to read any other secret", action, other, False, where),
        *(_reads_password(aws, container) if container else ()),
        *over,
    ]


@exercise(
    "security.rotate",
    title="New tasks, new value",
    task="""
    The secret has a new value, and the tasks of `shop` were started before it. Let the service replace them **without** a new revision, and
    wait until it is stable.
    """,
    hints=[
        "A secret is injected when a task starts. Which call starts new tasks although nothing about the service changes?",
        "UpdateService has a switch for just this.",
        "`forceNewDeployment=True`; afterwards the waiter `services_stable`.",
        """
        ```python
        ecs.update_service(cluster="demo", service="shop", forceNewDeployment=True)
        ecs.get_waiter("services_stable").wait(cluster="demo", services=["shop"])
        ```
        """,
    ],
    explanation="""
    Between the rotation and the end of the rollout old tasks hold an old password, so a rotation gives both a time to be valid. An app
    that reads the secret itself, with its task role, needs no rollout; it then needs the permission, and code for it.
    """,
)
def rotate(aws):
    container, over = _settled(aws)
    if not container:
        return over
    found = aws.client("secretsmanager").describe_secret(SecretId="shop/db") if _secret(aws) else {}
    when = {tag["Key"]: tag["Value"] for tag in found.get("Tags") or ()}.get("rotated-at")
    if when is None:
        return [Saw(False, "shop/db has no tag rotated-at", "run the cell that rotates it", "secretsmanager describe_secret -> Tags")]
    running = aws.tasks(CLUSTER, serviceName=SERVICE, desiredStatus="RUNNING")
    older = [task for task in running if task["createdAt"] < datetime.fromisoformat(when)]
    return [
        Saw(not older, f"tasks that are older than the new value: {len(older)}", "none", "describe_tasks -> createdAt"),
        *_reads_password(aws, container),
        *over,
    ]


@exercise(
    "security.least-privilege",
    title="Only what it needs",
    task="""
    Replace the policy `does` of the role `reports-app`: it may **read and write objects** of the bucket `reports`, and read the secret whose
    ARN is in the variable `own`. Nothing else: no other bucket, no deleting.
    """,
    hints=[
        "Two stars were the fault: the one in the action and the one in the resource. Name both.",
        "Reading and writing objects is `s3:GetObject` and `s3:PutObject`. Objects of a bucket are `arn:aws:s3:::<bucket>/*`.",
        "Three statements: two for the bucket, one `secretsmanager:GetSecretValue` for `own`. `document` makes the policy, the same `PolicyName` replaces it.",
        """
        ```python
        needs = document(
            ("s3:GetObject", "arn:aws:s3:::reports/*"), ("s3:PutObject", "arn:aws:s3:::reports/*"), ("secretsmanager:GetSecretValue", own)
        )
        iam.put_role_policy(RoleName="reports-app", PolicyName="does", PolicyDocument=needs)
        ```
        """,
    ],
    explanation="""
    Roles are cheap: one for each task definition, each with the actions and resources of its own code. Then a hole in one service is a
    hole in one service.
    """,
)
def least_privilege(aws):
    policies = role_policies(aws.client("iam"), "reports-app")
    secrets = {one["Name"]: one["ARN"] for one in aws.client("secretsmanager").list_secrets()["SecretList"]}
    where = "iam list_role_policies, get_role_policy"
    bucket = "arn:aws:s3:::{}/2026.csv".format
    read = "secretsmanager:GetSecretValue"
    return [
        _may(policies, "to read an object of reports", "s3:GetObject", bucket("reports"), True, where),
        _may(policies, "to write an object of reports", "s3:PutObject", bucket("reports"), True, where),
        _may(policies, "to delete an object of reports", "s3:DeleteObject", bucket("reports"), False, where),
        _may(policies, "to read an object of payroll", "s3:GetObject", bucket("payroll"), False, where),
        _may(policies, "to write an object of payroll", "s3:PutObject", bucket("payroll"), False, where),
        _may(policies, "to read the secret reports/db", read, secrets.get("reports/db", "none"), True, where),
        _may(policies, "to read the secret payroll/db", read, secrets.get("payroll/db", "none"), False, where),
    ]


@exercise(
    "security.group",
    title="Close the door, leave a key",
    task="""
    Take the rule that lets everybody in away from the group `shop`, and let in tcp port **8080** from the group `front` instead.
    """,
    hints=[
        "Two calls: one takes a rule away, one adds another. New tasks are not needed.",
        "`revoke_security_group_ingress` wants the permission as it was given: it is in the variable `everyone`.",
        "The new rule names a group: `'UserIdGroupPairs': [{'GroupId': front_group}]`, with `FromPort` and `ToPort` 8080.",
        """
        ```python
        ec2.revoke_security_group_ingress(GroupId=shop_group, IpPermissions=everyone)
        from_front = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "UserIdGroupPairs": [{"GroupId": front_group}]}
        ec2.authorize_security_group_ingress(GroupId=shop_group, IpPermissions=[from_front])
        ```
        """,
    ],
    explanation="""
    The task keeps its public address and nobody comes in by it. Better still is a private subnet without one: then no rule that somebody
    adds in a hurry can open it again.
    """,
)
def group(aws):
    answer = aws.ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["front", "shop"]}])["SecurityGroups"]
    groups = {one["GroupName"]: one for one in answer}
    if set(groups) != {"front", "shop"}:
        return [Saw(False, f"groups: {', '.join(sorted(groups)) or 'none'}", "front and shop, as the lab made them", "describe_security_groups")]
    rules = groups["shop"]["IpPermissions"]
    ranges = [r["CidrIp"] for rule in rules for r in rule.get("IpRanges", ())] + [r["CidrIpv6"] for rule in rules for r in rule.get("Ipv6Ranges", ())]
    named = [rule for rule in rules if any(p["GroupId"] == groups["front"]["GroupId"] for p in rule.get("UserIdGroupPairs", ()))]
    ports = [(rule["IpProtocol"], rule.get("FromPort"), rule.get("ToPort")) for rule in named]
    service = aws.service(CLUSTER, SERVICE)
    used = service["networkConfiguration"]["awsvpcConfiguration"].get("securityGroups", []) if service else []
    where = "describe_security_groups -> IpPermissions of shop"
    return [
        Saw(not ranges, f"address ranges let in: {', '.join(ranges) or 'none'}", "none", where),
        Saw(ports == [("tcp", 8080, 8080)], f"rules for the group front (protocol, from, to): {ports or 'none'}", "tcp 8080 only", where),
        Saw(used == [groups["shop"]["GroupId"]], f"{len(used)} groups on the service", "the group shop", "describe_services -> networkConfiguration"),
    ]


@exercise(
    "security.harden",
    title="Nothing to hold on to",
    task="""
    A new revision of `shop`: its container runs as user **`1000:1000`**, with a **read-only root**, and drops **ALL** capabilities; roles and
    secret as before. Update the service to it, switch **ECS Exec off** (it needs a root that can be written), and wait until it is stable.
    """,
    hints=[
        "Three settings of the container definition, one of the service.",
        "`user`, `readonlyRootFilesystem`, and capabilities within `linuxParameters`. ECS Exec is `enableExecuteCommand` of UpdateService.",
        "`'linuxParameters': {'capabilities': {'drop': ['ALL']}}`. Do not forget `secrets`: a revision holds all of its settings.",
        """
        ```python
        sealed = {
            "user": "1000:1000",
            "readonlyRootFilesystem": True,
            "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
            "secrets": [{"name": "DB_PASSWORD", "valueFrom": f"{secret}:password::"}],
        }
        define("shop", sealed, **roles)
        ecs.update_service(cluster="demo", service="shop", taskDefinition="shop", enableExecuteCommand=False)
        ecs.get_waiter("services_stable").wait(cluster="demo", services=["shop"])
        ```
        """,
    ],
    explanation="""
    None of this keeps anybody out. It decides what they hold when they are in: no root, no file to change, no power over the kernel. That
    the app still works is what you test before, not after.
    """,
)
def harden(aws):
    container, over = _settled(aws)
    if not container:
        return over
    user = container.get("user") or "root, or what the image says"
    drop = container.get("linuxParameters", {}).get("capabilities", {}).get("drop", [])
    on = aws.service(CLUSTER, SERVICE).get("enableExecuteCommand", False)
    sealed = container.get("readonlyRootFilesystem", False)
    return [
        Saw(user.partition(":")[0] not in ("root", "0", "root, or what the image says"), f"user: {user}", "1000:1000", f"{DEFINITION}.user"),
        Saw(sealed, f"readonlyRootFilesystem {sealed}", "True", f"{DEFINITION}.readonlyRootFilesystem"),
        Saw("ALL" in drop, f"dropped capabilities: {', '.join(drop) or 'none'}", "ALL", f"{DEFINITION}.linuxParameters.capabilities.drop"),
        *_reads_password(aws, container),
        Saw(not on, f"enableExecuteCommand {on}", "False", "describe_services -> enableExecuteCommand"),
        *over,
    ]
