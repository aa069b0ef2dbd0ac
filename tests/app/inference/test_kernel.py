import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from nextvec.app.inference.kernel import Kernel, load_kernel
from nextvec.app.inference.recurrence import FusedGRU, packed
from nextvec.training.models.closed_form import ClosedForm, SequenceMemory
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
