"""Proofs of questions on services."""
from ecslab.teach import proof


def network(aws):
    subnets = aws.ec2.describe_subnets()["Subnets"]
    return {"awsvpcConfiguration": {"subnets": [subnets[0]["SubnetId"]], "assignPublicIp": "ENABLED"}}


def fargate_service(aws, count):
    """A service `web` of the lab's app, on Fargate, in a cluster `demo`."""
    aws.ecs.create_cluster(clusterName="demo")
    aws.ecs.register_task_definition(
        family="web", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512",
        containerDefinitions=[{"name": "app", "image": "ecslab/app:1.0"}],
    )
    aws.ecs.create_service(
        cluster="demo", serviceName="web", taskDefinition="web:1", desiredCount=count, launchType="FARGATE",
        networkConfiguration=network(aws),
    )


@proof("services.stop-one-task", a=(2, 0), b=(3, 0), c=(3, 1))
def stop_one_task(aws, region, say):
    """StopTask on one of three tasks: how many run later, and how many of them are new."""
    fargate_service(aws, 3)
    region.run_for("5m")
    before = {task["taskArn"] for task in aws.tasks("demo")}
    say(f"The service runs {len(before)} tasks.")
    aws.ecs.stop_task(cluster="demo", task=sorted(before)[0])
    region.run_for("5m")
    after = {task["taskArn"] for task in aws.tasks("demo") if task["lastStatus"] == "RUNNING"}
    say(f"5 minutes after StopTask: {len(after)} tasks, {len(after - before)} of them new.")
    return len(after), len(after - before)
