"""`ecslab audit SERVICE`: a service of the running region against the good practices."""
from __future__ import annotations

import json

import click


@click.command()
@click.argument("service")
@click.option("--cluster", help="Where more than one cluster has such a service.")
@click.option("--endpoint-url", help="Of the region to ask; the newest that runs is asked otherwise.")
@click.option("--json", "as_json", is_flag=True, help="Every finding, for a program to read.")
@click.option("--fail-under", type=click.IntRange(0, 100), default=0, help="Exit code 1 for a lower score.")
def audit(service: str, cluster: str | None, endpoint_url: str | None, as_json: bool, fail_under: int) -> None:
    """Score SERVICE against good practices: what was found, why it matters, the change that mends it."""
    from botocore.exceptions import BotoCoreError, ClientError

    from .cli import Trouble
    from .teach.audit import audit as audited
    from .teach.audit import report_text
    from .teach.mistakes import Mistake

    try:
        report = audited(_clients(endpoint_url), service, cluster)
    except (Mistake, BotoCoreError, ClientError, ValueError) as error:
        raise Trouble(str(error)) from None
    click.echo(json.dumps(report.as_dict(), indent=2) if as_json else report_text(report))
    if report.score < fail_under:
        raise SystemExit(1)


def _clients(endpoint_url: str | None):
    """Makes clients of that region: never of real AWS, for which a shell's own settings might have keys."""
    import boto3
    from botocore.config import Config

    from .cli import Trouble
    from .region.registry import running

    regions = running()
    known = next((one for one in regions if endpoint_url in (None, one["endpoint_url"])), None)
    if known is None and endpoint_url is None:
        raise Trouble("No region is running. Open a lab in a notebook, or run: ecslab serve")
    session = boto3.Session("ecslab", "ecslab", region_name=known["region"] if known else "us-east-1")
    patience = Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=30)
    return lambda name: session.client(name, endpoint_url=endpoint_url or known["endpoint_url"], config=patience)
