import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from nextvec.app.bundle.engine_names import EAGER, ENGINES, FUSED, INT8
from nextvec.app.inference.predictors import engines_for, make_predictor
from nextvec.training.errors import BundleError
from nextvec.training.models.closed_form import ClosedForm, SequenceMemory
from nextvec.training.models.config import ModelConfig
from nextvec.training.models.model import NextVectorModel
from nextvec.training.models.options import Architecture, Reads

DIM = 70

every_network = pytest.mark.parametrize(
    ("architecture", "num_items"),
    [
        pytest.param(architecture, num_items, id=f"{architecture}-{kind}")
        for architecture in ("baseline", "memory", "hierarchical", "slots")
        for kind, num_items in (("documents", 0), ("items", 50))
    ],
)


def trained_like(
    architecture: Architecture,
    num_items: int,
    *,
    num_layers: int = 1,
    reads: Reads = "similarities",
) -> NextVectorModel:
    torch.manual_seed(0)
    config = ModelConfig(
        architecture=architecture,
        dim=DIM,
        hidden_size=24,
        num_slots=4,
        num_layers=num_layers,
        reads=reads,
        num_items=num_items,
        can_copy=num_items > 0,
        base=ClosedForm(memory=SequenceMemory()),
    )
    model = NextVectorModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.15 * torch.randn(parameter.shape))
    return model


def contexts(num: int, length: int) -> tuple[Tensor, Tensor]:
    """Items that return, contexts of several lengths, padded as the engine does."""
    generator = torch.Generator().manual_seed(1)
    table_ND = normalize(torch.randn(30, DIM, generator=generator), dim=-1)
    context_BTD = table_ND[torch.randint(30, (num, length), generator=generator)]
    length_B = 1 + torch.arange(num) * 7 % length
    length_B[0] = length
    return context_BTD * (torch.arange(length) < length_B[:, None])[..., None], length_B


@every_network
def test_in_float32_the_fused_network_is_the_network(
    architecture: Architecture, num_items: int
) -> None:
    model = trained_like(architecture, num_items, num_layers=2)
    asked = contexts(9, 25)

    found = make_predictor(model, FUSED)(*asked)

    expected = make_predictor(model, EAGER)(*asked)
    torch.testing.assert_close(found.vectors, expected.vectors, atol=1e-5, rtol=0)
    if expected.copies is not None:
        torch.testing.assert_close(found.copies, expected.copies, atol=2e-5, rtol=0)


@every_network
def test_in_int8_it_is_near_the_network_and_not_the_same(
    architecture: Architecture, num_items: int
) -> None:
    model = trained_like(architecture, num_items)
    asked = contexts(9, 25)

    found = make_predictor(model, INT8)(*asked)

    expected = make_predictor(model, EAGER)(*asked)
    assert cosine_similarity(found.vectors, expected.vectors).min() > 0.999
    assert not torch.equal(found.vectors, expected.vectors)
    if found.copies is not None and expected.copies is not None:
        assert (found.copies - expected.copies).abs().max() < 0.1


@every_network
@pytest.mark.parametrize("engine", [FUSED, INT8])
def test_padding_and_neighbors_change_nothing(
    architecture: Architecture, num_items: int, engine: str
) -> None:
    predictor = make_predictor(trained_like(architecture, num_items), engine)
    context_BTD, length_B = contexts(4, 50)

    together = predictor(context_BTD, length_B)

    for one, length in enumerate(length_B.tolist()):
        alone = predictor(context_BTD[one : one + 1, :length], torch.tensor([length]))
        # of int8 a code may fall on the other side
        tolerance = 1e-5 if engine == FUSED else 5e-3
        torch.testing.assert_close(
            alone.vectors[0], together.vectors[one], atol=tolerance, rtol=0
        )


@pytest.mark.parametrize("architecture", ["baseline", "memory", "hierarchical"])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("num_items", [0, 50])
def test_steps_are_run_by_what_runs_whole_contexts(
    architecture: Architecture, engine: str, num_items: int
) -> None:
    predictor = make_predictor(
        trained_like(architecture, num_items, reads="vectors", num_layers=2), engine
    )
    context_BTD, length_B = contexts(18, 30)[0], torch.full((18,), 30)
    # whose first vector is not padding
    context_BTD[1:] = context_BTD[:1].roll(1, dims=1) + 0.1 * torch.randn(17, 30, DIM)
    context_BTD = normalize(context_BTD, dim=-1)
    stepping = predictor.stepping
    assert stepping is not None

    states = [stepping.start() for _ in context_BTD]
    for end in (13, 14, 29, 30):
        grown = list(context_BTD[:, :end])
        states, found = stepping.step(states, grown)

    expected = predictor(context_BTD, length_B)
    torch.testing.assert_close(found.vectors, expected.vectors, atol=2e-5, rtol=1e-5)
    if expected.copies is not None:
        torch.testing.assert_close(found.copies, expected.copies, atol=1e-4, rtol=0)


def test_the_network_itself_stays_as_it_was() -> None:
    model, asked = trained_like("memory", 0), contexts(3, 20)
    before = make_predictor(model, EAGER)(*asked)
    names = [name for name, _ in model.named_modules()]

    for engine in ENGINES:
        make_predictor(model, engine)(*asked)

    assert [name for name, _ in model.named_modules()] == names
    assert torch.equal(make_predictor(model, EAGER)(*asked).vectors, before.vectors)


def test_a_predictor_says_what_it_is() -> None:
    model = trained_like("baseline", 0)

    assert make_predictor(model, EAGER).name == "eager"
    assert make_predictor(model, INT8).name == "int8"


@pytest.mark.parametrize("engine", [FUSED, INT8])
def test_without_a_compiler_the_network_runs_as_it_was_trained(engine: str) -> None:
    model, asked = trained_like("memory", 50), contexts(3, 20)

    predictor = make_predictor(model, engine, load=lambda: None)

    assert predictor.name == f"eager: {engine} wants a C compiler"
    expected = make_predictor(model, EAGER)(*asked)
    assert torch.equal(predictor(*asked).vectors, expected.vectors)


def test_what_has_no_recurrence_runs_as_it_was_trained() -> None:
    untrained = trained_like("memory", 0)
    untrained.is_run = False

    for model in (trained_like("linear", 0), untrained):
        assert engines_for(model) == (EAGER,)
        assert make_predictor(model, INT8).name == "eager"


def test_an_engine_of_another_version_is_named() -> None:
    with pytest.raises(BundleError, match="out of eager, fused, int8, got 'warp'"):
        make_predictor(trained_like("baseline", 0), "warp")
