"""Several replicas of a network train as one, whatever the threads do."""

from __future__ import annotations

import pytest
import torch

from trainer.detection.assignment import Truth
from trainer.detection.losses import Losses, detection_loss
from trainer.detection.network import CompactDetector, NetworkConfig
from trainer.detection.pictures import Batch
from trainer.detection.preparation import Preparation
from trainer.training.augment import AugmentationConfig
from trainer.training.replicas import Replicas, replica_count, slices

SMALL = NetworkConfig(2, stem=8, widths=(8, 8, 8, 8), depths=(1, 1, 1, 1), pyramid=8)


def batch(count: int = 8) -> Batch:
    random = torch.Generator().manual_seed(1)
    pictures = torch.randint(0, 256, (count, 3, 64, 64), generator=random, dtype=torch.uint8)
    boxes = torch.tensor([[10.0, 10, 40, 50]]).expand(count, 1, 4)
    truth = Truth(boxes, torch.ones(count, 1, dtype=torch.int64), torch.ones(count, 1).bool())
    return Batch(pictures, truth, tuple(range(count)), (1.0,) * count, ((0, 0, 64, 64),) * count)


def network() -> CompactDetector:
    torch.manual_seed(0)
    return CompactDetector(SMALL).train()


def share_of(whole: Batch, parts: int):  # type: ignore[no-untyped-def]
    places = slices(len(whole.indices), parts)

    def share(replica: CompactDetector, part: int) -> Losses:
        own = whole.part(places[part])
        return detection_loss(replica(own.pictures.float()), own.truth)

    return share


def test_gradients_are_the_mean_of_the_parts_and_do_not_depend_on_the_threads() -> None:
    alone = []
    for part in range(2):
        model = network()
        losses = share_of(batch(), 2)(model, part)
        alone.append(torch.autograd.grad(losses.total, list(model.parameters())))
    for _ in range(3):
        losses, gradients = Replicas(network(), 2).gradients(share_of(batch(), 2))
        for mean, first, second in zip(gradients, *alone, strict=True):
            torch.testing.assert_close(mean, (first + second) / 2)
        assert losses.total.isfinite()


def test_replicas_share_their_weights_and_agree_on_their_statistics() -> None:
    model = network()
    replicas = Replicas(model, 2)
    replicas.gradients(share_of(batch(), 2))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1)
    first, second = replicas.networks
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert one.data_ptr() == other.data_ptr()
    for (name, one), other in zip(first.named_buffers(), second.buffers(), strict=True):
        torch.testing.assert_close(one, other, msg=name)
    before = dict(network().named_buffers())
    assert not torch.equal(
        before["backbone.stem.1.running_mean"], first.state_dict()["backbone.stem.1.running_mean"]
    )


def test_statistics_loaded_from_a_checkpoint_reach_every_replica() -> None:
    model = network()
    replicas = Replicas(model, 3)
    model.backbone.stem[1].running_mean.fill_(7.0)  # type: ignore[union-attr, operator]
    replicas.align()
    assert all(r.state_dict()["backbone.stem.1.running_mean"].eq(7).all() for r in replicas.networks)


@pytest.mark.parametrize(
    ("threads", "size", "count"), [(2, 16, 2), (2, 8, 2), (2, 7, 1), (16, 16, 4), (1, 64, 1), (8, 1, 1)]
)
def test_every_replica_has_four_pictures_at_least(threads: int, size: int, count: int) -> None:
    assert replica_count(threads, size) == count
    assert all(place.stop - place.start >= min(4, size) for place in slices(size, count))


def test_slices_cover_everything_once() -> None:
    assert [list(range(10))[place] for place in slices(10, 3)] == [[0, 1, 2], [3, 4, 5, 6], [7, 8, 9]]


def test_the_changes_of_a_picture_depend_on_seed_step_and_part_alone() -> None:
    prepare = Preparation(5, AugmentationConfig(), mirror=True)
    first, again = prepare.for_training(batch(), 3, 0), prepare.for_training(batch(), 3, 0)
    assert torch.equal(first.pictures, again.pictures)
    for step, part in ((4, 0), (3, 1)):
        assert not torch.equal(first.pictures, prepare.for_training(batch(), step, part).pictures)
    assert not torch.equal(
        first.pictures, Preparation(6, AugmentationConfig(), mirror=True).for_training(batch(), 3, 0).pictures
    )


def test_boxes_move_in_full_precision_under_autocast() -> None:
    prepare = Preparation(5, AugmentationConfig(), mirror=False)
    plain = prepare.for_training(batch(), 3, 0)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = prepare.for_training(batch(), 3, 0)
    assert torch.equal(plain.truth.boxes, mixed.truth.boxes)
    assert torch.equal(plain.pictures, mixed.pictures)


def test_evaluation_pictures_are_unchanged_and_in_the_fast_order() -> None:
    prepared = Preparation(5, AugmentationConfig(), mirror=True).for_evaluation(batch())
    assert torch.equal(prepared.pictures, batch().pictures.float())
    assert prepared.pictures.is_contiguous(memory_format=torch.channels_last)
