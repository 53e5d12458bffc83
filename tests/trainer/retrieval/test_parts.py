"""The parts of the embedder's training that need no training."""

from __future__ import annotations

from collections import Counter

import torch

from trainer.labelled.network import PooledConfig
from trainer.retrieval.evaluation import Embedded, figures
from trainer.retrieval.network import CompactEmbedder
from trainer.retrieval.sampler import PKSampler
from trainer.training.budget import Budget

LABELS = [0] * 9 + [1] * 3 + [2] * 20 + [3]


def sampler(p: int = 3, k: int = 4, seed: int = 7) -> PKSampler:
    return PKSampler(LABELS, p, k, seed, Budget(100), 0.1)


def test_a_batch_has_p_classes_with_k_pictures_each() -> None:
    for step in range(20):
        batch = sampler().batch(step)
        counts = Counter(LABELS[place] for place in batch)
        assert len(counts) == 3
        assert set(counts.values()) == {4}
        for label, members in ((0, 9), (2, 20)):
            chosen = [place for place in batch if LABELS[place] == label]
            assert len(set(chosen)) == len(chosen) <= members


def test_every_part_of_a_batch_has_every_class() -> None:
    """Replicas share a batch, and a class must not be alone in a part."""
    labels = [LABELS[place] for place in sampler().batch(3)]
    for part in (labels[:6], labels[6:]):
        assert set(Counter(part).values()) == {2}


def test_more_classes_than_there_are_means_all() -> None:
    assert sampler(p=50).batch_size == 4 * 4


def test_a_step_has_the_same_pictures_whoever_asks() -> None:
    assert [sampler().batch(step) for step in (5, 2)] == [sampler().batch(step) for step in (2, 5)][::-1]
    assert sampler().batch(1) != sampler(seed=8).batch(1)


def at(*degrees: float) -> torch.Tensor:
    angles = torch.deg2rad(torch.tensor(degrees))
    return torch.stack((angles.cos(), angles.sin()), 1)


def test_figures_by_hand() -> None:
    """Two queries on a circle: one finds its class at once, one at rank two and by the vote of three."""
    index = Embedded(at(0, 5, 40, 48, 52), torch.tensor([0, 0, 0, 1, 1]))
    queries = Embedded(at(2, 43.9), torch.tensor([0, 1]))
    found = figures(queries, index, (1, 2, 3, 30), classes=3).metrics
    assert [found[f"rank_rate_{k}"] for k in (1, 2, 3, 30)] == [0.5, 1.0, 1.0, 1.0]
    assert [found[f"top_{k}_acc"] for k in (1, 2, 3)] == [0.5, 0.5, 1.0]
    assert found["mean_dist_pos"] < found["mean_dist_neg"]


def test_the_first_rank_is_always_measured_and_absent_classes_are_no_trouble() -> None:
    """Early stopping watches ``top_1_acc``; a class that is not in the index is found never."""
    index = Embedded(at(0, 90), torch.tensor([0, 1]))
    found = figures(Embedded(at(1), torch.tensor([2])), index, (5,), classes=3)
    assert found.metrics["top_1_acc"] == 0
    assert "mean_dist_pos" not in found.metrics
    assert found.confusion.tolist() == [[0, 0, 0], [0, 0, 0], [1, 0, 0]]


def test_many_queries_are_searched_in_parts() -> None:
    random = torch.Generator().manual_seed(1)
    vectors = torch.nn.functional.normalize(torch.randn((600, 4), generator=random))
    labels = torch.arange(600) % 5
    found = figures(Embedded(vectors, labels), Embedded(vectors, labels), (1,), classes=5)
    assert found.metrics["top_1_acc"] == 1


def test_embeddings_have_length_one() -> None:
    network = CompactEmbedder(PooledConfig.fitting(16, (32, 32), (20,))).eval()
    vectors = network(torch.rand(3, 3, 32, 32) * 255).detach()
    assert vectors.shape == (3, 16)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))


def test_a_frozen_backbone_keeps_weights_and_statistics() -> None:
    network = CompactEmbedder(PooledConfig(4), frozen=True).train()
    before = {name: value.clone() for name, value in network.backbone.state_dict().items()}
    network(torch.rand(4, 3, 32, 32) * 255).sum().backward()
    assert all(parameter.grad is None for parameter in network.backbone.parameters())
    after = network.backbone.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
