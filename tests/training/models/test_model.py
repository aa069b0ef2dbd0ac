from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

from nextvec.training.evaluation.baselines import Remembering, WeightedMean
from nextvec.training.models.closed_form import ClosedForm, SequenceMemory
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.head import DeltaHead
from nextvec.training.models.memory import MemoryEncoder
from nextvec.training.models.model import NextVectorModel
from nextvec.training.models.options import Architecture, Reads
from nextvec.training.models.place_head import PlaceHead

ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)
every_architecture = pytest.mark.parametrize(
    ("architecture", "reads"),
    [(name, reads) for name in ARCHITECTURES for reads in get_args(Reads)],
)


def trained_like(
    architecture: Architecture, reads: Reads = "vectors", *, dim: int = 6
) -> NextVectorModel:
    """Make a model whose output layers are no longer zero."""
    torch.manual_seed(0)
    config = ModelConfig(
        dim=dim,
        architecture=architecture,
        reads=reads,
        hidden_size=8,
        num_slots=4,
        num_lags=5,
        base=ClosedForm(
            rates=(1.0, 0.3),
            weights=(0.4, 0.6),
            memory=SequenceMemory(tau=0.5, cap=0.1),
        ),
    )
    model = NextVectorModel(config)
    if isinstance(model.head, PlaceHead):
        model.standardize(contexts(8, 30, dim=dim), torch.full((8,), 30))
        torch.nn.init.normal_(model.head.out.weight, std=0.3)
    if isinstance(model.head, DeltaHead):
        for layer in (model.head.lags, model.head.free):
            torch.nn.init.normal_(layer.weight, std=0.3)
    return model.eval()


def contexts(num: int, length: int, *, dim: int = 6, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(num, length, dim, generator=generator), dim=-1)


@every_architecture
@torch.inference_mode()
def test_an_untrained_model_equals_its_closed_form_base(
    architecture: Architecture, reads: Reads
) -> None:
    mean, memory = WeightedMean((1.0, 0.2), (0.3, 0.7)), SequenceMemory(tau=0.3)
    baseline = Remembering(mean, memory)
    config = ModelConfig(
        dim=6, architecture=architecture, reads=reads, base=baseline.form
    )
    context_BTD, length_B = contexts(3, 100), torch.tensor([100, 41, 1])

    predicted = NextVectorModel(config).eval().predict(context_BTD, length_B)

    base = baseline.predict(context_BTD, length_B)
    torch.testing.assert_close(predicted.vectors, base, atol=2e-7, rtol=0)
    assert predicted.copies is None


@every_architecture
@torch.inference_mode()
def test_a_prediction_sees_nothing_later(
    architecture: Architecture, reads: Reads
) -> None:
    model, context_BTD = trained_like(architecture, reads), contexts(2, 100)
    changed_BTD = context_BTD.clone()
    changed_BTD[:, 37:] = contexts(2, 63, seed=1)

    before, after = model(context_BTD), model(changed_BTD)

    torch.testing.assert_close(before[:, :37], after[:, :37], atol=1e-6, rtol=0)
    assert (before[:, 37] - after[:, 37]).abs().max() > 1e-3


@every_architecture
@settings(max_examples=20, deadline=None)
@given(length=st.integers(1, 100), padding=st.integers(0, 30), filler=st.floats(-9, 9))
@torch.inference_mode()
def test_a_short_context_gives_the_same_however_it_is_padded_or_batched(
    architecture: Architecture, reads: Reads, length: int, padding: int, filler: float
) -> None:
    model, context_BTD = trained_like(architecture, reads), contexts(1, length)
    alone = model.predict(context_BTD, torch.tensor([length]))
    width = length + padding
    batch_BTD = torch.full((3, width, 6), filler)
    batch_BTD[1, :length] = context_BTD[0]

    together = model.predict(batch_BTD, torch.tensor([width, length, 1]))

    torch.testing.assert_close(together.vectors[1], alone.vectors[0], atol=1e-5, rtol=0)


@every_architecture
@torch.inference_mode()
def test_a_forward_pass_leaves_nothing_behind(
    architecture: Architecture, reads: Reads
) -> None:
    model, context_BTD = trained_like(architecture, reads), contexts(2, 30)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    first = model(context_BTD)

    model(contexts(4, 100, seed=2))

    assert torch.equal(first, model(context_BTD))
    assert all(torch.equal(state[n], v) for n, v in model.state_dict().items())


@every_architecture
@torch.inference_mode()
def test_predictions_of_documents_have_unit_length(
    architecture: Architecture, reads: Reads
) -> None:
    predicted = trained_like(architecture, reads)(contexts(2, 23))

    norms = predicted.norm(dim=-1)

    torch.testing.assert_close(norms, torch.ones_like(norms), atol=1e-5, rtol=0)


@every_architecture
def test_every_weight_gets_a_gradient_after_the_first_step(
    architecture: Architecture, reads: Reads
) -> None:
    model = trained_like(architecture, reads).train()
    model(contexts(4, 40)).square().mul(torch.arange(6)).sum().backward()

    without = [n for n, p in model.named_parameters() if not p.grad.abs().sum() > 0]  # type: ignore[union-attr]

    assert without == []


@torch.inference_mode()
def test_the_memory_answers_different_contexts_differently() -> None:
    encoder = trained_like("memory").encoder
    assert isinstance(encoder, MemoryEncoder)

    reads_BTH = encoder.reads(contexts(2, 20))

    assert (reads_BTH[0, -1] - reads_BTH[1, -1]).abs().max() > 1e-3
    assert (reads_BTH[0, 3] - reads_BTH[0, -1]).abs().max() > 1e-3


@torch.inference_mode()
def test_replacing_every_read_by_one_changes_the_features() -> None:
    encoder = trained_like("memory").encoder
    assert isinstance(encoder, MemoryEncoder)
    context_BTD = contexts(2, 20)

    fixed = encoder.forward(context_BTD, torch.zeros(8))

    assert not torch.equal(fixed, encoder(context_BTD))


@torch.inference_mode()
def test_a_chunk_knows_the_chunks_before_it() -> None:
    model = trained_like("hierarchical")
    context_BTD = contexts(1, 30)
    changed_BTD = context_BTD.clone()
    changed_BTD[:, 0] = -changed_BTD[:, 0]

    # far enough back that neither lags nor the base reach it
    difference = (model(context_BTD) - model(changed_BTD))[0, 25].abs().max()

    assert difference > 1e-4


@torch.inference_mode()
def test_without_the_free_part_predictions_stay_in_the_span_of_the_context() -> None:
    model = trained_like("baseline")
    assert isinstance(model.head, DeltaHead)
    model.head.config = replace(model.config, free_scale=0.0)
    context_BTD = contexts(1, 2)

    predicted = model(context_BTD)[0, -1].numpy()

    basis = np.linalg.qr(context_BTD[0].numpy().T)[0]
    np.testing.assert_allclose(basis @ basis.T @ predicted, predicted, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"architecture": "lstm"}, "Input should be 'baseline'", id="name"),
        pytest.param({"dim": 0}, r"dim\s+Input should be greater than 0", id="dim"),
        pytest.param(
            {"dropout": 1.0}, r"dropout\s+Input should be less than 1", id="dropout"
        ),
        pytest.param(
            {"num_lags": 101}, r"num_lags\s+Input should be less than", id="lags"
        ),
        pytest.param(
            {"free_scale": -1.0}, r"free_scale\s+Input should be", id="free scale"
        ),
    ],
)
def test_a_network_that_cannot_be_is_refused(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        ModelConfig(**({"dim": 4} | change))  # type: ignore[arg-type]
