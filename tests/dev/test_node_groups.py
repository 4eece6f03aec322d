"""The control groups of a node, in folders that look like the kernel's."""

from __future__ import annotations

import pytest

from dev.cluster.cluster import ClusterError
from dev.cluster.node.groups import Groups


def test_version_1_has_a_tree_in_each_hierarchy_and_none_in_the_one_of_version_2_beside(tmp_path):
    for name in ("cpu", "memory", "unified"):
        (tmp_path / name).mkdir()
    groups = Groups("ours", tmp_path)
    groups.make()
    groups.make()
    assert sorted(str(one.relative_to(tmp_path)) for one in tmp_path.rglob("ours")) == [
        "cpu/ours",
        "memory/ours",
    ]
    for name in ("cpu", "memory", "unified"):  # where runc makes them all the same
        (tmp_path / name / "ours" / "pods" / "pod1").mkdir(parents=True)
    groups.remove()
    assert not list(tmp_path.rglob("ours"))


@pytest.mark.parametrize(
    ("counted", "last"), [("cpu memory cpuset", "+pids"), ("cpu memory pids", "+cpuset")]
)
def test_version_2_counts_what_the_kubelet_wants_counted(tmp_path, counted, last):
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids rdma\n")
    control = tmp_path / "cgroup.subtree_control"
    control.write_text(f"{counted}\n")
    Groups("ours", tmp_path).make()
    assert control.read_text() == last  # a file keeps what was written last; the kernel adds each
    assert (tmp_path / "ours").is_dir()


def test_what_is_no_folder_for_groups_is_said(tmp_path):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "ours").write_text("a file")
    with pytest.raises(ClusterError, match="no control groups can be made"):
        Groups("ours", tmp_path).make()
