import pytest
import torch

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.geometry.controls import shuffled
from rpganify.analysis.geometry.points import Place, choose_points
from rpganify.errors import AnalysisError
from tests.unit.analysis.geometry.models import DIM, converted, standard

CONTEXT = AnalysisContext(seed=4)


def test_of_a_standard_generator_they_are_normal_latents_from_the_seed():
    found = choose_points(standard(), CONTEXT, 5)

    wanted = torch.randn(5, DIM, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(torch.stack([point.position for point in found.points]), wanted)
    assert [point.label for point in found.points] == ["1", "2", "3", "4", "5"]
    assert found.what == "z" and found.where == "5 normal z, from seed 4"
    torch.testing.assert_close(found.distances(), torch.cdist(wanted.double(), wanted.double()), atol=1e-6, rtol=0)


def test_of_a_converted_one_they_are_z_under_different_random_paths_in_order():
    model = converted()

    found = choose_points(model, CONTEXT, 7)

    paths = torch.stack([point.code for point in found.points if point.code is not None])
    assert paths.tolist() == sorted(paths.tolist()) and len(paths.unique(dim=0)) == 7
    for point, path in zip(found.points, paths, strict=True):
        assert torch.equal(point.position, model.Z[0])
        torch.testing.assert_close(point.space.images(point.position[None]), model.images(path[None]))
    wanted = [
        [sum(a != b for a, b in zip(one, other, strict=True)) for other in paths.tolist()] for one in paths.tolist()
    ]
    assert found.distances().tolist() == wanted


def test_of_few_paths_all_are_taken():
    found = choose_points(converted((2, 3)), CONTEXT, 30)

    assert [point.label for point in found.points] == ["0-0", "0-1", "0-2", "1-0", "1-1", "1-2"]


def test_named_paths_are_taken_as_they_are():
    found = choose_points(converted(), AnalysisContext(paths=((2, 1), (0, 3), (2, 1))), 30)

    assert [point.label for point in found.points] == ["2-1", "0-3"]


def test_under_one_path_the_positions_are_z_and_vectors_in_its_place():
    model = converted()

    found = choose_points(model, AnalysisContext(paths=((2, 1),), seed=4), 4)

    assert [point.label for point in found.points] == ["Z", "2", "3", "4"]
    assert torch.equal(found.points[0].position, model.Z[0])
    path = torch.tensor([2, 1])
    for point in found.points:
        wanted = model.images(path[None], z=point.position[None])
        torch.testing.assert_close(point.space.images(point.position[None]), wanted)
    assert "the generator was trained at Z alone" in found.where
    assert float(found.distances()[0, 1]) > 0


def test_a_part_is_held_around_each_position():
    model = standard()

    found = choose_points(model, CONTEXT, 3, Place(part=(1, 4)))

    whole = torch.randn(3, DIM, generator=torch.Generator().manual_seed(4))
    for point, latent in zip(found.points, whole, strict=True):
        assert torch.equal(point.position, latent[[1, 4]])
        torch.testing.assert_close(point.space.images(point.position[None]), model.images(latent[None]))


def test_a_layer_is_met_at_each_position():
    model = standard()

    found = choose_points(model, CONTEXT, 3, Place(layer="first"))

    whole = torch.randn(3, DIM, generator=torch.Generator().manual_seed(4))
    for point, latent in zip(found.points, whole, strict=True):
        torch.testing.assert_close(point.position, model.first(latent[None])[0])


def test_controls_keep_the_positions_and_change_the_images():
    model = standard()
    own, other = choose_points(model, CONTEXT, 2), choose_points(model, CONTEXT, 2, control=shuffled(model, 0))

    for one, two in zip(own.points, other.points, strict=True):
        assert torch.equal(one.position, two.position)
        assert not torch.allclose(one.space.images(one.position[None]), two.space.images(two.position[None]))


def test_an_unknown_layer_is_refused():
    with pytest.raises(AnalysisError, match="no layer 'third'"):
        choose_points(standard(), CONTEXT, 3, Place(layer="third"))
