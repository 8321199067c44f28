"""The what-if widget: valid sizes only, both prices, and the break-even drawn."""
import pytest

from ecslab.rules.fargate import FARGATE_SIZES
from ecslab.teach.mistakes import Mistake
from ecslab.widgets import price
from ecslab.widgets.price import chosen, controls, headline, moved, picture, text


def stand(choice, name):
    return next(c for c in controls(choice) if c["name"] == name)


def press(widget, **message):
    widget._handle_custom_msg(message, [])


@pytest.fixture
def widget():
    return price._widget()(chosen())


def test_in_a_terminal_both_prices_and_the_break_even_are_told(capsys):
    price.price(cpu=512, memory=1024, count=4)
    told = capsys.readouterr().out
    assert "4 tasks of 0.5 vCPU, 1 GB: $72.08 a month on Fargate, or 1 m5.large for $70.08." in told
    assert "m5.large costs no more than Fargate with 4 tasks, always from 106 on." in told


def test_the_bill_shown_is_that_of_the_launch_type():
    assert "EC2: 1 m5.large" in text(chosen(launch_type="EC2")) and "Fargate vCPU" in text(chosen())


@pytest.mark.parametrize(
    "choice, words",
    [
        ({"cpu": 256, "memory": 4096}, "No Fargate configuration exists for given values.\nWith 256 CPU units"),
        ({"count": 0}, "count must be at least 1, not 0."),
        ({"count": 101}, "count is between 1 and 100, not 101."),
        ({"count": "many"}, "count must be a number, not 'many'."),
        ({"cpu": "512"}, "No Fargate configuration exists for given values.\nCPU may be 256"),
        ({"hours": 800}, "hours is between 1 and 730"),
        ({"spot": 2}, "spot is a share from 0 to 1"),
        ({"instance_type": "m9.large"}, "instance_type is one of"),
        ({"arch": "ARM64", "instance_type": "m5.large"}, "instance_type is one of t4g.medium"),
        ({"colour": "red"}, "lab.price has no colour. It has: cpu"),
    ],
)
def test_what_no_control_offers_is_a_mistake_in_plain_words(choice, words):
    with pytest.raises(Mistake) as told:
        chosen(**choice)
    assert str(told.value).startswith(words)


@pytest.mark.parametrize("place", range(8))
def test_every_cpu_size_keeps_the_memory_as_near_as_it_can(place):
    choice = moved(chosen(cpu=2048, memory=8192), "cpu", place)
    assert choice.memory in FARGATE_SIZES[choice.cpu]
    assert abs(choice.memory - 8192) == min(abs(size - 8192) for size in FARGATE_SIZES[choice.cpu])


def test_every_place_of_the_memory_slider_is_a_valid_size():
    choice = chosen(cpu=1024, memory=2048)
    slider = stand(choice, "memory")
    reached = [moved(choice, "memory", place).memory for place in range(slider["least"], slider["most"] + 1)]
    assert reached == list(FARGATE_SIZES[1024])


def test_another_architecture_brings_its_own_instances():
    choice = moved(chosen(), "arch", "ARM64")
    assert choice.instance_type == "m7g.large" and "m5.large" not in stand(choice, "instance_type")["options"]
    assert headline(choice).startswith("4 tasks of 0.5 vCPU, 1 GB: $57.67 a month")


def test_moving_a_slider_redraws_bill_sentence_and_plot(widget):
    before = dict(widget.view)
    press(widget, name="count", value=20)
    after = widget.view
    assert after["headline"].startswith("20 tasks") and after["rows"] != before["rows"] and after["plot"] != before["plot"]
    assert stand(widget._choice, "count")["said"] == "20"


@pytest.mark.parametrize(
    "message",
    [{}, {"name": "colour", "value": 1}, {"name": "cpu", "value": 99}, {"name": "cpu", "value": "1"}, {"name": "hours", "value": 0},
     {"name": "arch", "value": "WINDOWS"}, {"name": "spot", "value": 2.5}, {"name": "memory", "value": [1]}, {"name": ["cpu"], "value": 1}],
)  # fmt: skip
def test_a_message_that_makes_no_sense_changes_nothing(widget, message):
    before = dict(widget.view)
    press(widget, **message)
    assert widget.view == before


def test_an_instance_with_no_room_for_a_task_is_said_so():
    choice = chosen(cpu=2048, memory=8192)
    assert "no m5.large, which has no room for one" in headline(choice)
    assert "m5.large never costs less" in repr(picture(choice))


def test_the_picture_marks_where_instances_pay_off_and_says_it_in_words():
    pays, never = picture(chosen()), picture(chosen(hours=100))
    assert "instances cost no more" in pays.svg and "instances cost no more" not in never.svg
    assert "dollars a month" in pays.svg and "4 chosen" in pays.svg and "#010203" not in pays.svg
    assert repr(pays).startswith("Dollars a month by number of tasks.") and "always from 106 on" in repr(pays)


def test_the_picture_is_the_same_every_time():
    assert picture(chosen()).svg == picture(chosen()).svg


def test_lab_price_needs_no_region(capsys):
    from ecslab.teach import Lab, Progress

    Lab("12-pricing", None, store=Progress(":memory:")).price(cpu=256, memory=512, count=1)
    assert "1 task of 0.25 vCPU, 0.5 GB: $9.01 a month on Fargate" in capsys.readouterr().out
