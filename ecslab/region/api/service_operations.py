"""Services: create, update, delete, describe, list.

Source: API Reference, CreateService, UpdateService, DeleteService,
DescribeServices, ListServices, ListServicesByNamespace.
"""
from __future__ import annotations

from ...rules import daemon, exec_command, external, native_deployment, placement
from ...rules import task_sets as task_set_rules
from ...rules.errors import EcsError, invalid
from .. import daemons, identifiers, launch, rebalancing, services, task_sets
from ..model import Service
from . import load_balancers, operation
from .common import check_size, check_tags, cluster_of, included, missing, page
from .task_definitions import usable

INCLUDE = ("TAGS",)

# CreateService fields that are kept on the service and shown again as given.
KEPT = (
    "placementConstraints",
    "placementStrategy",
    "healthCheckGracePeriodSeconds",
    "enableECSManagedTags",
    "propagateTags",
    "enableExecuteCommand",
    "availabilityZoneRebalancing",
    "monitoring",
)
# Fields that belong to what this region does not run yet: refused aloud, never dropped.
NOT_BUILT = (
    "vpcLatticeConfigurations",
    "volumeConfigurations",
    "gatewayConnectors",
)

DEFAULT_CONFIGURATION = {"maximumPercent": 200, "minimumHealthyPercent": 100}


@operation
def create_service(region, request):
    cluster = cluster_of(region, request)
    name = request["serviceName"]
    if not identifiers.NAME.fullmatch(name):
        raise invalid(f"Invalid identifier: {name}")
    existing = cluster.services.get(name)
    if existing is not None and existing.status == "DRAINING":
        raise invalid("Unable to Start a service that is still Draining.")
    if existing is not None and existing.status == "ACTIVE":
        if _same(existing.request, request):
            return {"service": _describe(region, existing)}
        raise invalid("Creation of service was not idempotent.")
    _refuse_what_is_not_built(request)
    controller = (request.get("deploymentController") or {}).get("type") or "ECS"
    task_set_rules.check_create_service(controller, request)
    is_daemon = request.get("schedulingStrategy") == "DAEMON"
    if is_daemon:
        daemon.check(request)
    desired = 0 if is_daemon else _desired_count(request)
    defaults = daemon.DEFAULT_CONFIGURATION if is_daemon else DEFAULT_CONFIGURATION
    configuration = _deployment_configuration(request.get("deploymentConfiguration"), defaults)
    if controller != "EXTERNAL":
        task_definition = _task_definition(region, request)
        launched = {**request, "launchType": request.get("launchType") or "EC2"} if is_daemon else request
        config = launch.configuration(region, cluster, launched, task_definition)
        connect(region, cluster, config, request, task_definition)
        load_balancers.check_strategy(region, configuration, config["loadBalancers"])
        _check_placement(request, config)
        _check_role(request, config)
        if request.get("enableExecuteCommand"):
            exec_command.check_role(task_definition.definition, "service", "created")
        balances = rebalancing.eligible("DAEMON" if is_daemon else "REPLICA", configuration, request, task_definition, config)
        if request.get("availabilityZoneRebalancing") == "ENABLED" and not balances:
            raise invalid(rebalancing.NOT_ELIGIBLE)
    tags = check_tags(request.get("tags"))
    now = region.clock.now()
    service = Service(
        arn=region.ids.arn("service", cluster.name, name),
        name=name,
        cluster=cluster,
        created_at=now,
        desired_count=desired,
        scheduling_strategy=request.get("schedulingStrategy") or "REPLICA",
        deployment_controller=controller,
        deployment_configuration=configuration,
        settings={
            "enableECSManagedTags": False,
            "enableExecuteCommand": False,
            "propagateTags": "NONE",
            "availabilityZoneRebalancing": "ENABLED" if controller != "EXTERNAL" and balances else "DISABLED",
            **{field: request[field] for field in KEPT if request.get(field) is not None},
        },
        request=request,
        changed_at=now,
    )
    if is_daemon:
        service.desired_count = len(daemons.wanted(service, config, task_definition.definition))
    if controller == "ECS":
        services.new_deployment(region, service, task_definition, config)
    elif controller == "CODE_DEPLOY":
        first = task_sets.create(region, service, task_definition, config, scale=100.0, started_by="CODE_DEPLOY")
        task_sets.make_primary(service, first, now)
    cluster.services[name] = service
    region.tags[service.arn] = tags
    region.touch(service)
    return {"service": _describe(region, service, tags=True)}


@operation
def update_service(region, request):
    cluster = cluster_of(region, request)
    service = named(cluster, request["service"])
    if service.status != "ACTIVE":
        raise EcsError("ServiceNotActiveException", "Service was not ACTIVE.")
    _refuse_what_is_not_built(request)
    task_set_rules.check_update_service(service.deployment_controller, request)
    _refuse_another_controller(service, request)
    if daemons.is_daemon(service):
        daemon.check(request)
    # Check everything before anything is written: a refused update changes nothing.
    desired = service.desired_count if request.get("desiredCount") is None else _desired_count(request)
    configuration = service.deployment_configuration
    if request.get("deploymentConfiguration") is not None:
        configuration = _deployment_configuration(request["deploymentConfiguration"], configuration)
    if service.deployment_controller != "ECS":
        return _update_lightly(region, service, request, desired, configuration)
    task_definition = service.primary.task_definition
    if request.get("taskDefinition"):
        task_definition = usable(region, request["taskDefinition"])
    config = _updated_config(region, cluster, service, request, task_definition)
    load_balancers.check_strategy(region, configuration, config["loadBalancers"])
    _check_placement(request, config)
    if request.get("enableExecuteCommand", service.settings["enableExecuteCommand"]):
        exec_command.check_role(task_definition.definition, "service", "updated")
    if request.get("availabilityZoneRebalancing") == "ENABLED":
        settings = {**service.settings, **{field: request[field] for field in KEPT if request.get(field) is not None}}
        if not rebalancing.eligible(service.scheduling_strategy, configuration, settings, task_definition, config):
            raise invalid(rebalancing.NOT_ELIGIBLE)

    service.desired_count = desired
    service.deployment_configuration = configuration
    service.settings.update({field: request[field] for field in KEPT if request.get(field) is not None})
    wants_deployment = (
        bool(request.get("forceNewDeployment"))
        or task_definition is not service.primary.task_definition
        or any(
            request.get(field) is not None and config.get(field) != service.primary.config.get(field)
            for field in ("networkConfiguration", "platformVersion", "loadBalancers", "serviceRegistries", "serviceConnectConfiguration")
        )
    )
    if wants_deployment:
        services.new_deployment(region, service, task_definition, config)
    else:
        service.primary.config.update(config)
    service.steady = False
    service.changed_at = region.clock.now()
    region.touch(service)
    return {"service": _describe(region, service, tags=True)}


def _update_lightly(region, service: Service, request: dict, desired: int, configuration: dict) -> dict:
    """What may change where another program deploys: no update starts a deployment."""
    service.desired_count = desired
    service.deployment_configuration = configuration
    service.settings.update({field: request[field] for field in KEPT if request.get(field) is not None})
    region.touch(service)
    return {"service": _describe(region, service, tags=True)}


@operation
def delete_service(region, request):
    cluster = cluster_of(region, request)
    service = named(cluster, request["service"])
    if service.status != "ACTIVE":
        raise EcsError("ServiceNotActiveException", "Service was not ACTIVE.")
    if service.desired_count > 0 and not request.get("force") and not daemons.is_daemon(service):
        raise invalid("The service cannot be stopped while it is scaled above 0.")
    service.status = "DRAINING"
    service.desired_count = 0
    region.touch(service)
    return {"service": _describe(region, service)}


@operation
def describe_services(region, request):
    cluster = cluster_of(region, request)
    wants_tags = included(request, "TAGS", INCLUDE)
    found, failures = [], []
    for identifier in check_size("Services", request.get("services"), 10):
        name = identifiers.within_cluster("service", identifier, cluster.name)
        service = cluster.services.get(name)
        if service is None:
            failures.append(missing(region.ids.arn("service", cluster.name, name)))
        else:
            found.append(_describe(region, service, wants_tags))
    return {"services": found, "failures": failures}


@operation
def list_services(region, request):
    cluster = cluster_of(region, request)
    launch_type, strategy = request.get("launchType"), request.get("schedulingStrategy")
    found = [
        s.arn
        for s in cluster.services.values()
        if s.status == "ACTIVE"
        and launch_type in (None, (s.lead.config if s.lead else {}).get("launchType"))
        and strategy in (None, s.scheduling_strategy)
    ]
    return page(request, "serviceArns", found, default=10)


@operation
def list_services_by_namespace(region, request):
    namespace = request["namespace"]
    if not region.namespace_exists(namespace):
        raise EcsError("NamespaceNotFoundException", "The specified namespace was not found.")
    name = namespace.rpartition("/")[2]
    found = [
        s.arn
        for cluster in region.clusters.values()
        for s in cluster.services.values()
        if s.status == "ACTIVE" and ((s.lead.config if s.lead else {}).get("serviceConnectConfiguration") or {}).get("namespace") in (namespace, name)
    ]
    return page(request, "serviceArns", found, default=10)


def named(cluster, identifier: str) -> Service:
    service = cluster.services.get(identifiers.within_cluster("service", identifier, cluster.name))
    if service is None:
        raise EcsError("ServiceNotFoundException", "Service not found.")
    return service


def _same(before: dict, now: dict) -> bool:
    ignored = ("clientToken", "tags")
    return {k: v for k, v in before.items() if k not in ignored} == {k: v for k, v in now.items() if k not in ignored}


def _describe(region, service: Service, tags: bool = False) -> dict:
    shape = service.describe()
    if service.deployment_controller != "ECS":
        shape["taskSets"] = [task_sets.describe(region, service, one) for one in service.task_sets]
    if tags:
        shape["tags"] = region.tags.get(service.arn, [])
    return shape


def _desired_count(request) -> int:
    desired = request.get("desiredCount")
    if desired is None:
        raise invalid("desiredCount is required for services that use the REPLICA scheduling strategy.")
    if desired < 0:
        raise invalid("desiredCount cannot be less than 0.")
    return desired


def _task_definition(region, request):
    if not request.get("taskDefinition"):
        raise invalid("TaskDefinition can not be blank.")
    return usable(region, request["taskDefinition"])


def _refuse_what_is_not_built(request) -> None:
    def refuse(what: str):
        raise EcsError("UnsupportedFeatureException", f"This region does not run {what} yet.")

    if ((request.get("deploymentConfiguration") or {}).get("earlySuccessCriteria") or {}).get("enable"):
        refuse("earlySuccessCriteria")
    for field in NOT_BUILT:
        if request.get(field):
            refuse(f"services with {field}")


def _refuse_another_controller(service: Service, request) -> None:
    wanted = (request.get("deploymentController") or {}).get("type") or service.deployment_controller
    if wanted != service.deployment_controller:
        raise EcsError("UnsupportedFeatureException", "This region does not change the deployment controller of a service. Create another.")


def _deployment_configuration(given: dict | None, before: dict) -> dict:
    given = given or {}
    if given.get("strategy", before.get("strategy")) != before.get("strategy"):  # another strategy's settings do not stay
        before = {name: value for name, value in before.items() if name not in ("linearConfiguration", "canaryConfiguration")}
    merged = {**before, **given}
    low, high = merged["minimumHealthyPercent"], merged["maximumPercent"]
    if not 0 <= low <= 100:
        raise invalid("minimumHealthyPercent must be at least 0 and at most 100.")
    if high < 100:
        raise invalid("maximumPercent must be greater than or equal to 100.")
    if low == high == 100:
        raise invalid("Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.")
    if (merged.get("strategy") or "ROLLING") != "ROLLING":
        merged = native_deployment.configuration(merged)
    breaker = merged.get("deploymentCircuitBreaker")
    if breaker is not None:
        _check_breaker(breaker)
    return merged


def _check_breaker(breaker: dict) -> None:
    threshold = breaker.get("thresholdConfiguration")
    if threshold is None:
        return
    kind, value = threshold.get("type"), threshold.get("value")
    if kind not in ("COUNT", "BOUNDED_PERCENT", "UNBOUNDED_PERCENT"):
        raise invalid("type should be one of [COUNT,BOUNDED_PERCENT,UNBOUNDED_PERCENT]")
    if value is None or value < 1 or (kind != "COUNT" and value > 100):
        raise invalid(f"The value of a {kind} threshold must be {'at least 1' if kind == 'COUNT' else 'between 1 and 100'}.")


def _check_placement(request, config) -> None:
    strategies = placement.placement_strategy(request.get("placementStrategy") or ())
    constraints = placement.placement_constraints(request.get("placementConstraints") or ())
    if launch.launch_type_of(config) == "FARGATE":
        if strategies:
            raise invalid("Placement strategies are not supported with FARGATE launch type.")
        if constraints:
            raise invalid("Placement constraints are not supported with FARGATE launch type.")


def _check_role(request, config) -> None:
    if not request.get("role"):
        return
    if not config["loadBalancers"]:
        raise invalid("IAM roles are only valid for services configured to use load balancers.")
    if config.get("networkConfiguration") or len(config["loadBalancers"]) > 1:
        raise invalid("You cannot specify an IAM role for services that require a service linked role.")


def _updated_config(region, cluster, service: Service, request: dict, task_definition) -> dict:
    """The launch configuration after the update: what is asked for over what is."""
    before = service.primary.config
    strategy = request.get("capacityProviderStrategy")
    if strategy == []:
        strategy, launch_type = None, launch.launch_type_of(before)
    elif strategy is None:
        strategy, launch_type = before.get("capacityProviderStrategy"), before.get("launchType")
    else:
        launch_type = None
    merged = {
        "capacityProviderStrategy": strategy,
        "launchType": launch_type,
        "platformVersion": request.get("platformVersion") or before.get("platformVersion"),
        "networkConfiguration": request.get("networkConfiguration")
        or (before.get("networkConfiguration") if task_definition.definition.get("networkMode") == "awsvpc" else None),
    }
    config = launch.configuration(region, cluster, merged, task_definition)
    connect(region, cluster, config, {**before, **{name: value for name, value in request.items() if value is not None}}, task_definition)
    return config


def connect(region, cluster, config: dict, wanted: dict, task_definition) -> None:
    """Fill in what leads to the service: load balancers and service registries."""
    if launch.launch_type_of(config) == "EXTERNAL":
        external.check(wanted)
    config["loadBalancers"] = load_balancers.checked(
        region, wanted.get("loadBalancers"), task_definition, launch.launch_type_of(config)
    )
    config["serviceRegistries"] = region.discovery.check(wanted.get("serviceRegistries"), task_definition)
    config["serviceConnectConfiguration"] = region.connect.check(cluster, wanted.get("serviceConnectConfiguration"), task_definition)
