"""`lab.audit`: the report on a service: in a notebook a list whose lines open, text anywhere else.

Built of <details> and <summary>, so that every line opens by keyboard, and drawn in the theme's own colours. What failed is
told by its mark and its words; colour only repeats them.
"""
from __future__ import annotations

from html import escape
from typing import Any, Callable

from ecslab.rules.audit import HOW, Report
from ecslab.rules.audit_check import FAILED, HIGH, LOW, MEDIUM, PASSED, Finding
from ecslab.teach import audit as teacher

COLOURS = {HIGH: "#c5221f", MEDIUM: "#a15c00", LOW: "#1a6fb5"}
MARKS = {FAILED: "✗", PASSED: "✓"}
STYLE = """<style>
.ecslab-audit { max-width: 60rem; font-size: 13px; line-height: 1.5; color: var(--jp-content-font-color1, inherit); }
.ecslab-audit p { margin: 0.3em 0; }
.ecslab-audit .score { font-size: 1.7em; font-weight: 600; }
.ecslab-audit details { border: 1px solid var(--jp-border-color2, #8888); border-radius: 4px; margin: 4px 0; padding: 3px 10px; }
.ecslab-audit details.failed { border-left: 4px solid var(--severity); }
.ecslab-audit summary { cursor: pointer; padding: 2px; }
.ecslab-audit summary:focus-visible { outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }
.ecslab-audit .severity { display: inline-block; min-width: 5em; font-weight: 600; }
.ecslab-audit .seen { display: block; padding-left: 2em; opacity: 0.75; overflow: hidden; white-space: nowrap; text-overflow: ellipsis; }
.ecslab-audit details[open] .seen { display: none; }
.ecslab-audit dl { display: grid; grid-template-columns: 5em 1fr; gap: 3px 8px; margin: 6px 0; }
.ecslab-audit dt { opacity: 0.75; font-weight: 400; }
.ecslab-audit dd { margin: 0; overflow-wrap: anywhere; }
.ecslab-audit pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12px; padding: 5px 8px; color: inherit;
  font-family: var(--jp-code-font-family, monospace); background: var(--jp-layout-color2, #8882); border-radius: 3px; }
</style>"""


class Audit:
    """A report to read; `score`, `failed`, `passed` and `report` are there to ask."""

    def __init__(self, report: Report):
        self.report = report

    @property
    def score(self) -> int:
        return self.report.score

    @property
    def failed(self) -> list[str]:
        """The ids of the checks that failed, the gravest first."""
        return [one.check.id for one in self.report.failed]

    @property
    def passed(self) -> list[str]:
        return [one.check.id for one in self.report.passed]

    def __repr__(self) -> str:
        return teacher.report_text(self.report)

    def _repr_html_(self) -> str:
        report = self.report
        failed = "".join(map(_failed, report.failed)) or "<p>Nothing to mend.</p>"
        rest = _rest("passed", report.passed) + _rest("not applicable here", report.inapplicable)
        title = f"<p><span class='score'>{report.score} of 100</span> {escape(report.service)} in cluster {escape(report.cluster)}</p>"
        note = f"<p>{_code(teacher.DEFINITION)}</p>" if any("definition[" in one.change for one in report.failed) else ""
        return f"{STYLE}<div class='ecslab-audit'>{title}<p>{escape(HOW)}</p>{failed}{rest}{note}</div>"


def audit(client: Callable[[str], Any], service: str, cluster: str | None = None) -> Audit:
    return Audit(teacher.audit(client, service, cluster))


def _failed(finding: Finding) -> str:
    check = finding.check
    rows = {
        "found": escape(finding.found),
        "why": _code(check.why),
        "read": f"{escape(check.page)} <i>(card: {escape(check.card)})</i>",
        "change": f"<pre>{escape(finding.change)}</pre>",
    }
    listed = "".join(f"<dt>{name}</dt><dd>{html}</dd>" for name, html in rows.items())
    head = f"{MARKS[FAILED]} <span class='severity'>{check.severity}</span>{escape(check.title)}<span class='seen'>{escape(finding.found)}</span>"
    return f"<details class='failed' style='--severity: {COLOURS[check.severity]}'><summary>{head}</summary><dl>{listed}</dl></details>"


def _rest(title: str, findings: tuple[Finding, ...]) -> str:
    if not findings:
        return ""
    items = "".join(f"<li>{MARKS.get(one.status, '·')} {escape(one.check.title)}{f': {escape(one.found)}' if one.found else ''}</li>" for one in findings)
    return f"<details><summary>{len(findings)} {title}</summary><ul style='list-style: none; padding-left: 4px'>{items}</ul></details>"


def _code(text: str) -> str:
    """Escaped, with what stands between backquotes as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
