import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from nextvec.app.inference.kernel import Kernel, load_kernel
from nextvec.app.inference.recurrence import FusedGRU, FusedMemory, packed
from nextvec.training.models.closed_form import ClosedForm, SequenceMemory
from nextvec.training.models.memory import OwnMemory
from nextvec.training.models.similarities import describe
from tests.app.inference.gru_in_torch import layer_in_torch


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the kernel is kept, empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "nextvec"


def load_anew() -> Kernel | None:
    """Load it as if for the first time in this process."""
    return load_kernel.__wrapped__()


def compiled() -> Kernel:
    """Return the kernel; the machines that test it have a compiler."""
    kernel = load_kernel()
    assert kernel is not None
    return kernel


def some_gru(num_inputs: int, size: int, *, num_layers: int = 1) -> torch.nn.GRU:
    torch.manual_seed(0)
    return torch.nn.GRU(num_inputs, size, num_layers, batch_first=True).eval()


@pytest.mark.parametrize(
    ("num_inputs", "size", "num_layers"), [(5, 8, 1), (30, 20, 2), (96, 33, 1)]
)
@pytest.mark.parametrize(("contexts", "length"), [(1, 1), (1, 25), (3, 9), (11, 20)])
@torch.inference_mode()
def test_in_float32_it_is_the_gru_of_torch(
    num_inputs: int,
    size: int,
    num_layers: int,
    contexts: int,
    length: int,
) -> None:
    gru = some_gru(num_inputs, size, num_layers=num_layers)
    read_BTI = 3 * torch.randn(contexts, length, num_inputs)

    found_BTH, _ = FusedGRU(gru, kernel=compiled(), is_int8=False)(read_BTI)

    expected_BTH, _ = gru(read_BTI)
    torch.testing.assert_close(found_BTH, expected_BTH, atol=2e-6, rtol=0)


@pytest.mark.parametrize("num_inputs", [5, 96])
@torch.inference_mode()
def test_in_int8_it_is_near_and_the_kernel_does_as_torch_does(num_inputs: int) -> None:
    gru, read_BTI = some_gru(num_inputs, 24), torch.randn(6, 30, num_inputs)
    read_BTI[0, 3] = 0.0

    # figures, few and of different sizes, stay float32
    slow_BTH = layer_in_torch(gru, read_BTI, 0, coded=(num_inputs >= 64, True))
    fast_BTH, _ = FusedGRU(gru, kernel=compiled(), is_int8=True)(read_BTI)

    # a code on the other side of a rounding is worth 1/127 of one weight
    torch.testing.assert_close(fast_BTH, slow_BTH, atol=5e-3, rtol=0)
    expected_BTH, _ = gru(read_BTI)
    torch.testing.assert_close(slow_BTH, expected_BTH, atol=5e-2, rtol=0)
    assert (slow_BTH - expected_BTH).abs().max() > 1e-4


def test_codes_are_the_nearest_of_255_steps() -> None:
    weight_NK = np.array([[1.27, -0.5, 0.004], [0.0, 0.0, 0.0]], np.float32)

    matrix = packed(weight_NK, np.array([0.5, -1.0], np.float32), is_int8=True)

    codes, bias, scale, sums = matrix.arrays
    # in panels of 16 outputs and fours of inputs; 0.004 of steps of 0.01 is none
    assert codes.reshape(-1, 16, 4)[0, :3].tolist() == [
        [127, -50, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ]
    assert bias[:2].tolist() == [0.5, -1.0]
    assert scale[:2].tolist() == pytest.approx([0.01, 1.0])
    assert sums[:2].tolist() == [77, 0]


@pytest.mark.parametrize("is_int8", [False, True])
@torch.inference_mode()
def test_a_sequence_gives_to_the_bit_what_it_gives_among_others(
    is_int8: bool,
) -> None:
    # more than are taken together, and a last group of fewer
    gru, read_BTI = some_gru(70, 40), torch.randn(29, 25, 70)
    fused = FusedGRU(gru, kernel=compiled(), is_int8=is_int8)

    together_BTH = fused(read_BTI)[0]

    for one in range(29):
        assert torch.equal(fused(read_BTI[one : one + 1])[0][0], together_BTH[one])


@pytest.mark.parametrize("is_int8", [False, True])
@torch.inference_mode()
def test_layers_go_on_from_the_states_they_end_in(is_int8: bool) -> None:
    gru, read_BTI = some_gru(70, 40, num_layers=2), torch.randn(18, 20, 70)
    fused = FusedGRU(gru, kernel=compiled(), is_int8=is_int8)

    first_BTH, last_LBH = fused(read_BTI[:, :13])
    before_LBH = last_LBH.clone()
    then_BTH, end_LBH = fused(read_BTI[:, 13:], last_LBH)

    whole_BTH, whole_LBH = fused(read_BTI)
    assert torch.equal(torch.cat([first_BTH, then_BTH], dim=1), whole_BTH)
    assert torch.equal(end_LBH, whole_LBH)
    assert torch.equal(last_LBH, before_LBH)


@torch.inference_mode()
def test_what_is_read_may_be_scaled() -> None:
    gru, read_BTI = some_gru(12, 8, num_layers=2), torch.randn(2, 5, 12)

    found_BTH, last_LBH = FusedGRU(gru, kernel=compiled(), is_int8=False, scale=4.0)(
        read_BTI
    )

    expected_BTH, expected_LBH = gru(4 * read_BTI)
    torch.testing.assert_close(found_BTH, expected_BTH, atol=2e-6, rtol=0)
    torch.testing.assert_close(last_LBH, expected_LBH, atol=2e-6, rtol=0)


def some_memory(size: int, num_inputs: int) -> OwnMemory:
    torch.manual_seed(3)
    memory = OwnMemory(size, num_inputs).eval()
    with torch.no_grad():
        # so that scores tell places apart
        memory.query.weight.mul_(6)
        memory.key.weight.mul_(6)
    return memory


@pytest.mark.parametrize(("size", "num_inputs"), [(8, 5), (40, 70)])
@pytest.mark.parametrize(("contexts", "length"), [(1, 1), (3, 2), (2, 33), (5, 100)])
@torch.inference_mode()
def test_in_float32_its_memory_is_that_of_torch(
    size: int, num_inputs: int, contexts: int, length: int
) -> None:
    memory = some_memory(size, num_inputs)
    states_BTH = torch.rand(contexts, length, size) * 2 - 1
    read_BTI = torch.randn(contexts, length, num_inputs)

    fused = FusedMemory(memory, kernel=compiled(), is_int8=False, scale=2.0)

    expected_BTF = memory.beside(states_BTH, 2 * read_BTI)
    found_BTF = fused.beside(states_BTH, read_BTI)
    torch.testing.assert_close(found_BTF, expected_BTF, atol=2e-5, rtol=0)
    asked_BTH = fused.asked(states_BTH)
    torch.testing.assert_close(
        asked_BTH, memory.asked(states_BTH), atol=2e-5, rtol=1e-5
    )
    value_BTH = memory.value(2 * read_BTI)
    torch.testing.assert_close(fused.value(read_BTI), value_BTH, atol=2e-5, rtol=0)


@pytest.mark.parametrize("is_int8", [False, True])
@torch.inference_mode()
def test_a_memory_answers_to_the_bit_what_it_answers_among_others(
    is_int8: bool,
) -> None:
    states_BTH, read_BTI = torch.rand(4, 50, 70) - 0.5, torch.randn(4, 50, 90)
    fused = FusedMemory(some_memory(70, 90), kernel=compiled(), is_int8=is_int8)

    together_BTF = fused.beside(states_BTH, read_BTI)

    for one in range(4):
        alone_BTF = fused.beside(states_BTH[[one], :21], read_BTI[[one], :21])
        assert torch.equal(alone_BTF[0], together_BTF[one, :21])


@torch.inference_mode()
def test_a_memory_in_int8_is_near_and_not_the_same() -> None:
    memory = some_memory(70, 90)
    states_BTH, read_BTI = torch.rand(4, 50, 70) - 0.5, torch.randn(4, 50, 90)

    fused = FusedMemory(memory, kernel=compiled(), is_int8=True)

    found_BTF = fused.beside(states_BTH, read_BTI)
    expected_BTF = memory.beside(states_BTH, read_BTI)
    torch.testing.assert_close(found_BTF, expected_BTF, atol=3e-2, rtol=0)
    assert not torch.equal(found_BTF, expected_BTF)


@torch.inference_mode()
def test_states_that_leap_stay_finite() -> None:
    gru = some_gru(4, 8)
    for parameter in gru.parameters():
        parameter.mul_(1000)

    states_BTH, _ = FusedGRU(gru, kernel=compiled(), is_int8=False)(
        torch.randn(2, 30, 4)
    )

    assert torch.isfinite(states_BTH).all()
    assert states_BTH.abs().max() <= 1.0 + 1e-6


@torch.inference_mode()
def test_the_judge_in_float32_is_the_gru_of_torch() -> None:
    gru, read_BTI = some_gru(6, 9), torch.randn(2, 5, 6)

    states_BTH = layer_in_torch(gru, read_BTI, 0, coded=(False, False))

    torch.testing.assert_close(states_BTH, gru(read_BTI)[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("width", [1, 2, 3, 40, 100])
@pytest.mark.parametrize("memory", [None, SequenceMemory(rate=1.0)])
@torch.inference_mode()
def test_it_describes_contexts_as_torch_does(
    width: int, memory: SequenceMemory | None
) -> None:
    base, kernel = ClosedForm(memory=memory), load_kernel()
    assert kernel is not None
    generator = torch.Generator().manual_seed(2)
    context_BTD = normalize(torch.randn(4, width, 12, generator=generator), dim=-1)
    # a vector that comes again, and padding that is no unit vector
    context_BTD[:, width // 2] = context_BTD[:, 0]
    length_B = torch.tensor([width, 1, max(1, width // 2), max(1, width - 1)])
    context_BTD[2, length_B[2] :] = 7.0

    found = kernel.describe(base, context_BTD, length_B)

    expected = describe(base, context_BTD, length_B)
    torch.testing.assert_close(found.figures, expected.figures, atol=2e-5, rtol=0)
    torch.testing.assert_close(found.base, expected.base, atol=2e-5, rtol=0)


def test_it_is_compiled_once(cache: Path) -> None:
    assert load_anew() is not None
    (path,) = cache.iterdir()
    made = path.stat().st_mtime_ns

    assert load_anew() is not None

    (again,) = cache.iterdir()
    assert (again, again.stat().st_mtime_ns) == (path, made)


def test_without_a_compiler_there_is_none_and_that_is_said(
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with caplog.at_level(logging.WARNING):
        assert load_anew() is None

    assert "no C compiler" in caplog.text
    assert not cache.exists()


def test_a_compiler_that_fails_is_none(
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    compiler = tmp_path / "bin" / "cc"
    compiler.parent.mkdir()
    compiler.write_text("#!/bin/sh\necho no such thing >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", str(compiler.parent))

    with caplog.at_level(logging.WARNING):
        assert load_anew() is None

    assert "cannot be compiled" in caplog.text
    assert "no such thing" in vars(caplog.records[-1])["reason"]
    assert list(cache.iterdir()) == []
