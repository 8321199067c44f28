"""The timeline's picture and its words."""
from ecslab.region.timeline import Count, Event, Sample, Timeline
from ecslab.widgets.timeline import picture

PAST = (
    Sample(100.0, 1, 1, 2, {"a": Count(running=1, healthy=1)}),
    Sample(110.0, 1, 1, 2, {"a": Count(running=1, healthy=1), "b": Count(running=1)}),
    Sample(120.0, 1, 1, 2, {"b": Count(running=1, healthy=1)}),
)


def drawn(revisions, last=None):
    events = (Event(120.0, "(service web) (deployment b) deployment completed."),)
    return picture(Timeline("web", 130.0, PAST, events, revisions), last)


def test_a_revision_that_is_deployed_again_is_told_from_its_first_deployment():
    svg = drawn({"a": "web:1", "b": "web:1"}).svg
    assert "web:1 (no. 1) healthy" in svg and "web:1 (no. 2) healthy" in svg


def test_different_revisions_keep_their_plain_names():
    svg = drawn({"a": "web:1", "b": "web:2"}).svg
    assert ">web:1 healthy<" in svg and ">web:2 healthy<" in svg and "no. 1" not in svg


def test_the_words_say_when_a_deployment_ended_and_how_things_stand():
    assert repr(drawn({"a": "web:1", "b": "web:2"})) == (
        "Timeline of service web. completed after 20 s. Now web:2: 1 running, 1 healthy, 1 desired."
    )
    assert "completed after 5 s" in repr(drawn({"a": "web:1", "b": "web:2"}, last=15.0))


def test_a_picture_takes_the_colours_of_the_page_it_stands_on():
    svg = drawn({"a": "web:1", "b": "web:2"}).svg
    assert "currentColor" in svg and "#010203" not in svg and "#010204" not in svg


def test_a_service_without_a_past_is_said_in_words():
    assert repr(picture(Timeline("web", 0.0, (), (), {}))) == "web: nothing has happened yet."
