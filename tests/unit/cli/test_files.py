"""Plans as files, and what is checked before work begins."""

import json

import pytest

from rpganify.cli.files import check_is_free, read_plan, source_name, write_json
from rpganify.errors import ModelFileError, PlanError
from rpganify.plan import BucketSpec, Plan

PLAN = Plan((BucketSpec("first", ("l1",), 3), BucketSpec("rest", ("l2", "l3"), 2)), ("norm",), "per-block", "jitter")


def test_a_written_plan_reads_back_equal(tmp_path):
    write_json(tmp_path / "new" / "plan.json", PLAN.to_json())
    assert read_plan(tmp_path / "new" / "plan.json") == PLAN
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["plan.json"]


def test_a_missing_plan_is_refused_with_the_way_to_get_one(tmp_path):
    with pytest.raises(PlanError, match=r"plan\.json cannot be read: No such file.*--write-plan FILE writes one"):
        read_plan(tmp_path / "plan.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "is no JSON"), (json.dumps({"buckets": 3}), "This is no plan"), ("[]", "This is no plan")],
)
def test_a_file_that_is_no_plan_is_refused(tmp_path, content, message):
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(PlanError, match=message):
        read_plan(tmp_path / "plan.json")


def test_what_exists_is_replaced_only_by_force(tmp_path):
    check_is_free(tmp_path / "new.rpgan", is_forced=False)
    check_is_free(tmp_path, is_forced=True)
    with pytest.raises(ModelFileError, match=r"exists already\. --force replaces it"):
        check_is_free(tmp_path, is_forced=False)


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("examples/my_gan.py", "my_gan"),
        ("/tmp/a.b/net.v2.py", "net.v2"),
        ("torchgan.models.dcgan", "dcgan"),
        ("sngan32",) * 2,
    ],
)
def test_what_is_made_of_a_source_is_called_like_it(origin, name):
    assert source_name(origin) == name
