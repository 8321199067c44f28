"""CloudWatch alarms that really evaluate: their datapoints, their state, their actions.

moto keeps the alarms. At the end of every period each one is shown its last
datapoints and `rules.scaling.evaluate` says its state. Scaling policies look at
the states themselves (`auto_scaling.py`); a topic of SNS and a function get the
message CloudWatch would send.

Choices of ours, where AWS documents none: a period longer than a minute is the
one that ends now; a composite alarm is evaluated right after the alarms it names.

Source: CloudWatch User Guide, "Evaluating an alarm", "Combining alarms", "Alarm
actions"; API Reference, PutMetricAlarm, PutCompositeAlarm, DescribeAlarmHistory.
"""
from __future__ import annotations

import json
import logging
import re
from datetime import datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Callable, Iterable, Mapping

from ..rules import scaling
from . import metrics
from .identifiers import ACCOUNT

if TYPE_CHECKING:
    from . import Region

log = logging.getLogger("ecslab")
STATISTICS = ("Average", "Sum", "Minimum", "Maximum", "SampleCount")
PERIODS = (10, 20, 30)  # or any multiple of 60
KEPT_HISTORY = 200
WORDS = {
    "GreaterThanThreshold": "greater than",
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}


def backend(region_name: str):
    return metrics.mended().cloudwatch_backends[ACCOUNT][region_name]


class Alarms:
    """Evaluates every alarm of the region and carries out what its change asks for."""

    def __init__(self, region: "Region"):
        self._region = region
        self._known: dict[str, str] = {}  # the state each alarm was last seen in
        region.watch("cloudwatch", self.look)

    def period(self) -> float:
        """How often there is something to evaluate, in seconds."""
        return min((a.period for a in self._all() if a.rule is None and a.period in PERIODS), default=60)

    def state(self, name: str) -> str | None:
        found = backend(self._region.name).alarms.get(name)
        return found.state_value if found else None

    def with_action(self, arn: str) -> list[Any]:
        """The alarms whose ALARM state calls for this action."""
        return [a for a in self._all() if a.actions_enabled and arn in a.alarm_actions]

    def evaluate(self, now: float) -> None:
        """Bring every alarm to the state its datapoints say."""
        every = self._all()
        for alarm in (a for a in every if a.rule is None):
            points = datapoints(self._region.name, alarm, now)
            if points is None:
                continue
            state = scaling.evaluate(rule_of(alarm), [value for _, value in points], alarm.state_value)
            if state != alarm.state_value:
                self._change(alarm, state, _reason(alarm, points, state))
        self._combine(every)
        self.look()

    def _combine(self, every: list[Any]) -> None:
        for _ in every:  # a composite alarm may name another
            changed = False
            for alarm in (a for a in every if a.rule is not None):
                state = "ALARM" if holds(alarm.rule, lambda name: self.state(_name(name))) else "OK"
                if state != alarm.state_value:
                    changed = True
                    self._change(alarm, state, f"Alarm rule {alarm.rule} is {'true' if state == 'ALARM' else 'false'}.")
            if not changed:
                return

    def _change(self, alarm, state: str, reason: str) -> None:
        alarm.update_state(reason, "{}", state)

    def look(self) -> None:
        """Alarms may have been made, changed or set by hand: note every change of state, and act on it."""
        stamp = metrics.now()
        every = self._all()
        for alarm in every:
            before = self._known.get(alarm.name)
            if before is None:
                _remember(alarm, stamp, "ConfigurationUpdate", f'Alarm "{alarm.name}" created')
                before = "INSUFFICIENT_DATA"
            self._known[alarm.name] = alarm.state_value
            if before == alarm.state_value:
                continue
            alarm.state_updated_timestamp = stamp
            _remember(alarm, stamp, "StateUpdate", f"Alarm updated from {before} to {alarm.state_value}")
            self._act(alarm, before, stamp)
        if len(every) < len(self._known):
            names = {a.name for a in every}
            self._known = {name: state for name, state in self._known.items() if name in names}
        for cluster in self._region.clusters.values():
            for service in cluster.services.values():
                if (service.deployment_configuration.get("alarms") or {}).get("enable"):
                    self._region.touch(service)

    def _act(self, alarm, before: str, stamp: datetime) -> None:
        if not alarm.actions_enabled:
            return
        actions = {"ALARM": alarm.alarm_actions, "OK": alarm.ok_actions, "INSUFFICIENT_DATA": alarm.insufficient_data_actions}
        for arn in actions[alarm.state_value] or ():
            service = arn.split(":")[2] if arn.count(":") >= 5 else ""
            action = {"sns": self._publish, "lambda": self._call}.get(service)
            if action is not None:
                self._region.later(action(arn, message(alarm, before, stamp, self._region.name)), lambda said, a=alarm: self._acted(a, said))
            elif service != "autoscaling":
                _remember(alarm, stamp, "Action", f"ecslab does not carry out action {arn}")

    def _acted(self, alarm, said: str) -> None:
        _remember(alarm, metrics.now(), "Action", said)

    def _publish(self, arn: str, body: dict) -> Callable[[], str]:
        def publish() -> str:
            try:
                subject = f'{body["NewStateValue"]}: "{body["AlarmName"]}" in {body["Region"]}'
                self._region.client("sns").publish(TopicArn=arn, Subject=subject[:100], Message=json.dumps(body))
            except Exception as error:  # the topic's or a subscriber's trouble is not the alarm's
                return f"Failed to execute action {arn}: {error}"
            return f"Successfully executed action {arn}"

        return publish

    def _call(self, arn: str, body: dict) -> Callable[[], str]:
        def call() -> str:
            function = self._region.functions.get(arn.rpartition(":")[2])
            if function is None:
                return f"Failed to execute action {arn}: there is no such function"
            try:
                function({"source": "aws.cloudwatch", "alarmArn": body["AlarmArn"], "alarmData": body}, None)
            except Exception as error:
                log.exception("the function of alarm %s", body["AlarmName"])
                return f"Failed to execute action {arn}: {error}"
            return f"Successfully executed action {arn}"

        return call

    def _all(self) -> list[Any]:
        return list(backend(self._region.name).alarms.values())


def rule_of(alarm) -> scaling.Alarm:
    """moto's alarm as the rules see it."""
    wanted = int(alarm.evaluation_periods or 1)
    return scaling.Alarm(
        name=alarm.name,
        comparison_operator=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        evaluation_periods=wanted,
        datapoints_to_alarm=int(alarm.datapoints_to_alarm or wanted),
        period=int(alarm.period),
        treat_missing_data=alarm.treat_missing_data or "missing",
    )


def datapoints(region_name: str, alarm, now: float) -> list[tuple[float, float | None]] | None:
    """(start, value) of the alarm's last periods, oldest first; None where ecslab can not compute its metric."""
    if not alarm.metric_name or alarm.statistic not in STATISTICS:
        return None
    rule = rule_of(alarm)
    end = now // min(rule.period, 60) * min(rule.period, 60)
    metric = metrics.key(alarm.namespace, alarm.metric_name, {d.name: d.value for d in alarm.dimensions})
    index, points = metrics.index(region_name), []
    for back in range(rule.evaluation_periods + scaling.LOOK_BACK, 0, -1):
        start = end - back * rule.period
        stat = index.between(metric, start, start + rule.period)
        points.append((start, None if stat is None else stat.get(alarm.statistic)))
    return points


def _reason(alarm, points: list[tuple[float, float | None]], state: str) -> str:
    """What CloudWatch says of a change."""
    rule = rule_of(alarm)
    known = [(at, value) for at, value in points if value is not None][-rule.evaluation_periods :]
    if state == "INSUFFICIENT_DATA" or not known:
        missing = rule.evaluation_periods - len(known)
        return f"Insufficient Data: {missing} datapoint{'s were' if missing > 1 else ' was'} unknown."
    breaching = [(at, value) for at, value in known if rule.breaches(value) == (state == "ALARM")] or known
    shown = ", ".join(f"{value} ({datetime.fromtimestamp(at, timezone.utc):%d/%m/%y %H:%M:%S})" for at, value in reversed(breaching))
    verb = "was" if len(breaching) == 1 else "were"
    negation = "" if state == "ALARM" else "not "
    least = rule.datapoints_to_alarm if state == "ALARM" else rule.evaluation_periods - rule.datapoints_to_alarm + 1
    turn = "OK -> ALARM" if state == "ALARM" else "ALARM -> OK"
    return (
        f"Threshold Crossed: {len(breaching)} out of the last {len(known)} datapoints [{shown}] {verb} {negation}"
        f"{WORDS[rule.comparison_operator]} the threshold ({rule.threshold}) "
        f"(minimum {least} datapoint{'' if least == 1 else 's'} for {turn} transition)."
    )


def message(alarm, before: str, stamp: datetime, region_name: str) -> dict:
    """What CloudWatch sends to a topic."""
    shape = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": ACCOUNT,
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": stamp.isoformat(timespec="milliseconds") + "+0000",
        "Region": region_name,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
    }
    if alarm.rule is None:
        shape["Trigger"] = {
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "Statistic": alarm.statistic,
            "Dimensions": [{"name": d.name, "value": d.value} for d in alarm.dimensions],
            "Period": alarm.period,
            "EvaluationPeriods": alarm.evaluation_periods,
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": alarm.threshold,
        }
    return shape


# Composite alarms -------------------------------------------------------------------

_TOKEN = re.compile(r'\s*(?:(ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*("[^"]*"|[^()\s]+)\s*\)|(AND|OR|NOT|TRUE|FALSE|\(|\)))', re.I)


@lru_cache(maxsize=256)
def _tokens(rule: str) -> tuple[tuple[str, str], ...]:
    found, at, text = [], 0, rule.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"AlarmRule must be a valid expression: what is {text[at:at + 20].strip()!r}?")
        found.append((match[1].upper(), match[2].strip('"')) if match[1] else (match[3].upper(), ""))
        at = match.end()
    return tuple(found)


def holds(rule: str, state: Callable[[str], str | None]) -> bool:
    """Is a composite alarm's rule true? ValueError for a rule that is no expression. NOT binds first, then AND, then OR."""
    tokens = list(_tokens(rule))

    def either() -> bool:
        value = both()
        while tokens and tokens[0][0] == "OR":
            tokens.pop(0)
            value = both() or value
        return value

    def both() -> bool:
        value = single()
        while tokens and tokens[0][0] == "AND":
            tokens.pop(0)
            value = single() and value
        return value

    def single() -> bool:
        if not tokens:
            raise ValueError("AlarmRule must be a valid expression: it ends too early.")
        word, name = tokens.pop(0)
        if word == "NOT":
            return not single()
        if word in ("TRUE", "FALSE"):
            return word == "TRUE"
        if word == "(":
            value = either()
            if not tokens or tokens.pop(0)[0] != ")":
                raise ValueError("AlarmRule must be a valid expression: a parenthesis is not closed.")
            return value
        if not name:
            raise ValueError(f"AlarmRule must be a valid expression: {word} is out of place.")
        return state(name) == word

    value = either()
    if tokens:
        raise ValueError(f"AlarmRule must be a valid expression: {tokens[0][0]} is out of place.")
    return value


def names_in(rule: str) -> list[str]:
    return [_name(name) for word, name in _tokens(rule) if name]


def _name(identifier: str) -> str:
    """An alarm's name, also where its ARN is given."""
    return identifier.partition(":alarm:")[2] if identifier.startswith("arn:") else identifier


# moto ---------------------------------------------------------------------------------


def _remember(alarm, stamp: datetime, kind: str, summary: str) -> None:
    history = alarm.__dict__.setdefault("ecslab_history", [])
    data = {"version": "1.0", "newState": {"stateValue": alarm.state_value, "stateReason": alarm.state_reason}}
    history.insert(
        0,
        {
            "AlarmName": alarm.name,
            "AlarmType": "MetricAlarm" if alarm.rule is None else "CompositeAlarm",
            "Timestamp": stamp,
            "HistoryItemType": kind,
            "HistorySummary": summary,
            "HistoryData": json.dumps(data),
        },
    )
    del history[KEPT_HISTORY:]


def mend(models, responses) -> None:
    """A new alarm has no data yet, one put again keeps its state, what can not be evaluated is refused, history is told."""
    put = models.CloudWatchBackend.put_metric_alarm

    def put_metric_alarm(self, name, *given, **wanted):
        trouble = unknown({"rule": None, **wanted}, self.alarms)
        if trouble:
            raise models.ValidationError(trouble)
        before = self.alarms.get(name)
        alarm = put(self, name, *given, **wanted)
        alarm.state_value = "INSUFFICIENT_DATA"
        alarm.configuration_updated_timestamp = alarm.state_updated_timestamp = metrics.now()
        if before is not None:
            for field in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
                setattr(alarm, field, getattr(before, field))
            alarm.ecslab_history = before.__dict__.get("ecslab_history", [])
        return alarm

    def describe_alarm_history(self):
        asked = {name: self._get_param(name) for name in ("AlarmName", "HistoryItemType", "StartDate", "EndDate", "MaxRecords", "ScanBy")}
        return responses.ActionResult({"AlarmHistoryItems": history(self.cloudwatch_backend.alarms.values(), asked)})

    models.CloudWatchBackend.put_metric_alarm = put_metric_alarm
    responses.CloudWatchResponse.put_composite_alarm = responses.CloudWatchResponse.put_metric_alarm  # it reads AlarmRule too
    responses.CloudWatchResponse.describe_alarm_history = describe_alarm_history


def unknown(wanted: Mapping[str, Any], alarms: Mapping[str, Any]) -> str:
    """Why such an alarm can not be: its rule, its period, or something ecslab does not evaluate. "" when it can."""
    if wanted.get("rule") is not None:
        try:
            holds(wanted["rule"], lambda _name: "OK")
        except ValueError as error:
            return str(error)
        missing = [name for name in names_in(wanted["rule"]) if name not in alarms]
        return f"Could not save the composite alarm as alarms [{', '.join(missing)}] in the alarm rule do not exist" if missing else ""
    if wanted.get("metric_data_queries"):
        return "ecslab does not evaluate alarms on metric math. Name one metric with Namespace, MetricName and Dimensions."
    if wanted.get("extended_statistic"):
        return f"ecslab does not evaluate alarms on percentiles. Statistic may be one of {', '.join(STATISTICS)}."
    if wanted.get("comparison_operator") not in WORDS:
        return f"ecslab does not evaluate the comparison {wanted.get('comparison_operator')}. It may be one of {', '.join(WORDS)}."
    absent = [name for name in ("threshold", "period", "metric_name", "namespace", "statistic") if wanted.get(name) is None]
    if absent:
        words = ", ".join("".join(part.capitalize() for part in name.split("_")) for name in absent)
        return f"An alarm on one metric needs {words}."
    period, periods = wanted.get("period"), wanted.get("evaluation_periods")
    if period is not None and period not in PERIODS and (period <= 0 or period % 60):
        return f"Metrics list must contain at least one metric with a period of 10, 20, 30 or a multiple of 60 seconds, not {period}."
    to_alarm = wanted.get("datapoints_to_alarm")
    if to_alarm and periods and to_alarm > periods:
        return "DatapointsToAlarm can not be greater than EvaluationPeriods."
    return ""


def history(alarms: Iterable[Any], asked: Mapping[str, Any]) -> list[dict]:
    """DescribeAlarmHistory's items, newest first unless asked otherwise."""
    found = [
        item
        for alarm in alarms
        if asked["AlarmName"] in (None, alarm.name)
        for item in alarm.__dict__.get("ecslab_history", ())
        if asked["HistoryItemType"] in (None, item["HistoryItemType"])
        and (asked["StartDate"] is None or item["Timestamp"] >= asked["StartDate"].replace(tzinfo=None))
        and (asked["EndDate"] is None or item["Timestamp"] < asked["EndDate"].replace(tzinfo=None))
    ]
    found.sort(key=lambda item: item["Timestamp"], reverse=asked["ScanBy"] != "TimestampAscending")
    return found[: int(asked["MaxRecords"] or 100)]
