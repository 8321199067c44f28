# %% [markdown]
# # Lab 06: Networking
#
# **Time:** 40 to 50 minutes. **You need:** labs 02 and 03.
#
# When you are done you can
# - say what an address of a task is, and whose ports it has,
# - read a security group and predict who gets in,
# - find out which rule, route or mode stands between two tasks,
# - let services find each other: Cloud Map names and Service Connect,
# - explain why a task in a private subnet cannot start, or cannot call out.

# %% [markdown]
# ## The picture
#
# ![Two tasks in awsvpc mode, each with its own network interface, address and security group. The front task may connect to the back task only where the back's group has a rule that names the front's group.](images/06-networking.svg)
#
# With `awsvpc`, **every task is a small host of its own**: a network interface, an address, security groups. Its containers share
# `localhost`; nobody else does.

# %%
import boto3
import ecslab

lab = ecslab.open_lab("06-networking")
ecs, ec2, cloud_map = boto3.client("ecs"), boto3.client("ec2"), boto3.client("servicediscovery")

# %% tags=["nbval-ignore-output"]
lab.board()

# %%
ecs.create_cluster(clusterName="demo")
vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
subnets = [s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]][:2]
app = {"name": "app", "image": "ecslab/app:1.0", "portMappings": [{"containerPort": 80, "name": "http"}]}
ecs.register_task_definition(
    family="app", requiresCompatibilities=["FARGATE"], networkMode="awsvpc", cpu="256", memory="512", containerDefinitions=[app]
)


def group(name):
    return ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]


def network(*groups):
    return {"awsvpcConfiguration": {"subnets": subnets, "securityGroups": list(groups)}}


def serve(name, count=1, **options):
    ecs.create_service(
        cluster="demo", serviceName=name, taskDefinition="app", desiredCount=count, launchType="FARGATE",
        **{"networkConfiguration": network(), **options},
    )


def task_of(service):
    arn = ecs.list_tasks(cluster="demo", serviceName=service)["taskArns"][0]
    return ecs.describe_tasks(cluster="demo", tasks=[arn])["tasks"][0]


def address(service):
    return task_of(service)["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]


# %% [markdown]
# ## 1. Whose group? The task's
#
# A front and a back, each in a security group of its own. A new group lets **everything out** and **nothing in**.

# %%
front_group, back_group = group("front"), group("back")
serve("front", networkConfiguration=network(front_group))
serve("back", networkConfiguration=network(back_group))
lab.region.run_for("40s")

# %% [markdown]
# The lab app can call another: `/call?to=HOST:PORT/PATH` asks, and answers what it heard. **Predict:** what does the front hear?

# %%
def call(service, to):
    """Ask a task of the service to call somebody. Its answer in short."""
    answer = lab.region.get(f"http://{address(service)}/call?to={to}")
    return "reached" if answer.status == 200 else answer.body.split(" of ")[0].split(" from ")[0].strip()


print(call("front", f"{address('back')}:80/"))

# %% [markdown]
# Silence, not a refusal: a security group **drops** packets, so the caller waits until it gives up. "Timeout" means a network
# rule; "connection refused" means that you got there and nobody listens. `can_reach` names the gate that decided:

# %%
def why(source, destination, port=80):
    answer = lab.region.can_reach(source, destination, port)
    names = {front_group: "the front's group", back_group: "the back's group"}
    told = answer.decided_by
    for group_id, name in names.items():
        told = told.replace(group_id, name)
    return f"{'yes' if answer else 'no'}, decided by {told}"


front, back = task_of("front")["taskArn"], task_of("back")["taskArn"]
print(why(front, back))

# %%
lab.exercise("networking.let-in")

# %% exercise="networking.let-in"
### BEGIN SOLUTION
ec2.authorize_security_group_ingress(
    GroupId=back_group,
    IpPermissions=[{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "UserIdGroupPairs": [{"GroupId": front_group}]}],
)
lab.region.run_for("20s")
print(call("front", f"{address('back')}:80/"))
### END SOLUTION

# %%
lab.check("networking.let-in")

# %% [markdown]
# No address in that rule: it names a **group**. Tasks come and go and change their addresses; their group stays. Groups are also
# **stateful**: the answer to an allowed request needs no rule of its own.

# %% [markdown]
# ## 2. Break it: let nothing out
#
# Experiment 1. We take away the rule that lets the front's group send anything. **Predict:** the back's door is open now; does
# the front reach it?

# %%
everything_out = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
ec2.revoke_security_group_egress(GroupId=front_group, IpPermissions=everything_out)
lab.region.run_for("20s")
print(why(front, back))
print(call("front", f"{address('back')}:80/"))

# %%
ec2.authorize_security_group_egress(GroupId=front_group, IpPermissions=everything_out)
lab.region.run_for("20s")
print(why(front, "internet", 443).startswith("yes"))

# %% [markdown]
# ## 3. The way out
#
# The last line printed `False`: even with an open group, this task does not reach the internet. Ask why:

# %%
print(lab.region.can_reach(front, "internet", 443).why.partition(",")[0].replace(task_of("front")["taskArn"][-32:][:8], "…"))

# %% [markdown]
# | a task in | reaches the internet when |
# |---|---|
# | a public subnet (route to an internet gateway) | it has a **public address**: `assignPublicIp=ENABLED` (Fargate only) |
# | a private subnet | its route table leads to a **NAT gateway** |
# | a private subnet without NAT | never; **VPC endpoints** lead to single AWS services |
#
# A Fargate task pulls its image over this same interface. No way out to ECR means that the task never starts.

# %%
lab.exercise("networking.public")

# %% exercise="networking.public"
### BEGIN SOLUTION
settings = network(front_group)
settings["awsvpcConfiguration"]["assignPublicIp"] = "ENABLED"
ecs.update_service(cluster="demo", service="front", networkConfiguration=settings)
lab.region.run_for("2m")
print(lab.region.can_reach(task_of("front")["taskArn"], "internet", 443).allowed)
### END SOLUTION

# %%
lab.check("networking.public")

# %% [markdown]
# ## 4. Names instead of addresses: Cloud Map
#
# Addresses change with every task. With **service discovery**, ECS registers each task of a service in Cloud Map, and the name
# `<service>.<namespace>` leads to the tasks that are healthy.

# %%
cloud_map.create_private_dns_namespace(Name="local", Vpc=vpc)
namespace = cloud_map.list_namespaces()["Namespaces"][0]["Id"]
registry = cloud_map.create_service(
    Name="stock", NamespaceId=namespace, HealthCheckCustomConfig={"FailureThreshold": 1},
    DnsConfig={"DnsRecords": [{"Type": "A", "TTL": 10}], "RoutingPolicy": "MULTIVALUE"},
)["Service"]["Arn"]

# %%
lab.exercise("networking.cloud-map")

# %% exercise="networking.cloud-map"
### BEGIN SOLUTION
serve("stock", 2, serviceRegistries=[{"registryArn": registry}])
lab.region.run_for("40s")
### END SOLUTION

# %%
lab.check("networking.cloud-map")

# %%
found = cloud_map.discover_instances(NamespaceName="local", ServiceName="stock")["Instances"]
print(len(found), "instances registered")

# %% [markdown]
# The name resolves inside every container of the VPC. `stock` and `shopper` are both in the default security group, whose one rule
# lets its own members in.

# %%
serve("shopper")
lab.region.run_for("40s")
print(call("shopper", "stock.local:80/"))
print(call("shopper", "nothing.local:80/"))

# %% [markdown]
# DNS has a weakness: callers **remember**. Until the TTL is over they go on asking an address that may be gone.

# %% [markdown]
# ## 5. Names and a proxy: Service Connect
#
# **Service Connect** gives every task a small proxy. Clients call a short name; the proxy picks a task, tries another when one
# fails, and leaves out those that keep failing. No DNS, no TTL. It is switched on **per service**:
#
# - a *client* service: `enabled: True`
# - a *client-server* service: also lists endpoints: a **named** port, and the name and port that clients use.

# %%
cloud_map.create_http_namespace(Name="shop")
serve("early-bird", serviceConnectConfiguration={"enabled": True, "namespace": "shop"})
lab.region.run_for("40s")

# %%
lab.exercise("networking.service-connect")

# %% exercise="networking.service-connect"
### BEGIN SOLUTION
endpoint = {"portName": "http", "clientAliases": [{"port": 8080, "dnsName": "prices"}]}
serve("prices", 2, serviceConnectConfiguration={"enabled": True, "namespace": "shop", "services": [endpoint]})
lab.region.run_for("40s")
### END SOLUTION

# %%
lab.check("networking.service-connect")

# %% [markdown]
# Experiment 2. `early-bird` was started **before** the endpoint existed; `late-comer` starts now. **Predict:** who can call
# `prices:8080`?

# %%
serve("late-comer", serviceConnectConfiguration={"enabled": True, "namespace": "shop"})
lab.region.run_for("40s")
for client in ("early-bird", "late-comer"):
    print(f"{client}: {call(client, 'prices:8080/')}")

# %% [markdown]
# Endpoints are written into a task when it starts. A client that is older than the endpoint must be redeployed.

# %%
lab.exercise("networking.refresh")

# %% exercise="networking.refresh"
### BEGIN SOLUTION
ecs.update_service(cluster="demo", service="early-bird", forceNewDeployment=True)
lab.region.run_for("2m")
print(call("early-bird", "prices:8080/"))
### END SOLUTION

# %%
lab.check("networking.refresh")

# %% [markdown]
# What a redeployment is, as a picture: the same revision again, in a new task. It is up before the old one goes, so the service never
# has less than its one task.

# %% tags=["nbval-ignore-output"]
lab.timeline("early-bird", last="130s")

# %% [markdown]
# ## 6. The other modes
#
# | mode | address | ports | security group | found by |
# |---|---|---|---|---|
# | `awsvpc` | the task's own | the container's; never conflict | the task's | A or SRV records |
# | `bridge` | the instance's | a host port, fixed or free | the instance's | SRV records |
# | `host` | the instance's | the container's, on the instance | the instance's | SRV records |
# | `none` | none | none | none | nobody |
#
# Experiment 3. A `bridge` task on an EC2 instance. **Predict:** is it reached at port 80?

# %%
lab.region.add_instance("demo")
ecs.register_task_definition(family="old", networkMode="bridge", containerDefinitions=[{**app, "memory": 64}])
arn = ecs.run_task(cluster="demo", taskDefinition="old", launchType="EC2")["tasks"][0]["taskArn"]
ecs.get_waiter("tasks_running").wait(cluster="demo", tasks=[arn])
host_port = ecs.describe_tasks(cluster="demo", tasks=[arn])["tasks"][0]["containers"][0]["networkBindings"][0]["hostPort"]
shopper = task_of("shopper")["taskArn"]
print("at port 80:       ", bool(lab.region.can_reach(shopper, arn, 80)), "by", lab.region.can_reach(shopper, arn, 80).decided_by)
print("at its host port: ", bool(lab.region.can_reach(shopper, arn, host_port)))

# %% [markdown]
# ## In the exam
#
# > - **Fargate means `awsvpc`**: one interface and address per task; target groups of type `ip`.
# > - **Timeout: security group, route or ACL. Refused: nobody listens.**
# > - **Public address or NAT**: a Fargate task without either cannot pull from ECR, unless VPC endpoints lead there.
# > - **Dynamic host ports** are of `bridge`: open the ephemeral range to the load balancer's group.
# > - **Service Connect is per service**; the cluster's setting is only the default namespace.
# > - **Network ACLs are stateless**, security groups stateful.

# %%
lab.quiz("networking", n=15, seed=6)

# %% [markdown]
# ## Summary
#
# - With `awsvpc` a task is a host of its own, and its security groups are its doors.
# - Rules that name groups outlive addresses.
# - Cloud Map gives names that resolve; Service Connect gives names with a proxy behind them.
#
# **Next:** lab 07 puts a load balancer in front.

# %% tags=["nbval-ignore-output"]
lab.progress()
