"""Stickiness by the application's cookie, and slow start, in virtual time."""
from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.region.test_load_balancing import Balanced

APP_COOKIE = {"stickiness.enabled": "true", "stickiness.type": "app_cookie", "stickiness.app_cookie.cookie_name": "session"}


@pytest.fixture
def web(lab):
    web = Balanced(lab)
    web.serve(count=3)
    lab.region.run_for("30s")
    return web


def header(cookies):
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}


def tasks(web, cookies, requests=6):
    return {web.region.get(web.url, headers=header(cookies)).json()["task"] for _ in range(requests)}


def test_the_applications_cookie_comes_back_with_one_of_the_load_balancers(web):
    web.set(web.group, **APP_COOKIE)
    assert web.region.get(web.url).cookies == {}
    answer = web.region.get(f"{web.url}/cookie?session=abc")
    assert answer.cookies["session"] == "abc" and set(answer.cookies) == {"session", "AWSALBAPP-0"}
    assert answer.set_cookies[1].endswith("; Max-Age=604800; Path=/")


def test_both_cookies_bind_a_client_and_one_alone_does_not(web):
    web.set(web.group, **APP_COOKIE)
    cookies = web.region.get(f"{web.url}/cookie?session=abc").cookies
    assert len(tasks(web, cookies)) == 1
    assert len(tasks(web, {"AWSALBAPP-0": cookies["AWSALBAPP-0"]})) == 3
    assert len(tasks(web, {"session": "abc"})) == 3


def test_another_cookie_of_the_application_binds_nobody(web):
    web.set(web.group, **APP_COOKIE)
    assert web.region.get(f"{web.url}/cookie?basket=3").cookies == {"basket": "3"}


def test_the_bond_ends_with_its_duration_unless_an_answer_renews_it(lab, web):
    web.set(web.group, **APP_COOKIE, **{"stickiness.app_cookie.duration_seconds": "60"})
    cookies = web.region.get(f"{web.url}/cookie?session=abc").cookies
    lab.region.run_for("50s")
    renewed = {**cookies, **web.region.get(web.url, headers=header(cookies)).cookies}
    lab.region.run_for("50s")
    assert len(tasks(web, renewed)) == 1
    assert len(tasks(web, cookies)) == 3


def test_a_client_whose_target_is_gone_stays_with_the_next(lab, web):
    web.set(web.group, **APP_COOKIE)
    cookies = web.region.get(f"{web.url}/cookie?session=abc").cookies
    (first,) = tasks(web, cookies)
    lab.ecs.stop_task(cluster="demo", task=first)
    lab.region.run_for("30s")
    moved = web.region.get(web.url, headers=header(cookies))
    assert moved.json()["task"] != first
    assert tasks(web, {**cookies, **moved.cookies}) == {moved.json()["task"]}


def test_an_app_cookie_without_a_name_is_refused(web):
    with pytest.raises(ClientError, match="You must set an application cookie name"):
        web.set(web.group, **{"stickiness.type": "app_cookie"})


# Slow start -----------------------------------------------------------------------


def share_of_the_new_one(web, old, seconds):
    report = web.region.load(web.url, rps=10, for_=f"{seconds}s")
    return sum(count for task, count in report.by_target.items() if task not in old) / report.sent


def test_a_new_target_gets_its_share_little_by_little(lab, web):
    web.set(web.group, **{"slow_start.duration_seconds": "120"})
    old = {task["taskArn"].rpartition("/")[2] for task in lab.tasks()}
    lab.ecs.update_service(cluster="demo", service="web", desiredCount=4)
    while web.health() != {"healthy": 4}:
        lab.region.run_for("1s")
    shares = [share_of_the_new_one(web, old, 30) for _ in range(5)]
    assert shares == sorted(shares) and shares[0] < 0.06
    assert shares[1] == pytest.approx(0.375 / 3.375, abs=0.03)
    assert shares[-1] == pytest.approx(0.25, abs=0.01)


def test_targets_that_come_together_share_at_once(lab):
    web = Balanced(lab)
    web.set(web.group, **{"slow_start.duration_seconds": "300"})
    web.serve(count=3)
    lab.region.run_for("30s")
    assert sorted(lab.region.load(web.url, rps=3, for_="10s").by_target.values()) == [10, 10, 10]


def test_turning_slow_start_off_gives_a_young_target_its_whole_share(lab, web):
    web.set(web.group, **{"slow_start.duration_seconds": "900"})
    old = {task["taskArn"].rpartition("/")[2] for task in lab.tasks()}
    lab.ecs.update_service(cluster="demo", service="web", desiredCount=4)
    lab.region.run_for("30s")
    assert share_of_the_new_one(web, old, 20) < 0.05
    web.set(web.group, **{"slow_start.duration_seconds": "0"})
    assert share_of_the_new_one(web, old, 20) == pytest.approx(0.25)


def test_slow_start_and_least_outstanding_requests_exclude_each_other(web):
    web.set(web.group, **{"slow_start.duration_seconds": "60"})
    with pytest.raises(ClientError, match="Slow start can not be used with the routing algorithm least_outstanding_requests"):
        web.set(web.group, **{"load_balancing.algorithm.type": "least_outstanding_requests"})
