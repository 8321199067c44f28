"""User data: how an instance is told which cluster to join."""
from __future__ import annotations

import pytest

from ecslab.rules import agent

SCRIPT = """#!/bin/bash
cat <<'END' >> /etc/ecs/ecs.config
ECS_CLUSTER=demo
ECS_INSTANCE_ATTRIBUTES={"stack": "prod", "rack": "7"}
ECS_RESERVED_MEMORY=256
ECS_ENABLE_SPOT_INSTANCE_DRAINING=true
END
"""


def test_every_setting_that_decides_how_it_joins_is_read():
    assert agent.read(SCRIPT) == agent.AgentConfig("demo", {"stack": "prod", "rack": "7"}, 256, True)


@pytest.mark.parametrize(
    "line", ["echo ECS_CLUSTER=demo >> /etc/ecs/ecs.config", "echo 'ECS_CLUSTER=demo' >> x", 'ECS_CLUSTER="demo"', "echo ECS_CLUSTER=demo; true"]
)
def test_the_cluster_is_found_however_the_line_is_written(line):
    assert agent.read(f"#!/bin/bash\n{line}\n").cluster == "demo"


def test_an_instance_without_a_word_about_ecs_joins_nothing_and_one_without_a_cluster_the_default():
    assert agent.read("#!/bin/bash\nyum update\n").cluster is None
    assert agent.read("ECS_RESERVED_MEMORY=64").cluster == "default"


def test_a_commented_line_does_not_count_and_the_last_one_wins():
    assert agent.read("# ECS_CLUSTER=old\n").cluster is None
    assert agent.read("ECS_CLUSTER=one\nECS_CLUSTER=two\n").cluster == "two"


@pytest.mark.parametrize("text", ["not json", "[1]", ""])
def test_attributes_that_make_no_sense_count_as_none(text):
    assert agent.read(f"ECS_CLUSTER=demo\nECS_INSTANCE_ATTRIBUTES={text}\n").attributes == {}
