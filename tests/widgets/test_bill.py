"""The bill in a lab: as a picture of the month, and as the lab's calls show it."""
import pytest

from ecslab.region.bill import made
from ecslab.rules.metering import FargateTask, Hourly, Tally
from ecslab.teach import Lab, Progress
from ecslab.teach.mistakes import Mistake
from ecslab.widgets.bill import picture

WEB = FargateTask("service:web in demo", 512, 1024)
NAT = Hourly("NAT gateway nat-1", "NAT gateways", "nat")


@pytest.fixture
def bill():
    return made([(WEB, Tally(3, 7200, 2)), (NAT, Tally(1, 3600, 1))], [], 0, 3600, "product")


def test_the_picture_tells_the_month_of_every_group_the_dearest_first(bill):
    assert repr(picture(bill)) == "A month of 730 hours at this rate costs $68.89: Fargate $36.04, NAT gateways $32.85."


def test_the_picture_has_title_units_and_the_colours_of_the_page(bill):
    svg = picture(bill).svg
    assert "dollars a month" in svg and "$36.04" in svg and "A month at this rate" in svg and "#010203" not in svg
    assert svg == picture(bill).svg


def test_where_nothing_runs_the_picture_says_so():
    ended = made([(WEB, Tally(3, 7200, 0))], [], 0, 3600, "product")
    assert repr(picture(ended)) == "Nothing that costs anything is running."


def test_a_month_by_service_names_what_the_money_is_for(bill):
    assert {name: str(amount) for name, amount in bill.months("service").items()} == {"service:web in demo": "36.04", "NAT gateway nat-1": "32.85"}


class Region:
    def __init__(self, bill):
        self._bill = bill

    def bill(self, by):
        return self._bill

    def right_size(self, service):
        raise ValueError(f"There is no service {service}.")


def test_a_lab_shows_bill_month_and_prices(bill, capsys):
    lab = Lab("12-pricing", Region(bill), store=Progress(":memory:"))
    assert lab.bill() is bill and "NAT gateways $32.85" in repr(lab.month())
    lab.prices(cpu=512, memory=1024, count=2)
    assert "Fargate Spot" in capsys.readouterr().out


def test_slips_are_told_as_a_sentence(bill):
    lab = Lab("12-pricing", Region(bill), store=Progress(":memory:"))
    with pytest.raises(Mistake, match="There is no service web."):
        lab.right_size("web")
    with pytest.raises(Mistake, match="No Fargate configuration"):
        lab.prices(cpu=1, memory=1)
