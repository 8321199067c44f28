"""Proofs of questions on monitoring and logging."""
import json
from datetime import timedelta

from ecslab.teach import proof, refused
from ecslab.teach.proof_kit import APP, Demo, role

OWN = [{"Name": "ClusterName", "Value": "demo"}, {"Name": "ServiceName", "Value": "web"}]
LOGS = {"awslogs-group": "/ecs/shop", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "prod"}


def points(aws, region, name, dimensions=OWN, namespace="AWS/ECS", last="1h"):
    """The datapoints of the last hour, or of the time that is said, minute by minute."""
    now = region.now()
    start = now - timedelta(minutes={"1h": 60, "5m": 5}[last])
    asked = {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions, "StartTime": start, "EndTime": now}
    return aws.client("cloudwatch").get_metric_statistics(**asked, Period=60, Statistics=["Average", "SampleCount"])["Datapoints"]


def metrics(aws):
    """The names of all metrics there are."""
    pages = aws.client("cloudwatch").get_paginator("list_metrics").paginate()
    return {metric["MetricName"] for page in pages for metric in page["Metrics"]}


def served(aws, region, count=1, **fields):
    demo = Demo(aws, region)
    demo.define(**fields)
    demo.serve(count)
    region.run_for("6m")
    return demo


@proof("monitoring.alarm-on-running-tasks", c="the scalable target", d="Container Insights")
def alarm_on_running_tasks(aws, region, say):
    """After which step is there a metric with the count of running tasks?"""
    demo = served(aws, region)
    target = {"ServiceNamespace": "ecs", "ResourceId": "service/demo/web", "ScalableDimension": "ecs:service:DesiredCount"}
    aws.client("application-autoscaling").register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    region.run_for("5m")
    if "RunningTaskCount" in metrics(aws):
        return "the scalable target"
    demo.ecs.update_cluster_settings(cluster="demo", settings=[{"name": "containerInsights", "value": "enabled"}])
    region.run_for("5m")
    say(f"With Container Insights: {', '.join(sorted(metrics(aws)))}.")
    return "Container Insights" if "RunningTaskCount" in metrics(aws) else "nothing"


@proof("monitoring.gap-in-the-night", a="zeros", b="nothing")
def gap_in_the_night(aws, region, say):
    """CPUUtilization in the second hour after the service was set to 0."""
    demo = served(aws, region)
    demo.update(desiredCount=0)
    region.run_for("2h")
    found = points(aws, region, "CPUUtilization")
    say(f"{len(found)} datapoints in the last hour.")
    return "zeros" if found else "nothing"


@proof("monitoring.reservation-on-fargate", a=(False, False), c=(False, True))
def reservation_on_fargate(aws, region, say):
    """CPUReservation of the cluster, with Fargate tasks only and then with a container instance."""
    served(aws, region)
    cluster = OWN[:1]
    before = bool(points(aws, region, "CPUReservation", cluster))
    region.add_instance("demo")
    region.run_for("5m")
    after = bool(points(aws, region, "CPUReservation", cluster))
    say(f"On Fargate alone: {'datapoints' if before else 'none'}; with an instance: {'datapoints' if after else 'none'}.")
    return before, after


@proof("monitoring.counting-by-samples")
def counting_by_samples(aws, region, say):
    """Seven tasks, and the samples of five minutes."""
    served(aws, region, 7)
    region.run_for("10m")
    samples = sum(point["SampleCount"] for point in points(aws, region, "CPUUtilization", last="5m"))
    say(f"SampleCount of 5 minutes: {samples:.0f}.")
    return samples / 5


@proof("monitoring.cluster-reservation")
def cluster_reservation(aws, region, say):
    """Ten tasks of 512 units on four instances of 2048, of which one is drained."""
    demo = Demo(aws, region)
    arns = [region.add_instance("demo", "m5.large") for _ in range(4)]
    one = {"name": "app", "image": APP, "memory": 64, "cpu": 512}
    demo.ecs.register_task_definition(family="web", networkMode="bridge", requiresCompatibilities=["EC2"], containerDefinitions=[one])
    demo.ecs.run_task(cluster="demo", taskDefinition="web", launchType="EC2", count=10)
    region.run_for("2m")
    demo.ecs.update_container_instances_state(cluster="demo", containerInstances=arns[:1], status="DRAINING")
    region.run_for("10m")
    value = points(aws, region, "CPUReservation", OWN[:1], last="5m")[-1]["Average"]
    say(f"CPUReservation: {value} percent.")
    return value


@proof("monitoring.finding-the-stream", a="shop/prod/ID", b="prod/ID/api", c="prod/api/ID", d="api-prod-ID")
def finding_the_stream(aws, region, say):
    """The name of the stream that a container's log arrives in."""
    demo, logs = Demo(aws, region), aws.client("logs")
    logs.create_log_group(logGroupName="/ecs/shop")
    container = {"name": "api", "image": APP, "logConfiguration": {"logDriver": "awslogs", "options": LOGS}}
    demo.register("web", [container], executionRoleArn=role(aws, "starts", ("logs:*", "*")))
    arn = demo.run()
    region.run_for("2m")
    (stream,) = logs.describe_log_streams(logGroupName="/ecs/shop")["logStreams"]
    say(stream["logStreamName"])
    return stream["logStreamName"].replace(arn.rpartition("/")[2], "ID")


@proof("monitoring.firelens-file-on-fargate", c="c", d="d")
def firelens_file_on_fargate(aws, region, say):
    """A configuration from S3, one from a file of the image, and the driver gelf: what does Fargate take?"""
    demo = Demo(aws, region)
    router = {"name": "router", "image": APP}
    routed = {"name": "app", "image": APP, "logConfiguration": {"logDriver": "awsfirelens"}}

    def firelens(kind, value):
        options = {"config-file-type": kind, "config-file-value": value}
        return [routed, {**router, "firelensConfiguration": {"type": "fluentbit", "options": options}}]

    offers = {
        "as it is": firelens("s3", "arn:aws:s3:::shop/parsers.conf"),
        "c": [{**routed, "logConfiguration": {"logDriver": "gelf", "options": {"gelf-address": "udp://logs:12201"}}}],
        "d": firelens("file", "/parsers.conf"),
    }
    errors = {name: refused(demo.register, "web", containers) for name, containers in offers.items()}
    for name, error in errors.items():
        say(f"{name}: {error or 'accepted'}")
    return "".join(name for name, error in errors.items() if error is None)


@proof("monitoring.rule-for-crashes", a="a", b="b", c="c", d="d")
def rule_for_crashes(aws, region, say):
    """A deployment and a scale-in, then a crash: which pattern hears of the crash and of nothing else?"""
    demo, events, sqs = Demo(aws, region), aws.client("events"), aws.client("sqs")
    patterns = {
        "a": {"desiredStatus": ["RUNNING"], "lastStatus": ["DEPROVISIONING"]},
        "b": {"lastStatus": ["STOPPED"], "stopCode": ["EssentialContainerExited"]},
        "c": {"lastStatus": ["STOPPED"], "stopCode": ["ServiceSchedulerInitiated"]},
        "d": {"desiredStatus": ["STOPPED"], "launchType": ["FARGATE", "EC2"]},
    }
    queues = {}
    for letter, detail in patterns.items():
        queues[letter] = sqs.create_queue(QueueName=letter)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queues[letter], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        pattern = {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"], "detail": detail}
        events.put_rule(Name=letter, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=letter, Targets=[{"Id": letter, "Arn": arn}])

    def heard():
        name = "ApproximateNumberOfMessages"
        return {x: int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name]) for x, url in queues.items()}

    demo.define()
    demo.serve(2)
    region.run_for("5m")
    demo.update(forceNewDeployment=True)
    region.run_for("10m")
    demo.update(desiredCount=1)
    region.run_for("5m")
    quiet = heard()
    demo.define("job", "--exit-after", "5", "--exit-code", "1")
    demo.run("job")
    region.run_for("3m")
    loud = heard()
    say(f"Heard before the crash: {quiet}; with it: {loud}.")
    return "".join(letter for letter in patterns if quiet[letter] == 0 and loud[letter] == 1)


@proof("monitoring.free-of-charge")
def free_of_charge(aws, region, say):
    """The metrics of a Fargate service without further ado."""
    served(aws, region)
    found = metrics(aws)
    say(f"Metrics: {', '.join(sorted(found))}.")
    asked = {"a": "CPUUtilization", "b": "RunningTaskCount", "c": "MemoryUtilization", "d": "CPUReservation", "e": "NetworkTxBytes"}
    return {letter for letter, name in asked.items() if name in found}


@proof("monitoring.account-wide-insights")
def account_wide_insights(aws, region, say):
    """The account's default for clusters to come, and the setting of one that is there."""
    ecs = aws.ecs
    ecs.create_cluster(clusterName="old")

    def setting(name):
        (found,) = ecs.describe_clusters(clusters=[name], include=["SETTINGS"])["clusters"]
        return next((one["value"] for one in found["settings"] if one["name"] == "containerInsights"), "disabled")

    ecs.put_account_setting_default(name="containerInsights", value="enhanced")
    ecs.create_cluster(clusterName="new")
    before, young = setting("old"), setting("new")
    error = refused(ecs.update_cluster_settings, cluster="old", settings=[{"name": "containerInsights", "value": "enhanced"}])
    say(f"After the account's default: old {before}, new {young}. After the update: old {setting('old')}.")
    found = {"a"} if young == "enhanced" and before != "enhanced" else set()
    return found | ({"e"} if setting("old") == "enhanced" else set()) | ({"d"} if error else set())
