from nextvec.app.inference.engine import Engine


def test_warming_up_tells_how_far_it_is_and_how_long_one_takes(engine: Engine) -> None:
    told: list[tuple[int, int]] = []

    one_s = engine.warm(lambda *step: told.append(step))

    total = len(told)
    # eight sizes, four lengths, a search of many and three of one
    assert told == [(done, total) for done in range(1, 17)]
    assert 0 < one_s < 60
