"""A secret in a real container: it reaches the process, and nothing that ECS or Docker lists about the task."""
from __future__ import annotations

import json

from ecslab.engines.docker_daemon import connect
from ecslab.region import start

TRUST = {"Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
READ = {"Statement": [{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}]}
VALUE = "hunter2-of-the-test"


def test_a_secret_reaches_the_process_and_no_label_log_or_description():
    with start(engine="docker", speed=10) as region:
        ecs, iam = region.client("ecs"), region.client("iam")
        version = {"Version": "2012-10-17"}
        role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps({**version, **TRUST}))["Role"]["Arn"]
        iam.put_role_policy(RoleName="reader", PolicyName="reads", PolicyDocument=json.dumps({**version, **READ}))
        secret = region.client("secretsmanager").create_secret(Name="db", SecretString=VALUE)["ARN"]
        ecs.create_cluster(clusterName="demo")
        container = {"name": "app", "image": "ecslab/app:1.0", "portMappings": [{"containerPort": 80}], "secrets": [{"name": "KEY", "valueFrom": secret}]}
        ecs.register_task_definition(
            family="s", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512",
            executionRoleArn=role, containerDefinitions=[container],
        )
        subnets = [s["SubnetId"] for s in region.client("ec2").describe_subnets()["Subnets"]][:1]
        arn = ecs.run_task(
            cluster="demo", taskDefinition="s", launchType="FARGATE", networkConfiguration={"awsvpcConfiguration": {"subnets": subnets}}
        )["tasks"][0]["taskArn"]
        ecs.get_waiter("tasks_running").wait(cluster="demo", tasks=[arn])
        described = ecs.describe_tasks(cluster="demo", tasks=[arn], include=["TAGS"])["tasks"]
        docker = connect()
        own = docker.inspect_container(described[0]["containers"][0]["runtimeId"])
        pause = docker.inspect_container(own["HostConfig"]["NetworkMode"].removeprefix("container:"))
        docker.close()
        assert f"KEY={VALUE}" in _environment(region, described[0])
        labels = str([one["Config"]["Labels"] for one in (own, pause)])
        assert arn in labels and VALUE not in labels + str(described) + str(region.logs(arn))


def _environment(region, task) -> list[str]:
    """What the process itself sees, told by the app."""
    ip = next(d["value"] for d in task["attachments"][0]["details"] if d["name"] == "privateIPv4Address")
    for _ in range(50):
        answer = region.get(f"http://{ip}/env")
        if answer.status == 200:
            return answer.body.splitlines()
        region.run_for("1s")
    return []
