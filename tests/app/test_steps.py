"""Steps give way to others."""

import asyncio

import pytest

from nextvec.app.steps import Steps, finish, in_turns


def until(done: list[int]) -> Steps[str]:
    """Go on until somebody else has done something."""
    while not done:
        yield
    return "others had their turn"


def test_in_turns_others_have_theirs() -> None:
    done: list[int] = []

    async def other() -> None:
        await asyncio.sleep(0)
        done.append(1)

    async def main() -> str:
        task = asyncio.create_task(other())
        result = await in_turns(until(done))
        await task
        return result

    assert asyncio.run(main()) == "others had their turn"


def test_what_fails_fails_for_who_waits() -> None:
    def failing() -> Steps[None]:
        yield
        msg = "broken step"
        raise ValueError(msg)

    with pytest.raises(ValueError, match="broken step"):
        asyncio.run(in_turns(failing()))
    with pytest.raises(ValueError, match="broken step"):
        finish(failing())
