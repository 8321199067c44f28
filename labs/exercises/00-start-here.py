"""The exercise of lab 00: one to try the buttons on."""
from ecslab.teach import Saw, exercise


@exercise(
    "start.stop-your-task",
    title="Stop your task",
    task="""
    Your task in the cluster `hello` is still running. Stop it with `stop_task`, give any reason you like, and let it come to
    rest. The variable `task` holds what `run_task` answered.
    """,
    hints=[
        "Which method of `ecs` has `stop` in its name?",
        "`stop_task` needs the cluster and the task's ARN. It answers at once; the task takes a moment to stop.",
        "`ecs.stop_task(cluster='hello', task=task['taskArn'], reason=...)`, then `lab.region.run_for('1m')`.",
        """
        ```python
        ecs.stop_task(cluster="hello", task=task["taskArn"], reason="done for today")
        lab.region.run_for("1m")
        ```
        """,
    ],
    explanation="""
    `stop_task` only sets `desiredStatus` to `STOPPED`. ECS then sends SIGTERM, waits up to 30 seconds, and kills what is left.
    Nothing starts the task again: a task on its own has nobody to look after it. That is what services are for (lab 03).
    """,
)
def stop_your_task(aws):
    stopped = aws.tasks("hello", family="first", desiredStatus="STOPPED")
    running = aws.tasks("hello", family="first")
    mine = [t for t in stopped if t.get("stopCode") == "UserInitiated"]
    resting = [t for t in mine if t["lastStatus"] == "STOPPED"]
    where = "list_tasks(desiredStatus=...), then describe_tasks"
    return [
        Saw(bool(mine), f"{len(mine)} tasks stopped by you", "1 task stopped by you", f"{where} -> stopCode"),
        Saw(not running, f"{len(running)} tasks still wanted", "none", where),
        Saw(bool(resting), f"{len(resting)} tasks at rest", "1 task with lastStatus STOPPED", f"{where} -> lastStatus"),
    ]
