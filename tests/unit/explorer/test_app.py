"""The explorer over a real socket."""

import io
import json
import urllib.parse

import numpy as np
import pytest
import torch
from PIL import Image

from rpganify.analysis.generation import to_uint8
from rpganify.explorer.conditions import Field
from tests.unit.explorer.conftest import served

LABEL, STRENGTH = Field("label", torch.tensor(0), num_values=4), Field("strength", torch.tensor(1.0))


def pixels(body):
    with Image.open(io.BytesIO(body)) as picture:
        return np.asarray(picture)


def test_the_model_is_described(site, pictures):
    status, headers, body = site.ask("api/model")
    told = json.loads(body)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert [(b["name"], b["numBlocks"], b["numParameters"]) for b in told["buckets"]] == [
        ("first", 4, 48),
        ("second", 1, 72),
        ("last", 70, 648),
    ]
    assert told["cardinality"] == "280"
    assert told["image"] == told["tile"] == {"height": 6, "width": 4}
    assert told["command"] == ["rpganify", "sample", "m.rpgan", "--raw"]
    assert told["told"] == "the weights of step 7"
    assert told["generator"] == "Pictures" and told["imageShape"] == [3, 6, 4]
    assert pictures.paths.check(torch.tensor([told["start"]])).tolist() == [told["start"]]


def test_an_image_is_what_the_model_makes_of_the_path(site, pictures):
    status, headers, body = site.ask("api/image?path=3-0-41")
    assert (status, headers["content-type"]) == (200, "image/png")
    with torch.no_grad():
        expected = to_uint8(pictures.images(torch.tensor([[3, 0, 41]])))[0]
    np.testing.assert_array_equal(pixels(body), expected.permute(1, 2, 0).numpy())


def test_blocks_of_a_bucket_come_side_by_side_and_hold_the_image(site):
    _, _, strip = site.ask("api/blocks?path=3-0-41&bucket=2&first=40&count=3")
    _, _, image = site.ask("api/image?path=3-0-41")
    assert pixels(strip).shape == (6, 12, 3)
    np.testing.assert_array_equal(pixels(strip)[:, 4:8], pixels(image))


def test_a_walk_lists_its_steps(site):
    _, _, body = site.ask("api/walk?start=0-0-1&end=3-0-2&order=backward")
    assert json.loads(body) == [
        {"path": [0, 0, 1], "bucket": None, "block": None},
        {"path": [0, 0, 2], "bucket": 2, "block": 1},
        {"path": [3, 0, 2], "bucket": 0, "block": 0},
    ]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("api/image?path=3-0-70", "Bucket 3 (last) has blocks 0 to 69; there is no block 70."),
        ("api/image?path=one", "'one' is no path of this model: it has 3 buckets"),
        ("api/image", "The query has 0 values for 'path'"),
        ("api/image?path=0-0-0&condition=label=3", "no further input 'label'; it has none"),
        ("api/blocks?path=0-0-0&bucket=3&first=0&count=1", "There is no bucket 4"),
        ("api/blocks?path=0-0-0&bucket=0&first=0&count=9", "has blocks 0 to 3, and at most 64 are drawn at once"),
        ("api/blocks?path=0-0-0&bucket=0&first=0&count=-1", "count='-1' is no whole number"),
        ("api/walk?start=0-0-0&end=0-0", "'0-0' is no path of this model"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_sentence(site, place, message):
    status, _, body = site.ask(place)
    assert status == 400
    assert message in json.loads(body)["error"]


def test_further_inputs_come_with_each_request(labelled):
    with served(labelled, (LABEL, STRENGTH)) as site:
        asked = urllib.parse.urlencode({"condition": ["label=3", "strength=0.25"]}, doseq=True)
        _, _, body = site.ask(f"api/image?path=1-0-5&{asked}")
        with torch.no_grad():
            one = labelled.images(torch.tensor([[1, 0, 5]]), label=torch.tensor([3]), strength=torch.tensor([0.25]))
        np.testing.assert_array_equal(pixels(body), to_uint8(one)[0].permute(1, 2, 0).numpy())
        status, _, body = site.ask("api/image?path=1-0-5&condition=label=4")
        assert status == 400 and "label is 0 to 3" in json.loads(body)["error"]
        assert [one["numValues"] for one in json.loads(site.ask("api/model")[2])["conditions"]] == [4, None]


def test_a_failure_is_answered_and_logged_and_the_next_request_works(labelled, caplog):
    unknown = Field("label", torch.tensor(0))  # how many labels there are is not known
    with served(labelled, (unknown, STRENGTH)) as site:
        status, _, body = site.ask("api/image?path=1-0-5&condition=label=9")
        assert status == 500 and "IndexError" in json.loads(body)["error"]
        assert "no answer to /api/image: IndexError" in caplog.text
        assert site.ask("api/image?path=1-0-5&condition=label=3")[0] == 200


def test_the_page_and_each_file_it_names_are_served_with_their_types(site):
    status, headers, page = site.ask("")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    for name, kind in [("style.css", "text/css"), ("main.js", "text/javascript"), ("icon.svg", "image/svg+xml")]:
        assert f'"{name}"' in page.decode()
        status, headers, body = site.ask(name)
        assert status == 200 and headers["content-type"].startswith(kind) and body
    assert b"http://" not in page.replace(b"http://www.w3.org", b"") and b"https://" not in page


@pytest.mark.parametrize(
    "place", ["app.py", "..%2fapp.py", "%2e%2e/app.py", "page/index.html", "index.html", "nothing"]
)
def test_nothing_but_the_pages_own_files_is_served(site, place):
    assert site.ask(place)[0] == 404


@pytest.mark.parametrize("place", ["", "main.js", "api/model", "api/image?path=0-0-0", "api/image", "nothing"])
def test_every_answer_is_kept_to_its_own_page(site, place):
    _, headers, _ = site.ask(place)
    assert "access-control-allow-origin" not in headers
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("place", ["", "api/model"])
def test_a_name_that_was_pointed_at_this_machine_is_refused(site, place):
    status, headers, body = site.ask(place, Host="evil.example")
    assert status == 403
    assert body.decode() == "The explorer answers to 127.0.0.1 and localhost only, and was called 'evil.example'.\n"
    assert "access-control-allow-origin" not in headers


def test_a_foreign_page_gets_no_image(site):
    assert site.ask("api/image?path=0-0-0", Sec_Fetch_Site="cross-site", Origin="https://evil.example")[0] == 403
