from dataclasses import replace

import pytest
import torch

from benchmarks.ablation.figures import mean_pairwise_cosine, memory_figures
from benchmarks.ablation.networks import BatchMeanMemory, LearnedSlots, OriginalGRU
from benchmarks.ablation.variants import VARIANTS, StudyConfig, Variant

CONFIG = StudyConfig(hidden_size=6, num_layers=2, num_slots=16)
PLAIN = Variant(name="plain", about="nothing")


def network(variant: Variant, *, dim: int = 8) -> OriginalGRU:
    torch.manual_seed(0)
    return OriginalGRU(dim, variant, CONFIG)


def contexts(number: int = 3, *, seed: int = 1, dim: int = 8) -> torch.Tensor:
    drawn = torch.randn(number, 10, dim, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(drawn, dim=-1)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_every_variant_predicts_unit_vectors(variant: Variant) -> None:
    answer = network(variant)(contexts())

    assert answer.prediction.shape == answer.change.shape == (3, 8)
    torch.testing.assert_close(answer.prediction.norm(dim=-1), torch.ones(3))


def test_a_unit_change_has_length_one_and_the_prediction_is_the_bisector() -> None:
    context = contexts()

    answer = network(PLAIN)(context)

    last, change = context[:, -1], answer.change
    torch.testing.assert_close(change.norm(dim=-1), torch.ones(3))
    torch.testing.assert_close(
        (answer.prediction * last).sum(-1), (answer.prediction * change).sum(-1)
    )


def test_a_free_change_keeps_its_length() -> None:
    answer = network(replace(PLAIN, output="free change"))(contexts())

    assert (answer.change.norm(dim=-1) - 1).abs().min() > 1e-3


def test_a_vector_is_predicted_whatever_the_last_one_is() -> None:
    context = contexts()

    answer = network(replace(PLAIN, output="vector"))(context)

    torch.testing.assert_close(answer.prediction - context[:, -1], answer.change)


def test_the_shortcut_takes_the_last_vector_to_the_output() -> None:
    one = network(replace(PLAIN, has_shortcut=True))

    assert one.shortcut is not None
    assert network(PLAIN).shortcut is None


def test_a_memory_of_batch_means_collapses_to_one_vector() -> None:
    torch.manual_seed(0)
    memory = BatchMeanMemory(16, 6, 8)
    before = mean_pairwise_cosine(memory.contents())

    for _ in range(120):
        memory.write(torch.randn(4, 6), torch.randn(4, 8) + 1)

    assert abs(before) < 0.2
    assert mean_pairwise_cosine(memory.contents()) > 0.99
    weights = memory.attention(torch.randn(5, 6))
    torch.testing.assert_close(weights, torch.full((5, 16), 1 / 16), atol=0.005, rtol=0)


def test_it_is_written_in_training_only() -> None:
    memory = BatchMeanMemory(4, 6, 8).eval()
    before = memory.contents().clone()

    memory.write(torch.randn(2, 6), torch.randn(2, 8))

    torch.testing.assert_close(memory.contents(), before, atol=0, rtol=0)


def test_learned_slots_stay_what_gradients_made_them() -> None:
    torch.manual_seed(0)
    memory = LearnedSlots(16, 6)
    before = memory.contents().detach().clone()

    for _ in range(120):
        memory.write(torch.randn(4, 6), torch.randn(4, 6) + 1)

    torch.testing.assert_close(memory.contents().detach(), before, atol=0, rtol=0)
    assert mean_pairwise_cosine(memory.contents().detach()) < 0.5


def test_what_is_shown_of_learned_slots_is_what_they_read_with() -> None:
    torch.manual_seed(0)
    memory, state = LearnedSlots(16, 6), torch.randn(5, 6)

    read = memory.attention(state) @ memory.contents()

    torch.testing.assert_close(read, memory(state))


def test_the_state_of_a_written_memory_leaks_from_batch_to_batch() -> None:
    leaky = network(replace(PLAIN, memory="batch mean"))
    sound = network(replace(PLAIN, memory="slots"))

    found = [
        memory_figures(one, contexts(), contexts(seed=2)) for one in (leaky, sound)
    ]

    assert found[0] is not None
    assert found[1] is not None
    assert found[0].pass_difference > 0
    assert found[1].pass_difference == 0
    assert memory_figures(network(PLAIN), contexts(), contexts()) is None


def test_measuring_a_memory_leaves_it_as_it_was() -> None:
    one = network(replace(PLAIN, memory="batch mean")).train()
    assert one.memory is not None
    before = one.memory.contents().clone()

    memory_figures(one, contexts(), contexts(seed=2))

    torch.testing.assert_close(one.memory.contents(), before, atol=0, rtol=0)
    assert one.training
