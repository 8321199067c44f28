# %% [markdown]
# # Lab 10: Security
#
# **Time:** 50 to 60 minutes. **You need:** labs 02 and 03; security groups are from lab 06.
#
# When you are done you can
# - say which of a task's two roles did something, and read the error when it may not,
# - keep a password out of a task definition, and rotate it,
# - follow a container's request for credentials, and cut a role down to what it needs,
# - close a service's network, its file system and its process, and have all of it audited.

# %% [markdown]
# ## The picture
#
# ![Before the containers start, ECS uses the execution role to fetch images, secrets and to open logs. When they run, the code in the containers uses the task role, whose credentials it gets from 169.254.170.2.](images/10-security.svg)
#
# **Two roles, two moments.** The *execution role* is ECS's, used to get a task started. The *task role* is your code's, used by the
# containers once they run. Both trust `ecs-tasks.amazonaws.com`; neither can do what only the other may.

# %%
import json

import boto3
import ecslab
from botocore.exceptions import ClientError, WaiterError

lab = ecslab.open_lab("10-security")
ecs, ec2, iam, s3 = (boto3.client(name) for name in ("ecs", "ec2", "iam", "s3"))
store = boto3.client("secretsmanager")

# %% tags=["nbval-ignore-output"]
lab.board()

# %% [markdown]
# Some helpers: a policy document, a role, and a call that tells how it went.

# %%
def document(*allowed):
    """A policy that allows these (action, resource) and nothing else."""
    statements = [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in allowed]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def trust(service):
    """A trust policy: that service may assume the role."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def role(name, *allowed, trusted="ecs-tasks.amazonaws.com"):
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(trusted))["Role"]["Arn"]
    if allowed:
        iam.put_role_policy(RoleName=name, PolicyName="does", PolicyDocument=document(*allowed))
    return arn


def tried(call, **parameters):
    """How a call went: allowed, or AWS's own error."""
    try:
        call(**parameters)
        return "allowed"
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"


ecs.create_cluster(clusterName="demo")
vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]][:2]
network = {"awsvpcConfiguration": {"subnets": subnets}}


def define(family, container={}, **options):
    """A revision of a small Fargate task: the lab app, with that in its container."""
    app = {"name": "app", "image": "ecslab/app:1.0", "portMappings": [{"containerPort": 8080}], "command": ["--port", "8080"]}
    fargate = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"}
    made = ecs.register_task_definition(family=family, containerDefinitions=[{**app, **container}], **fargate, **options)
    return made["taskDefinition"]["taskDefinitionArn"]


def run(family, **options):
    """Run one task and wait until it runs, or has ended."""
    asked = {"cluster": "demo", "taskDefinition": family, "launchType": "FARGATE", "networkConfiguration": network}
    task = ecs.run_task(**asked, **options)["tasks"][0]
    try:
        ecs.get_waiter("tasks_running").wait(cluster="demo", tasks=[task["taskArn"]])
    except WaiterError:
        pass  # it stopped instead: describe_tasks tells why
    return task["taskArn"]


def task_of(service):
    """The newest running task of a service."""
    arns = ecs.list_tasks(cluster="demo", serviceName=service)["taskArns"]
    running = [t for t in ecs.describe_tasks(cluster="demo", tasks=arns)["tasks"] if t["lastStatus"] == "RUNNING"]
    return max(running, key=lambda task: task["startedAt"])["taskArn"]


# %% [markdown]
# ## 1. Who may put the hat on?
#
# A role is a hat with permissions. Its **trust policy** says who may put it on. This one has the right permissions and was made
# for a Lambda function. **Predict:** a task that names it as its task role: does it start, and if not, who says so and when?

# %%
s3.create_bucket(Bucket="parcels")
courier = role("courier", ("s3:PutObject", "arn:aws:s3:::parcels/*"), trusted="lambda.amazonaws.com")
define("courier", taskRoleArn=courier)
print(tried(ecs.run_task, cluster="demo", taskDefinition="courier", launchType="FARGATE", networkConfiguration=network))

# %%
lab.exercise("security.trust")

# %% exercise="security.trust"
### BEGIN SOLUTION
iam.update_assume_role_policy(RoleName="courier", PolicyDocument=trust("ecs-tasks.amazonaws.com"))
parcel = run("courier")
### END SOLUTION

# %%
lab.check("security.trust")

# %% [markdown]
# ## 2. Who may hand it over?
#
# The user `developer` may do everything in ECS, and nothing in IAM. There is also a role `admin` that may do everything everywhere.
# **Predict:** may the developer register a task definition with `taskRoleArn` set to `admin`?

# %%
admin = role("admin", ("*", "*"))
iam.create_user(UserName="developer")
iam.put_user_policy(UserName="developer", PolicyName="develops", PolicyDocument=document(("ecs:*", "*")))
key = iam.create_access_key(UserName="developer")["AccessKey"]
their_ecs = boto3.client("ecs", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])


def developer_registers(role_arn):
    app = {"name": "app", "image": "ecslab/app:1.0", "memory": 64}
    return tried(their_ecs.register_task_definition, family="theirs", taskRoleArn=role_arn, containerDefinitions=[app])


print(developer_registers(admin))

# %% [markdown]
# If that worked, any code of the developer's would be an administrator. **`iam:PassRole`** is the permission to hand a role to a
# service. It is not an API call: you only meet it in an error such as this one.

# %%
lab.exercise("security.pass-role")

# %% exercise="security.pass-role"
### BEGIN SOLUTION
passing = {
    "Effect": "Allow", "Action": "iam:PassRole", "Resource": courier,
    "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
}
policy = {"Version": "2012-10-17", "Statement": [passing]}
iam.put_user_policy(UserName="developer", PolicyName="passes", PolicyDocument=json.dumps(policy))
print("developer has the policies", iam.list_user_policies(UserName="developer")["PolicyNames"])
### END SOLUTION

# %%
lab.check("security.pass-role")

# %%
for name, arn in (("courier", courier), ("admin", admin)):
    print(f"{name:8} {developer_registers(arn).partition(':')[0]}")

# %% [markdown]
# ## 3. Break it: find the leak
#
# Experiment 1. The `shop` runs with its password in a plain environment variable. The user `viewer` has read-only access to ECS,
# as every dashboard has. **Predict:** where does a viewer find the password? Run this and see.

# %%
task_role = role("shop-app", ("ssmmessages:*", "*"))
execution_role = role("shop-execution")
roles = {"taskRoleArn": task_role, "executionRoleArn": execution_role}
define("shop", {"environment": [{"name": "DB_PASSWORD", "value": "hunter2"}]}, **roles)
ecs.create_service(
    cluster="demo", serviceName="shop", taskDefinition="shop", desiredCount=1, launchType="FARGATE",
    networkConfiguration=network, enableExecuteCommand=True,
)
ecs.get_waiter("services_stable").wait(cluster="demo", services=["shop"])

iam.create_user(UserName="viewer")
iam.put_user_policy(UserName="viewer", PolicyName="looks", PolicyDocument=document(("ecs:Describe*", "*"), ("ecs:List*", "*")))
key = iam.create_access_key(UserName="viewer")["AccessKey"]
viewing = boto3.client("ecs", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])


def viewer_reads(revision):
    """The plain environment in that revision of shop."""
    found = viewing.describe_task_definition(taskDefinition=f"shop:{revision}")["taskDefinition"]
    return found["containerDefinitions"][0]["environment"]


print(viewer_reads(1))

# %% [markdown]
# A task definition is no place for a secret: whoever may describe it reads it, in every revision, for ever. So the password goes to
# Secrets Manager, and the definition only says **where it is**.

# %%
secret = store.create_secret(Name="shop/db", SecretString=json.dumps({"user": "shop", "password": "hunter2"}))["ARN"]
lab.exercise("security.secret")

# %% exercise="security.secret"
### BEGIN SOLUTION
define("shop", {"secrets": [{"name": "DB_PASSWORD", "valueFrom": f"{secret}:password::"}]}, **roles)
ecs.update_service(cluster="demo", service="shop", taskDefinition="shop")
lab.region.run_for("30s")
### END SOLUTION

# %%
lab.check("security.secret")

# %% [markdown]
# ## 4. Whose permission?
#
# The definition is right, and yet no new task comes up. **Predict:** the task role, the execution role, or the developer: who
# lacks a permission?

# %%
def failures(service):
    """Why tasks of a service did not start."""
    arns = ecs.list_tasks(cluster="demo", serviceName=service, desiredStatus="STOPPED")["taskArns"]
    tasks = ecs.describe_tasks(cluster="demo", tasks=arns)["tasks"] if arns else []
    return sorted({t["stoppedReason"] for t in tasks if t.get("stopCode") == "TaskFailedToStart"})


for reason in failures("shop")[:1]:
    print(reason)

# %% [markdown]
# Read it from its end: *which action*, on *which resource*, by *whom*: `assumed-role/shop-execution`. ECS injects secrets **before**
# the container starts, so it is the execution role. The managed policy `AmazonECSTaskExecutionRolePolicy` pulls images and writes
# logs; reading secrets is not in it.

# %%
lab.exercise("security.execution-role")

# %% exercise="security.execution-role"
### BEGIN SOLUTION
iam.put_role_policy(
    RoleName="shop-execution", PolicyName="reads", PolicyDocument=document(("secretsmanager:GetSecretValue", secret))
)
ecs.get_waiter("services_stable").wait(cluster="demo", services=["shop"])
### END SOLUTION

# %%
lab.check("security.execution-role")

# %% [markdown]
# ECS Exec looks into the running container:

# %%
def given_to(task):
    """The environment a task's container was started with. The agent of ECS Exec is up a moment after its container."""
    lab.region.run_for("10s")
    lines = lab.region.exec(task, "app", "env").output.splitlines()
    return dict(line.partition("=")[::2] for line in lines)


def password():
    return given_to(task_of("shop"))["DB_PASSWORD"]


print("in the container:     ", password())
newest = ecs.describe_task_definition(taskDefinition="shop")["taskDefinition"]["containerDefinitions"][0]
print("in the definition:    ", [item["name"] for item in newest.get("secrets", [])])
print("still in revision 1:  ", viewer_reads(1))

# %% [markdown]
# The old revision still tells it. A password that was once in a definition is **burnt**: it has to be changed.
#
# ## 5. Rotation
#
# The database gets a new password, and so does the secret; a tag records when. **Predict:** what does the running container have
# now?

# %%
store.put_secret_value(SecretId="shop/db", SecretString=json.dumps({"user": "shop", "password": "correct-horse"}))
store.tag_resource(SecretId="shop/db", Tags=[{"Key": "rotated-at", "Value": lab.region.now().isoformat()}])
lab.region.run_for("10s")
print(password())

# %%
lab.exercise("security.rotate")

# %% exercise="security.rotate"
### BEGIN SOLUTION
ecs.update_service(cluster="demo", service="shop", forceNewDeployment=True)
ecs.get_waiter("services_stable").wait(cluster="demo", services=["shop"])
### END SOLUTION

# %%
lab.check("security.rotate")

# %%
print(password())

# %% [markdown]
# `valueFrom` can say more than "all of it". The shape is `<arn>:<json key>:<version stage>:<version id>`, with **all** its colons as
# soon as you use one of them. SSM parameters come by name or by ARN.

# %%
boto3.client("ssm").put_parameter(Name="shop-currency", Value="EUR", Type="String")
role("tour-execution", ("secretsmanager:GetSecretValue", secret), ("ssm:GetParameters", "*"))
places = {
    "WHOLE": secret,
    "KEY": f"{secret}:password::",
    "BEFORE": f"{secret}:password:AWSPREVIOUS:",
    "CURRENCY": "shop-currency",
}
define(
    "tour", {"secrets": [{"name": name, "valueFrom": value} for name, value in places.items()]},
    taskRoleArn=task_role, executionRoleArn="arn:aws:iam::123456789012:role/tour-execution",
)
tour = run("tour", enableExecuteCommand=True)
found = given_to(tour)
for name in places:
    print(f"{name:9}", found[name])

# %% [markdown]
# ## 6. Where a container's credentials come from
#
# Your code in a container calls `boto3.client("s3")` without any keys, and it works. The SDK asks **169.254.170.2**, at a path that
# only this task was told. Here is a task with a role of its own; the second policy is what ECS Exec needs, so that you can look.

# %%
s3.put_object(Bucket="parcels", Key="1", Body=b"books")
store.create_secret(Name="reports/db", SecretString="mine")
store.create_secret(Name="payroll/db", SecretString="theirs")
for bucket in ("reports", "payroll"):
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="2026.csv", Body=b"1,2,3")
own = store.describe_secret(SecretId="reports/db")["ARN"]
define("reports", taskRoleArn=role("reports-app", ("s3:*", "*"), ("secretsmanager:GetSecretValue", own)))
iam.put_role_policy(RoleName="reports-app", PolicyName="exec", PolicyDocument=document(("ssmmessages:*", "*")))
reports = run("reports", enableExecuteCommand=True)
told = given_to(reports)
for name in ("AWS_EXECUTION_ENV", "AWS_REGION", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "ECS_CONTAINER_METADATA_URI_V4"):
    print(f"{name:40}", told[name] if name in ("AWS_EXECUTION_ENV", "AWS_REGION") else told[name].rpartition("/")[0] + "/...")

# %% [markdown]
# The container asks there and is given temporary keys of the **task role**, renewed before they end. The lab app has three commands
# that use them; this one shows whose they are:

# %%
given = json.loads(lab.region.exec(reports, "app", "/app credentials").output)
print(given["RoleArn"])

# %% [markdown]
# **Predict:** with these keys, may the container read its own secret? Its neighbour's? And what does **another task** get at the very
# same address?

# %%
print(json.loads(lab.region.exec(reports, "app", "/app secret reports/db").output)["SecretString"])

# %%
refused = json.loads(lab.region.exec(reports, "app", "/app secret payroll/db").output)
print(f"{refused['__type']}: {refused['message']}")

# %%
path = told["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]
print(lab.region.exec(tour, "app", f"wget -qO- http://169.254.170.2{path}"))

# %% [markdown]
# ## 7. Break it: a role that is too kind
#
# Experiment 2. Somebody was in a hurry and gave the role `s3:*` on `*`. **Predict:** what can whoever gets into this container do to
# a bucket that it never had to know? Keys can be carried away, so try it from here, with the container's own:

# %%
given = lab.region.inside(reports).get(path).json()
its_s3 = boto3.client(
    "s3", aws_access_key_id=given["AccessKeyId"], aws_secret_access_key=given["SecretAccessKey"], aws_session_token=given["Token"]
)


def reach():
    """What the container may do to buckets."""
    csv = {"Key": "2026.csv"}
    print("read its own:         ", tried(its_s3.get_object, Bucket="reports", **csv).partition(":")[0])
    print("write its own:        ", tried(its_s3.put_object, Bucket="reports", Key="new.csv", Body=b"4").partition(":")[0])
    print("read the neighbour's: ", tried(its_s3.get_object, Bucket="payroll", **csv).partition(":")[0])
    print("overwrite it:         ", tried(its_s3.put_object, Bucket="payroll", Body=b"0", **csv).partition(":")[0])


reach()

# %%
lab.exercise("security.least-privilege")

# %% exercise="security.least-privilege"
### BEGIN SOLUTION
needs = document(
    ("s3:GetObject", "arn:aws:s3:::reports/*"), ("s3:PutObject", "arn:aws:s3:::reports/*"), ("secretsmanager:GetSecretValue", own)
)
iam.put_role_policy(RoleName="reports-app", PolicyName="does", PolicyDocument=needs)
print("reports-app has the policies", iam.list_role_policies(RoleName="reports-app")["PolicyNames"])
### END SOLUTION

# %%
lab.check("security.least-privilege")

# %%
reach()

# %% [markdown]
# The same keys, another answer: policies are read at **every call**, no task has to be replaced.
#
# ## 8. Open to the world
#
# The shop gets a public address and a group that somebody opened "just to test". Only the tasks of the front's group have to reach
# it, on port 8080.

# %%
def group(name):
    return ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]


front_group, shop_group = group("front"), group("shop")
everyone = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
ec2.authorize_security_group_ingress(GroupId=shop_group, IpPermissions=everyone)
public = {"awsvpcConfiguration": {"subnets": subnets, "securityGroups": [shop_group], "assignPublicIp": "ENABLED"}}
ecs.update_service(cluster="demo", service="shop", networkConfiguration=public)
ecs.get_waiter("services_stable").wait(cluster="demo", services=["shop"])


def from_the_internet(port):
    return "gets in" if lab.region.can_reach("internet", task_of("shop"), port) else "is stopped"


print("port 8080:", from_the_internet(8080))
print("port 22:  ", from_the_internet(22))

# %%
lab.exercise("security.group")

# %% exercise="security.group"
### BEGIN SOLUTION
ec2.revoke_security_group_ingress(GroupId=shop_group, IpPermissions=everyone)
from_front = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "UserIdGroupPairs": [{"GroupId": front_group}]}
ec2.authorize_security_group_ingress(GroupId=shop_group, IpPermissions=[from_front])
print("port 8080:", from_the_internet(8080))
### END SOLUTION

# %%
lab.check("security.group")

# %% [markdown]
# ## 9. Break it: a container that may not write
#
# Experiment 3. Whoever breaks into a process wants to write: a tool, a changed page. With `readonlyRootFilesystem` there is nowhere
# to. The lab app's `--write` makes it write a file when it starts. **Predict:** what becomes of each of these three tasks?

# %%
writes = ["--port", "8080", "--write", "/data/cache"]
mounted = {"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]}
wishes = {
    "into /tmp, plain": ({"command": writes[:3] + ["/tmp/cache"]}, {}),
    "into /tmp, read-only": ({"command": writes[:3] + ["/tmp/cache"], "readonlyRootFilesystem": True}, {}),
    "into a volume, read-only": ({"command": writes, "readonlyRootFilesystem": True, **mounted}, {"volumes": [{"name": "data"}]}),
}
for wish, (container, options) in wishes.items():
    arn = run(define("writer", container, **options))
    lab.region.run_for("20s")
    print(f"{wish:25}", *lab.region.logs(arn)[:1])

# %% [markdown]
# Only what you mounted can be written. That is the point, and the reason why an app that caches to `/tmp` fails on its first day
# with a read-only root.
#
# ## 10. The audit
#
# `lab.audit` looks at a service through AWS's APIs and holds it against good practices: every finding says why it matters and what
# would mend it.

# %% tags=["nbval-ignore-output"]
lab.audit("shop")

# %%
before = lab.audit("shop")
print("score:", before.score)
print("to mend, among others:", [name for name in before.failed if name in ("non-root", "capabilities", "init-process")])

# %%
lab.exercise("security.harden")

# %% exercise="security.harden"
### BEGIN SOLUTION
sealed = {
    "user": "1000:1000",
    "readonlyRootFilesystem": True,
    "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
    "secrets": [{"name": "DB_PASSWORD", "valueFrom": f"{secret}:password::"}],
}
define("shop", sealed, **roles)
ecs.update_service(cluster="demo", service="shop", taskDefinition="shop", enableExecuteCommand=False)
ecs.get_waiter("services_stable").wait(cluster="demo", services=["shop"])
### END SOLUTION

# %%
lab.check("security.harden")

# %%
after = lab.audit("shop")
print(f"score: {before.score} before, {after.score} now")
print("mended:", sorted(set(before.failed) - set(after.failed)))

# %% [markdown]
# A price was paid: ECS Exec is off, so nobody looks into these containers any more, not even you. **Try it:** call `password()` again
# and read the error. Then mend the next finding of the audit.

# %% tags=["nbval-ignore-output"]
lab.timeline("shop")

# %% [markdown]
# ## In the exam
#
# > - **Image, secret, log stream** before the start: execution role. **Anything your code calls**: task role.
# > - **"ECS was unable to assume the role"**: the trust policy lacks `ecs-tasks.amazonaws.com`.
# > - **`iam:PassRole`** is missing when a person or pipeline may not register or run with a role.
# > - **`ResourceInitializationError`**: the execution role, the reference, or no way to the service's address.
# > - **A rotated secret** reaches new tasks only: force a new deployment.
# > - **Never** keys in the image or the environment: the task role's come from 169.254.170.2 and renew themselves.
# > - **Security groups** of tasks name groups, not 0.0.0.0/0.

# %%
lab.quiz("security", n=15, seed=10)

# %% [markdown]
# ## Summary
#
# - Two roles, two moments; the trust policy says who may wear one, `iam:PassRole` who may hand it over.
# - A definition says where a secret is, never what it is. Injection happens once, at the start.
# - Least privilege is a policy that names actions and resources. It counts from the next call on.
# - A group instead of the world, a user instead of root, a read-only root: each takes something from whoever gets in.
#
# **Next:** lab 12 puts a price on everything that ran.
