"""Exercises of lab 07: services behind a load balancer."""
from ecslab.teach import Saw, exercise

CLUSTER = "demo"
HEALTH = "elbv2 describe_target_health"


def _service(aws, name):
    service = aws.service(CLUSTER, name)
    if service is None:
        return None, [Saw(False, f"no service {name!r} in the cluster {CLUSTER!r}", f"a service named {name!r}", "describe_services")]
    return service, []


def _group(aws, name):
    found = aws.client("elbv2").describe_target_groups()["TargetGroups"]
    return next((g["TargetGroupArn"] for g in found if g["TargetGroupName"] == name), None)


def _listeners(aws):
    elb = aws.client("elbv2")
    balancers = [one["LoadBalancerArn"] for one in elb.describe_load_balancers()["LoadBalancers"]]
    return [one for arn in balancers for one in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]]


def _shares(actions):
    """Target group -> weight, of actions that forward."""
    shares = {}
    for action in actions:
        groups = action.get("ForwardConfig", {}).get("TargetGroups") or [{"TargetGroupArn": action.get("TargetGroupArn"), "Weight": 1}]
        shares |= {one["TargetGroupArn"]: one.get("Weight", 1) for one in groups if one.get("TargetGroupArn")}
    return shares


def _states(aws, group):
    listed = aws.client("elbv2").describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"] if group else []
    return [one["TargetHealth"]["State"] for one in listed]


def _healthy(aws, name, wanted):
    states = _states(aws, _group(aws, name))
    return Saw(states.count("healthy") >= wanted, f"targets of {name}: {', '.join(states) or 'none'}", f"{wanted} healthy", HEALTH)


@exercise(
    "load-balancing.behind",
    title="Behind the load balancer",
    task="""
    Create a service `shop` with **2** tasks of the task definition `web` behind the target group `shop` (its ARN is in `shop_group`), and
    let its targets become healthy.
    """,
    hints=[
        "The call is the one for `web`. What is different about `shop`?",
        "An entry of `loadBalancers` names the target group, the container and its port. `entry` is the one for the group `web`.",
        "`loadBalancers=[{**entry, 'targetGroupArn': shop_group}]`; then let 40 seconds pass.",
        """
        ```python
        ecs.create_service(
            cluster="demo", serviceName="shop", taskDefinition="web", desiredCount=2, launchType="FARGATE",
            networkConfiguration=network, loadBalancers=[{**entry, "targetGroupArn": shop_group}],
        )
        lab.region.run_for("40s")
        ```
        """,
    ],
    explanation="""
    ECS registered both tasks with their own addresses and container port. The service counts a task as healthy only when its target is.
    """,
)
def behind(aws):
    service, missing = _service(aws, "shop")
    if service is None:
        return missing
    balancers = len(service["loadBalancers"])
    return [
        Saw(service["desiredCount"] == 2, f"a desired count of {service['desiredCount']}", "2", "describe_services -> desiredCount"),
        Saw(balancers == 1, f"{balancers} entries in loadBalancers", "one", "describe_services -> loadBalancers"),
        _healthy(aws, "shop", 2),
    ]


@exercise(
    "load-balancing.grace",
    title="Be patient with the young",
    task="""
    Keep the service `slow` as it is, slow start and all, but give its tasks **at least 60 seconds** before a failed check counts against
    them. Its target must become healthy.
    """,
    hints=[
        "Which setting of a service speaks of health checks and time?",
        "`healthCheckGracePeriodSeconds` is a field of `create_service` and `update_service`.",
        "`ecs.update_service(cluster='demo', service='slow', healthCheckGracePeriodSeconds=...)`, then let 75 seconds pass.",
        """
        ```python
        ecs.update_service(cluster="demo", service="slow", healthCheckGracePeriodSeconds=90)
        lab.region.run_for("75s")
        ```
        """,
    ],
    explanation="""
    The period counts from the start of each task. Too short and tasks are killed before they answer; much too long and a release
    that never gets healthy goes unnoticed for as long.
    """,
)
def grace(aws):
    service, missing = _service(aws, "slow")
    if service is None:
        return missing
    seconds = service.get("healthCheckGracePeriodSeconds", 0)
    return [
        Saw(seconds >= 60, f"a grace period of {seconds} s", "at least 60 s", "describe_services -> healthCheckGracePeriodSeconds"),
        _healthy(aws, "slow", 1),
    ]


@exercise(
    "load-balancing.paths",
    title="A path of its own",
    task="""
    Send requests for the path `/health` to a service of their own: a rule with priority **20** that forwards to the group `images`, and a
    service `images` with one task of `images` behind that group.
    """,
    hints=[
        "A group that no rule uses cannot be given to a service. What comes first?",
        "`elb.create_rule` with a `path-pattern` condition and a `forward` action; then `create_service`.",
        "`Conditions=[{'Field': 'path-pattern', 'Values': ['/health']}]`, `Actions=[{'Type': 'forward', 'TargetGroupArn': images_group}]`",
        """
        ```python
        elb.create_rule(
            ListenerArn=listener, Priority=20, Conditions=[{"Field": "path-pattern", "Values": ["/health"]}],
            Actions=[{"Type": "forward", "TargetGroupArn": images_group}],
        )
        ecs.create_service(
            cluster="demo", serviceName="images", taskDefinition="images", desiredCount=1, launchType="FARGATE",
            networkConfiguration=network, loadBalancers=[{**entry, "targetGroupArn": images_group}],
        )
        lab.region.run_for("40s")
        ```
        """,
    ],
    explanation="""
    One load balancer serves many services, each with its own target group. Paths are compared with case; hosts are not.
    """,
)
def paths(aws):
    elb = aws.client("elbv2")
    rules = [rule for one in _listeners(aws) for rule in elb.describe_rules(ListenerArn=one["ListenerArn"])["Rules"]]
    mine = [r for r in rules if r["Priority"] == "20" and any(a.get("TargetGroupArn") == _group(aws, "images") for a in r["Actions"])]
    priorities = ", ".join(r["Priority"] for r in rules)
    service, missing = _service(aws, "images")
    return [
        Saw(bool(mine), f"rules with the priorities {priorities}", "one with priority 20 that forwards to images", "elbv2 describe_rules"),
        *(missing or [_healthy(aws, "images", 1)]),
    ]


@exercise(
    "load-balancing.weights",
    title="Three for you, one for me",
    task="""
    Change the **default** action of the listener (its ARN is in `listener`): three quarters of the requests go to the group `web`, one
    quarter to the group `images`.
    """,
    hints=[
        "A `forward` action can name one group, or several. Where do several go?",
        "`modify_listener` takes `DefaultActions`; the action `forward` has a `ForwardConfig` with a list of `TargetGroups`.",
        "`'ForwardConfig': {'TargetGroups': [{'TargetGroupArn': web_group, 'Weight': ...}, {'TargetGroupArn': images_group, 'Weight': ...}]}`",
        """
        ```python
        shares = {"TargetGroups": [{"TargetGroupArn": web_group, "Weight": 3}, {"TargetGroupArn": images_group, "Weight": 1}]}
        elb.modify_listener(ListenerArn=listener, DefaultActions=[{"Type": "forward", "ForwardConfig": shares}])
        ```
        """,
    ],
    explanation="""
    Weights are not percentages: 3 and 1 mean the same as 75 and 25.
    """,
)
def weights(aws):
    web, images = _group(aws, "web"), _group(aws, "images")
    found = [_shares(one["DefaultActions"]) for one in _listeners(aws)]
    best = next((shares for shares in found if set(shares) == {web, images}), found[0] if found else {})
    first, second = best.get(web, 0), best.get(images, 0)
    return [
        Saw(
            set(best) == {web, images} and first == 3 * second > 0,
            f"the default action with weight {first} for web and {second} for images",
            "web three times the weight of images, and no other group",
            "elbv2 describe_listeners -> DefaultActions",
        ),
        _healthy(aws, "images", 1),
    ]


@exercise(
    "load-balancing.drain",
    title="A shorter goodbye",
    task="""
    Requests of this app take less than a second. Set the deregistration delay of the group `web` to **5 seconds**.
    """,
    hints=[
        "Settings of a target group that are not about health are called attributes.",
        "`elb.modify_target_group_attributes` takes a list of keys and values, all of them text.",
        "The key is `deregistration_delay.timeout_seconds`.",
        """
        ```python
        elb.modify_target_group_attributes(
            TargetGroupArn=web_group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "5"}]
        )
        ```
        """,
    ],
    explanation="""
    As long as your longest request, and no longer. The container still has its `stopTimeout` after SIGTERM for whatever else it must finish.
    """,
)
def drain(aws):
    group = _group(aws, "web")
    listed = aws.client("elbv2").describe_target_group_attributes(TargetGroupArn=group)["Attributes"] if group else []
    seconds = next((a["Value"] for a in listed if a["Key"] == "deregistration_delay.timeout_seconds"), "none")
    return [Saw(str(seconds) == "5", f"a deregistration delay of {seconds} s", "5 s", "elbv2 describe_target_group_attributes")]


@exercise(
    "load-balancing.let-in",
    title="Let the load balancer in",
    task="""
    The tasks of `dark` are in the group `closed`. Let the **load balancer** reach them on port 80. It is in the default security group, as no
    other was given. Its target must become healthy.
    """,
    hints=[
        "Who connects to the target: the user, or the load balancer?",
        "An inbound rule of the group `closed` for tcp 80 whose source is the load balancer's group.",
        "`describe_security_groups` with the filter `group-name` = `default` finds that group's id.",
        """
        ```python
        default = [g["GroupId"] for g in ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])["SecurityGroups"]]
        ec2.authorize_security_group_ingress(
            GroupId=closed,
            IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": g} for g in default]}],
        )
        lab.region.run_for("1m")
        ```
        """,
    ],
    explanation="""
    Targets need to let in the load balancer only, never the internet. An unhealthy target returns after `HealthyThresholdCount` passed checks in a row.
    """,
)
def let_in(aws):
    service, missing = _service(aws, "dark")
    if service is None:
        return missing
    return [_healthy(aws, "dark", 1)]
