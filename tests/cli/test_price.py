"""`ecslab price`: what it would cost, at the terminal."""
import pytest
from click.testing import CliRunner

from ecslab.cli import main


def price(*words):
    return CliRunner().invoke(main, ["price", *words])


def test_the_cards_example_gives_its_hour_and_its_month():
    done = price("fargate", "--cpu", "512", "--memory", "1024", "--count", "1", "--hours", "730")
    assert done.exit_code == 0
    assert "$0.02469 an hour, $18.02 for 730 hours." in done.output


def test_sizes_may_be_written_as_in_a_task_definition():
    assert price("fargate", "--cpu", "0.5 vCPU", "--memory", "1 GB").output == price("fargate", "--cpu", "512", "--memory", "1024").output


def test_spot_arm_and_storage_are_lines_of_their_own():
    told = price("fargate", "--cpu", "512", "--memory", "1024", "--count", "2", "--arch", "ARM64", "--spot", "0.5", "--ephemeral", "50").output
    assert "2 tasks of 0.5 vCPU, 1 GB ARM, 50 % on Spot" in told
    assert "Fargate Spot vCPU" in told and "ephemeral storage" in told and "real Spot prices float" in told


@pytest.mark.parametrize(
    "words, message",
    [
        (("fargate", "--cpu", "256", "--memory", "4096"), "ecslab: No Fargate configuration exists for given values.\nWith 256 CPU units, memory may be 512, 1024 or 2048 MiB."),
        (("fargate", "--cpu", "lots", "--memory", "512"), "ecslab: Invalid 'cpu' setting for task."),
        (("fargate", "--cpu", "256", "--memory", "512", "--count", "0"), "ecslab: count must be at least 1, not 0."),
        (("compare", "--cpu", "100", "--memory", "512"), "ecslab: No Fargate configuration exists for given values.\nCPU may be 256"),
        (("ec2", "m9.large"), "ecslab: There is no price for instance type 'm9.large'. Priced are: t3.micro"),
    ],
)  # fmt: skip
def test_what_can_not_be_priced_is_refused_in_plain_words(words, message):
    done = price(*words)
    assert done.exit_code == 1 and done.output.startswith(message)


def test_a_peak_that_is_no_number_is_told():
    done = price("right-size", "--cpu", "256", "--memory", "512", "--cpu-peak", "much", "--memory-peak", "10%")
    assert done.exit_code == 2 and "'much' is neither a number nor a share" in done.output


def test_instances_are_priced_by_type_and_count():
    assert "$0.19200 an hour, $140.16 for 730 hours." in price("ec2", "m5.large", "--count", "2").output


def test_a_comparison_lists_fargate_and_instances_and_says_where_they_cross():
    told = price("compare", "--cpu", "256", "--memory", "512", "--count", "8").output
    amounts = [float(line.split("$")[1].split()[0].replace(",", "")) for line in told.splitlines() if " a month" in line and "$" in line]
    assert amounts == sorted(amounts) and len(amounts) > 6
    assert "costs no more than Fargate with" in told


def test_the_right_size_is_told_with_what_it_saves():
    told = price("right-size", "--cpu", "2048", "--memory", "8192", "--cpu-peak", "20%", "--memory-peak", "1536", "--count", "3").output
    assert "Cheapest with 20% free: 0.5 vCPU, 2 GB (cpu 512, memory 2048)." in told
    assert "That saves $191.38 a month for 3 tasks." in told
