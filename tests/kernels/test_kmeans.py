from __future__ import annotations

import pytest
import torch
from agentmem.kernels import reference
from agentmem.kernels.check import KernelDtypeError, KernelShapeError
from agentmem.kernels.kmeans import kmeans, kmeans_assign, kmeans_update
from agentmem.kernels.launch import recording
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=10)
@given(
    points=st.integers(1, 200),
    clusters=st.integers(1, 150),
    dim=st.sampled_from([3, 64, 130]),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
    seed=st.integers(0, 2**31),
)
def test_every_point_goes_to_a_nearest_centroid(
    points: int, clusters: int, dim: int, dtype: torch.dtype, seed: int
) -> None:
    torch.manual_seed(seed)
    x, c = torch.randn(points, dim).to(dtype), torch.randn(clusters, dim).to(dtype)

    got = kmeans_assign(x, c)

    every = torch.cdist(x.double(), c.double()).square()
    assert torch.allclose(
        every.gather(1, got.ids.long()[:, None])[:, 0], every.amin(dim=1), rtol=1e-4, atol=1e-3
    )
    assert torch.allclose(got.distance.double(), every.amin(dim=1), rtol=1e-4, atol=1e-3)


def test_equally_near_centroids_lose_to_the_lowest_across_tiles() -> None:
    # small integers: no product rounds, so that ties are ties
    got = kmeans_assign(torch.randint(-9, 9, (40, 16)).float(), torch.ones(150, 16))

    assert (got.ids == 0).all()


def test_point_of_nans_goes_to_the_first_centroid_at_no_distance() -> None:
    x = torch.randn(5, 16)
    x[2] = torch.nan

    got = kmeans_assign(x, torch.randn(3, 16) + 100)

    assert int(got.ids[2]) == 0
    assert got.distance.isnan().tolist() == [False, False, True, False, False]


def test_update_gives_the_same_bits_on_every_run_and_leaves_empty_centroids() -> None:
    x, old = torch.randn(600, 48), torch.randn(3, 48)
    ids = (torch.arange(600) % 2).to(torch.int32)

    first, second = kmeans_update(x, ids, old), kmeans_update(x, ids, old)

    assert torch.equal(first, second)
    assert torch.equal(first[2], old[2])
    assert torch.allclose(first[0], x[::2].double().mean(dim=0).float(), atol=1e-6)


def test_spread_never_grows_and_clusters_are_found() -> None:
    centres = torch.randn(3, 8) * 10
    x = (centres[torch.arange(90) % 3] + torch.randn(90, 8)).contiguous()

    spreads = [float(kmeans(x, x[[0, 3, 2]], iterations=n).distance.sum()) for n in range(1, 5)]

    assert spreads == sorted(spreads, reverse=True)
    assert torch.equal(kmeans(x, x[:3], iterations=2).ids.long(), torch.arange(90) % 3)


def test_no_iteration_only_assigns() -> None:
    x = torch.randn(20, 8)

    got, want = kmeans(x, x[:4], iterations=0), reference.kmeans(x, x[:4], iterations=0)

    assert torch.equal(got.centroids, x[:4])
    assert torch.equal(got.ids, want.ids)


def test_nothing_is_compiled_anew_for_another_number_of_points_or_centroids() -> None:
    """Sizes are neither constants of the kernel nor special cases of it."""

    def constants(points: int, clusters: int) -> list[object]:
        with recording() as launches:
            x, c = torch.empty(points, 64, device="meta"), torch.empty(clusters, 64, device="meta")
            kmeans_assign(x, c)
            kmeans_update(x, torch.empty(points, dtype=torch.int32, device="meta"), c)
        return [
            (launch.kernel.name, dict(launch.constants), [type(a).__name__ for a in launch.args])
            for launch in launches
        ]

    assert constants(1000, 100) == constants(999, 1) == constants(1, 16)


def test_wrong_operands_are_refused() -> None:
    with pytest.raises(KernelDtypeError, match="centroids is float32, must be bfloat16"):
        kmeans_assign(torch.randn(4, 8).bfloat16(), torch.randn(2, 8))
    with pytest.raises(KernelShapeError, match=r"centroids has shape \[2, 9\], must be \[any, 8\]"):
        kmeans_assign(torch.randn(4, 8), torch.randn(2, 9))
    with pytest.raises(KernelShapeError, match="0 points and 2 centroids"):
        kmeans_assign(torch.randn(0, 8), torch.randn(2, 8))
    with pytest.raises(KernelDtypeError, match="ids is int64, must be int32"):
        kmeans_update(torch.randn(4, 8), torch.zeros(4, dtype=torch.int64), torch.randn(2, 8))
