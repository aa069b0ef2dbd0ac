from nextvec.app.inference.engine import Engine


def test_warming_up_goes_step_by_step_and_tells_how_long_one_takes(
    engine: Engine,
) -> None:
    warming, num_steps = engine.warm(), 0

    while True:
        try:
            next(warming)
        except StopIteration as stop:
            one_s = stop.value
            break
        num_steps += 1

    # eight sizes, four lengths, a search of many and three of one
    assert num_steps == 16
    assert 0 < one_s < 60
