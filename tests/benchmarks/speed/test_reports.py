"""What is made of what was measured."""

import pytest

from benchmarks.speed.load import LoadFigures, load_section
from benchmarks.speed.memory import Stage, memory_section
from benchmarks.speed.traffic import Reading, Traffic, traffic_section


def test_load_is_judged_by_the_ratio_of_each_round() -> None:
    # the second round met a slow machine, and both alike
    figures = LoadFigures([10.0, 40.0, 10.0], [100.0, 25.0, 100.0])
    figures.service_ms.extend([11.0, 44.0, 30.0])
    figures.service_per_s.extend([90.0, 22.5, 10.0])

    section = load_section(figures, "5 x 2")

    slower, share = section.goals
    assert slower.found == pytest.approx(1.1)
    assert slower.is_reached
    assert share.found == pytest.approx(0.9)
    assert share.is_reached
    assert section.lines[0].endswith("5 x 2")


def test_growth_is_the_slope_through_all_readings() -> None:
    traffic = Traffic({"octets": 3000})
    for requests, threads, own in ((0, 3, 10.0), (1000, 4, 12.5), (2000, 3, 14.0)):
        traffic.readings.append(
            Reading(
                requests=requests, threads=threads, own_mib=own, resident_mib=own + 1
            )
        )

    section = traffic_section(traffic)

    assert traffic.growth_mib == pytest.approx(2.0)
    assert traffic.more_threads == 1
    assert [goal.is_reached for goal in section.goals] == [False, False]
    assert "| 2,000 | 3 | 14.0 | 15.0 |" in section.lines


def test_a_part_is_told_what_it_adds() -> None:
    stages = [
        Stage(part="Python", mib={"own": 5.0, "libraries": 8.0}),
        Stage(part="network", mib={"own": 7.0, "libraries": 8.0}),
        Stage(part="index", mib={"own": 7.5, "libraries": 8.0, "codes.npy": 18.0}),
    ]

    lines = memory_section("5 x 2", stages).lines

    assert "| network | 2.0 | 0.0 | none |" in lines
    assert "| index | 0.5 | 0.0 | codes.npy 18.0 |" in lines
    assert "| all, and Python itself | 7.5 | 8.0 | codes.npy 18.0 |" in lines
