"""Proofs of questions on security."""
import json

from ecslab.rules.exec_command import PERMISSIONS
from ecslab.teach import proof, refused
from ecslab.teach.proof_kit import Demo, app, policy, refusals, role

TASKS = "ecs-tasks.amazonaws.com"
GET_SECRET = "secretsmanager:GetSecretValue"


def for_exec(aws, name="exec"):
    return role(aws, name, *((action, "*") for action in PERMISSIONS))


def secret(aws, name, value):
    return aws.client("secretsmanager").create_secret(Name=name, SecretString=value)["ARN"]


def environment(region, arn, container="app"):
    lines = region.exec(arn, container, "env").output.splitlines()
    return dict(line.partition("=")[::2] for line in lines)


@proof("security.bucket-access-denied", a=(502, 200), c=(200, 200))
def bucket_access_denied(aws, region, say):
    """An object, read by the application: with an execution role alone, and with a task role."""
    demo = Demo(aws, region)
    aws.client("s3").create_bucket(Bucket="shop")
    aws.client("s3").put_object(Bucket="shop", Key="list", Body=b"tea")
    demo.define("executed", executionRoleArn=role(aws, "starts", ("s3:*", "*")))
    demo.define("owned", taskRoleArn=role(aws, "reads", ("s3:GetObject", "arn:aws:s3:::shop/*")))
    arns = [demo.run("executed"), demo.run("owned")]
    region.run_for("1m")
    told = [region.get(f"{demo.address(arn)}/object?at=shop/list") for arn in arns]
    say(f"With an execution role alone: {told[0].body}. With a task role: {told[1].body}.")
    return tuple(one.status for one in told)


@proof("security.rotated-and-old", c=("old", "new"), d=("new", "new"))
def rotated_and_old(aws, region, say):
    """What a running task, and one started by a forced deployment, know of a rotated secret."""
    demo = Demo(aws, region)
    arn = secret(aws, "db", "old")
    named = {"secrets": [{"name": "PASSWORD", "valueFrom": arn}]}
    demo.define(container=named, executionRoleArn=role(aws, "starts", (GET_SECRET, arn)), taskRoleArn=for_exec(aws))
    demo.serve(1, enableExecuteCommand=True)
    region.run_for("2m")
    aws.client("secretsmanager").put_secret_value(SecretId="db", SecretString="new")
    region.run_for("10m")
    before = environment(region, demo.running()[0]["taskArn"])["PASSWORD"]
    demo.update(forceNewDeployment=True)
    region.run_for("10m")
    after = environment(region, demo.running()[0]["taskArn"])["PASSWORD"]
    say(f"10 minutes after the rotation the task has {before!r}, after a forced deployment {after!r}.")
    return before, after


@proof("security.one-field-of-a-secret", a="a", b="b", c="c", d="d")
def one_field_of_a_secret(aws, region, say):
    """Four ways to write valueFrom, each in a task of its own: which gives the password alone?"""
    demo = Demo(aws, region)
    arn = secret(aws, "db", json.dumps({"username": "shop", "password": "hunter2"}))
    roles = {"executionRoleArn": role(aws, "starts", (GET_SECRET, "*")), "taskRoleArn": for_exec(aws)}
    forms, right = {"a": f"{arn}:password::", "b": f"{arn}/password", "c": f"{arn}:password", "d": f"{arn}::password:"}, ""
    for letter, form in forms.items():
        named = {"secrets": [{"name": "DB_PASSWORD", "valueFrom": form}]}
        if refused(demo.define, letter, container=named, **roles):
            continue
        task = demo.run(letter, enableExecuteCommand=True)
        region.run_for("1m")
        got = environment(region, task)["DB_PASSWORD"] if demo.task(task)["lastStatus"] == "RUNNING" else "no task"
        say(f"{form.removeprefix(arn) or 'the ARN alone'}: {got}")
        right += letter if got == "hunter2" else ""
    return right


@proof("security.pipeline-may-not-pass", a="a", b="b", c="c", d="d")
def pipeline_may_not_pass(aws, region, say):
    """The same registration by four users, each with one of the policies that were proposed."""
    iam = aws.client("iam")
    Demo(aws, region)
    orders = role(aws, "orders-task-role")
    offers = {
        "a": policy(("ecs:*", orders)),
        "b": policy(("iam:PassRole", orders), Condition={"StringEquals": {"iam:PassedToService": TASKS}}),
        "c": policy(("iam:CreateRole", "*")),
        "d": policy(("sts:AssumeRole", orders)),
    }
    right = ""
    for letter, offered in offers.items():
        iam.create_user(UserName=letter)
        for name, document in (("ecs", policy(("ecs:*", "*"))), ("offered", offered)):
            iam.put_user_policy(UserName=letter, PolicyName=name, PolicyDocument=document)
        key = iam.create_access_key(UserName=letter)["AccessKey"]
        ecs = region.client("ecs", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
        error = refused(ecs.register_task_definition, family=letter, containerDefinitions=[app(memory=64)], taskRoleArn=orders)
        say(f"{letter}: {'registered' if error is None else error[:60]}")
        right += "" if error else letter
    return right


@proof("security.wrong-trust", c="ecs.amazonaws.com", d=TASKS)
def wrong_trust(aws, region, say):
    """Roles with the same permissions and different trust: with which does the task run?"""
    demo, works = Demo(aws, region), []
    for number, service in enumerate(("ec2.amazonaws.com", "ecs.amazonaws.com", TASKS)):
        demo.define(f"app-{number}", taskRoleArn=role(aws, f"role-{number}", ("s3:GetObject", "*"), trusted=service))
        error = refused(demo.run, f"app-{number}")
        say(f"{service}: {'the task runs' if error is None else error[:70]}")
        works += [] if error else [service]
    return ", ".join(works)


@proof("security.exec-and-the-wrong-role", c=(False, True), d=(True, True))
def exec_and_the_wrong_role(aws, region, say):
    """A session, with the four actions in the execution role and then in the task role."""
    demo = Demo(aws, region)
    demo.define("wrong", executionRoleArn=for_exec(aws, "starts"), taskRoleArn=role(aws, "nothing"))
    demo.define("right", taskRoleArn=for_exec(aws, "app"))
    opened = []
    for family in ("wrong", "right"):
        error = refused(lambda: _session(demo, region, family))
        say(f"In the {'execution' if family == 'wrong' else 'task'} role: {error or 'the session opens'}")
        opened.append(error is None)
    return tuple(opened)


def _session(demo, region, family, **options):
    arn = demo.run(family, enableExecuteCommand=True, **options)
    region.run_for("1m")
    return region.exec(arn, None, "id -u").output.strip()


@proof("security.enabled-a-minute-ago", b=(False, False, True), c=(False, True, True))
def enabled_a_minute_ago(aws, region, say):
    """A session right after the flag was set, ten minutes later, and after a forced deployment."""
    demo = Demo(aws, region)
    demo.define(taskRoleArn=for_exec(aws))
    demo.serve(1)
    region.run_for("5m")
    demo.update(enableExecuteCommand=True)
    opened = [refused(region.exec, demo.running()[0]["taskArn"], None, "id") is None]
    region.run_for("10m")
    opened.append(refused(region.exec, demo.running()[0]["taskArn"], None, "id") is None)
    demo.update(forceNewDeployment=True)
    region.run_for("10m")
    opened.append(refused(region.exec, demo.running()[0]["taskArn"], None, "id") is None)
    for when, one in zip(("At once", "10 minutes later", "After a forced deployment"), opened):
        say(f"{when}: {'a session' if one else 'refused'}.")
    return tuple(opened)


@proof("security.session-as-root", b="1000", d="0")
def session_as_root(aws, region, say):
    """Who is it that ECS Exec works as in a container of user 1000?"""
    demo = Demo(aws, region)
    demo.define(container={"user": "1000"}, taskRoleArn=for_exec(aws))
    user = _session(demo, region, "web")
    say(f"id -u in the session: {user}")
    return user


@proof("security.read-only-and-exec", a=(False, True), b=(False, False))
def read_only_and_exec(aws, region, say):
    """The same role and flag, with a root file system that can be written and one that can not."""
    demo = Demo(aws, region)
    role_arn = for_exec(aws)
    demo.define("sealed", container={"readonlyRootFilesystem": True}, taskRoleArn=role_arn)
    demo.define("open", taskRoleArn=role_arn)
    opened = tuple(refused(lambda: _session(demo, region, family)) is None for family in ("sealed", "open"))
    say(f"Read-only: {'a session' if opened[0] else 'no session'}; writable: {'a session' if opened[1] else 'no session'}.")
    return opened


@proof("security.the-sidecar-too", a=["app"], d=["app", "logs"])
def the_sidecar_too(aws, region, say):
    """Which containers of a task get the task role's credentials?"""
    demo = Demo(aws, region)
    demo.register("web", [app(), app("logs", "--port", "81", essential=False)], taskRoleArn=role(aws, "deletes", ("s3:DeleteObject", "*")))
    arn = demo.run()
    region.run_for("1m")
    given = []
    for name in ("app", "logs"):
        inside = region.inside(arn, name)
        answer = inside.get(inside.environment["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"])
        say(f"{name}: {answer.json()['RoleArn'] if answer.status == 200 else 'nothing'}")
        given += [name] if answer.status == 200 else []
    return given


@proof("security.one-service-to-the-database", a=(200, 200, 200), b=(200, 502, 200), c=(200, 502, 502))
def one_service_to_the_database(aws, region, say):
    """Port 5432, open to a group: asked by a task of the group, by another, and by one with a new address."""
    demo, ec2 = Demo(aws, region), aws.ec2
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    groups = {name: ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"] for name in ("db", "orders", "others")}
    rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": groups["orders"]}]}
    ec2.authorize_security_group_ingress(GroupId=groups["db"], IpPermissions=[rule])
    demo.define("db", "--port", "5432")
    demo.define("client")

    def run(family, group):
        return demo.run(family, networkConfiguration={"awsvpcConfiguration": {"subnets": demo.subnets[:1], "securityGroups": [groups[group]]}})

    arns = [run("db", "db"), run("client", "orders"), run("client", "others")]
    region.run_for("1m")
    database = demo.address(arns[0]).removeprefix("http://")

    def asks(arn):
        return region.get(f"{demo.address(arn)}/call?to={database}:5432/health").status

    answers = [asks(arns[1]), asks(arns[2])]
    aws.ecs.stop_task(cluster="demo", task=arns[1])
    fresh = run("client", "orders")
    region.run_for("2m")
    answers.append(asks(fresh))
    for who, status in zip(("a task of the group", "a task of another group", "a new task of the group"), answers):
        say(f"{who}: {'gets through' if status == 200 else 'does not get through'}")
    return tuple(answers)


@proof("security.harden-on-fargate")
def harden_on_fargate(aws, region, say):
    """Which of the settings does RegisterTaskDefinition take for Fargate?"""
    demo = Demo(aws, region)
    offers = {
        "a": {"container": {"linuxParameters": {"capabilities": {"drop": ["ALL"]}}}},
        "b": {"container": {"privileged": False}, "pidMode": "host"},
        "c": {"container": {"readonlyRootFilesystem": True}},
        "d": {"container": {"user": "1000"}},
        "e": {"container": {"dockerSecurityOptions": ["label:type:svirt_apache_t"]}},
        "f": {"container": {"disableNetworking": True}},
    }
    errors = {letter: refused(demo.define, letter, **fields) for letter, fields in offers.items()}
    return set(errors) - refusals(say, errors)


@proof("security.patched-under-the-same-tag", a=1, b=2)
def patched_under_the_same_tag(aws, region, say):
    """A tag that moves between the start of a service and its scale-out: how many images run then?"""
    demo = Demo(aws, region)
    demo.serve_a_tag_that_moves(2)
    demo.update(desiredCount=4)
    region.run_for("5m")
    digests = [task["containers"][0]["imageDigest"] for task in demo.running()]
    say(f"{len(digests)} tasks run {len(set(digests))} image(s).")
    assert len(digests) == 4
    return len(set(digests))


@proof("security.roles-to-pass")
def roles_to_pass(aws, region, say):
    """Permissions to pass are given one by one until all three task definitions can be registered."""
    iam = aws.client("iam")
    Demo(aws, region)
    roles = {name: role(aws, name) for name in ("orders-task", "web-task", "reports-task", "shared-start", "reports-start")}
    pairs = {"orders": "shared-start", "web": "shared-start", "reports": "reports-start"}
    iam.create_user(UserName="pipeline")
    key = iam.create_access_key(UserName="pipeline")["AccessKey"]
    ecs, passed = region.client("ecs", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]), []
    for family, start in pairs.items():
        wanted = {"taskRoleArn": roles[f"{family}-task"], "executionRoleArn": roles[start]}
        for _ in range(3):
            iam.put_user_policy(UserName="pipeline", PolicyName="does", PolicyDocument=policy(("ecs:*", "*"), *(("iam:PassRole", arn) for arn in passed)))
            error = refused(ecs.register_task_definition, family=family, containerDefinitions=[app(memory=64)], **wanted)
            if error is None:
                break
            passed.append(next(arn for arn in wanted.values() if f"resource: {arn} " in error))
        else:
            raise AssertionError(error)
    say(f"Passed: {', '.join(arn.rpartition('/')[2] for arn in passed)}.")
    return len(passed)


@proof("security.image-pull-denied", a="a", d="d")
def image_pull_denied(aws, region, say):
    """The permissions to pull in the task role, with endpoints for ECR, and then in the execution role."""
    demo, told = Demo(aws, region), {}
    aws.client("ecr").create_repository(repositoryName="shop")
    image = region.push_image("shop", "1", "ecslab/app:1.0")
    pull = ("ecr:*", "*")
    demo.define("a", container={"image": image}, taskRoleArn=role(aws, "app-role", pull), executionRoleArn=role(aws, "exec-role"))
    demo.define("d", container={"image": image}, executionRoleArn=role(aws, "exec-role-2", pull))
    vpc = aws.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    for service in ("ecr.api", "ecr.dkr"):
        aws.ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.us-east-1.{service}", VpcEndpointType="Interface", SubnetIds=demo.subnets[:1])
    for letter in ("a", "d"):
        arn = demo.run(letter)
        region.run_for("1m")
        told[letter] = demo.task(arn)
        say(f"{letter}: {told[letter].get('stoppedReason') or told[letter]['lastStatus']}")
    return "".join(letter for letter, task in told.items() if task["lastStatus"] == "RUNNING")


@proof("security.secret-denied", a="the key", c="the permission")
def secret_denied(aws, region, say):
    """A key that is not in the secret, and a role that may not read it: which gives an AccessDeniedException?"""
    demo, denied = Demo(aws, region), []
    arn = secret(aws, "orders-db", json.dumps({"password": "hunter2"}))
    offers = {"the key": (f"{arn}:user::", ((GET_SECRET, arn),)), "the permission": (f"{arn}:password::", ())}
    for number, (cause, (value, may)) in enumerate(offers.items()):
        named = {"secrets": [{"name": "PASSWORD", "valueFrom": value}]}
        demo.define(f"web-{number}", container=named, executionRoleArn=role(aws, f"starts-{number}", *may))
        task = demo.run(f"web-{number}")
        region.run_for("1m")
        reason = demo.task(task)["stoppedReason"]
        say(f"{cause}: {reason}")
        denied += [cause] if "AccessDeniedException" in reason else []
    return ", ".join(denied)


@proof("security.only-the-test-cluster", a=(True, False), c=(True, True))
def only_the_test_cluster(aws, region, say):
    """A developer whose policy names the test cluster, and tasks in two clusters with the same task role."""
    demo, iam = Demo(aws, region), aws.client("iam")
    demo.ecs.create_cluster(clusterName="production")
    demo.define(taskRoleArn=for_exec(aws))
    clusters = {arn.rpartition("/")[2]: arn for arn in demo.ecs.list_clusters()["clusterArns"]}
    iam.create_user(UserName="developer")
    document = policy(("ecs:ExecuteCommand", "*"), Condition={"ArnEquals": {"ecs:cluster": clusters["demo"]}})
    iam.put_user_policy(UserName="developer", PolicyName="does", PolicyDocument=document)
    key = iam.create_access_key(UserName="developer")["AccessKey"]
    ecs, opened = region.client("ecs", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"]), []
    for cluster in ("demo", "production"):
        options = {"launchType": "FARGATE", "networkConfiguration": demo.network(), "enableExecuteCommand": True}
        arn = demo.ecs.run_task(cluster=cluster, taskDefinition="web", **options)["tasks"][0]["taskArn"]
        region.run_for("1m")
        error = refused(ecs.execute_command, cluster=cluster, task=arn, command="id", interactive=True)
        say(f"{cluster}: {error or 'a session'}")
        opened.append(error is None)
    return tuple(opened)
