"""The explorer's page in a browser: no error, no request leaves the machine, a click on a block changes the image."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import torch

import rpganify
from rpganify.explorer.conditions import Field
from tests.unit.explorer.conftest import BUCKETS, Labelled, Pictures, Site, served

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
FLAGS = "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run".split()

# A page's pixels as the user sees them: of the large image, or of a block's thumbnail.
PIXELS = "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"


@dataclass
class Visit:
    """A page, and everything that went wrong or out."""

    page: sync_api.Page
    url: str
    troubles: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def image(self, slot: str = "A") -> sync_api.Locator:
        return self.page.locator(f".frame[data-slot='{slot}'] canvas")

    def shows(self, path: str, slot: str = "A") -> None:
        """Waits until the image of a path is there."""
        self.page.locator(f".frame[data-slot='{slot}'] canvas[data-path='{path}']").wait_for(timeout=10_000)

    def block(self, bucket: int, block: int) -> sync_api.Locator:
        return self.page.locator(".bucket").nth(bucket - 1).locator(".block").nth(block)

    def path(self) -> str:
        return self.page.locator("#path").input_value()


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    torch.manual_seed(0)
    with served(rpganify.wrap(Pictures(), buckets=BUCKETS, blocks=[4, 3, 12])) as one:
        yield one


@pytest.fixture
def visit(browser: sync_api.Browser, site: Site) -> Iterator[Visit]:
    yield from visiting(browser, site, "#path=1-2-3")


def visiting(browser: sync_api.Browser, site: Site, hash_: str = "", **options: object) -> Iterator[Visit]:
    """A visit, which must pass without a console message, an error, or a request to anything but the explorer."""
    context = browser.new_context(**options)
    visit = Visit(context.new_page(), site.url)
    visit.page.on("console", lambda message: visit.troubles.append(f"console: {message.text}"))
    visit.page.on("pageerror", lambda error: visit.troubles.append(f"error: {error}"))
    visit.page.on("request", lambda request: visit.requests.append(request.url))
    visit.page.goto(site.url + hash_)
    visit.page.locator("html[data-ready]").wait_for()
    yield visit
    context.close()
    assert visit.troubles == []
    assert visit.requests and all(url.startswith((site.url, f"blob:{site.url}")) for url in visit.requests)


def test_a_click_on_a_block_changes_the_image_to_what_its_thumbnail_showed(visit):
    visit.shows("1-2-3")
    visit.page.locator(".bucket").nth(2).locator(".block.painted:not(.stale)").nth(11).wait_for()
    before = visit.image().evaluate(PIXELS)
    promised = visit.block(3, 7).locator("canvas").evaluate(PIXELS)
    visit.block(3, 7).click()
    visit.shows("1-2-7")
    after = visit.image().evaluate(PIXELS)
    assert after == promised != before
    assert visit.path() == "1-2-7"
    assert visit.block(3, 7).get_attribute("aria-checked") == "true"
    assert visit.page.locator("#command").inner_text() == "rpganify sample m.rpgan --raw --path 1-2-7 -o 1-2-7.png"


def test_the_head_says_which_model_it_is(visit):
    assert visit.page.locator("h1").inner_text() == "m.rpgan"
    facts = visit.page.locator("#facts").inner_text()
    assert facts == "Pictures: 3 buckets of 4, 3, 12 blocks, 144 paths, 3×6×4; the weights of step 7"
    # It is known once all of the bucket's images are.
    visit.page.locator(".bucket").nth(0).get_by_text("moves").wait_for()


def test_drawing_keeps_locked_buckets_and_changes_others(visit):
    visit.page.locator(".bucket").nth(0).locator(".lock").click()
    visit.page.locator(".bucket").nth(2).locator(".lock").click()
    seen = set()
    for _ in range(6):
        visit.page.locator("#draw").click()
        seen.add(visit.path())
        visit.shows(visit.path())
    assert len(seen) > 1
    assert all(path.startswith("1-") and path.endswith("-3") for path in seen)


def test_undo_and_redo_walk_through_what_was_shown(visit):
    visit.block(1, 0).click()
    visit.block(2, 0).click()
    assert visit.path() == "0-0-3"
    visit.page.locator("#undo").click()
    visit.shows("0-2-3")
    visit.page.keyboard.press("z")
    visit.shows("1-2-3")
    visit.page.locator("#redo").click()
    visit.shows("0-2-3")
    assert visit.path() == "0-2-3"


def test_arrow_keys_choose_blocks_and_buckets(visit):
    visit.block(1, 1).focus()
    visit.page.keyboard.press("ArrowRight")
    visit.shows("2-2-3")
    visit.page.keyboard.press("ArrowDown")
    visit.page.keyboard.press("ArrowRight")  # from the last block on to the first
    visit.shows("2-0-3")
    visit.page.keyboard.press("l")
    assert visit.page.locator(".bucket").nth(1).locator(".lock").get_attribute("aria-pressed") == "true"


def test_a_path_may_be_typed_and_a_wrong_one_is_explained(visit):
    visit.page.locator("#path").fill("3-1-11")
    visit.page.keyboard.press("Enter")
    visit.shows("3-1-11")
    visit.page.locator("#path").fill("3-1-12")
    visit.page.keyboard.press("Enter")
    assert "Bucket 3 (last) has blocks 0 to 11; there is no block 12." in visit.page.locator("#path-error").inner_text()
    visit.page.locator("#path").fill("3-1")
    visit.page.keyboard.press("Enter")
    assert "is 3 numbers joined by “-”, up to 3-2-11" in visit.page.locator("#path-error").inner_text()


def test_two_paths_stand_side_by_side_and_the_walk_between_them_is_shown(visit):
    visit.page.keyboard.press("c")
    visit.page.locator("#path").fill("3-2-9")
    visit.page.keyboard.press("Enter")
    visit.shows("1-2-3", "A")
    visit.shows("3-2-9", "B")
    steps = visit.page.locator("#steps button")
    visit.page.locator(
        "#steps button[data-path='3-2-9']"
    ).wait_for()  # the walk to the B drawn first may pass 3-2-3 too
    assert [step.get_attribute("data-path") for step in steps.all()] == ["1-2-3", "3-2-3", "3-2-9"]
    assert "1 first" in steps.nth(1).inner_text() and "1 → 3" in steps.nth(1).inner_text()
    visit.page.get_by_label("last bucket first").check()
    visit.page.locator("#steps button[data-path='1-2-9']").wait_for()
    visit.page.keyboard.press("a")
    steps.nth(1).click()
    visit.shows("1-2-9", "A")
    assert visit.path() == "1-2-9"
    assert visit.block(1, 3).get_attribute("data-other") == "B"
    visit.page.keyboard.press("x")
    visit.shows("3-2-9", "A")
    visit.page.keyboard.press("c")
    assert not visit.page.locator("#walk").is_visible()


def test_a_reload_shows_the_same(visit):
    visit.page.locator(".bucket").nth(1).locator(".lock").click()
    visit.page.keyboard.press("c")
    visit.page.locator("#path").fill("0-0-5")
    visit.page.keyboard.press("Enter")
    visit.page.reload()
    visit.shows("1-2-3", "A")
    visit.shows("0-0-5", "B")
    assert visit.page.locator(".bucket").nth(1).locator(".lock").get_attribute("aria-pressed") == "true"


def test_the_command_is_copied(browser, site):
    for visit in visiting(browser, site, "#path=0-1-2", permissions=["clipboard-read", "clipboard-write"]):
        visit.page.locator("#copy").click()
        visit.page.get_by_role("button", name="Copied").wait_for()
        copied = visit.page.evaluate("() => navigator.clipboard.readText()")
        assert copied == "rpganify sample m.rpgan --raw --path 0-1-2 -o 0-1-2.png"


def test_a_name_that_a_shell_would_part_is_quoted(browser):
    with served(rpganify.wrap(Pictures(), buckets=BUCKETS, blocks=2), name="my runs/it's") as site:
        for visit in visiting(browser, site, "#path=0-1-1"):
            shown = visit.page.locator("#command").inner_text()
    assert shlex.split(shown) == ["rpganify", "sample", "my runs/it's", "--raw", "--path", "0-1-1", "-o", "0-1-1.png"]


def test_a_label_is_asked_for_and_changes_the_image(browser):
    torch.manual_seed(0)
    examples = {"z": torch.randn(2, 5), "label": torch.zeros(2, dtype=torch.int64), "strength": torch.ones(2)}
    model = rpganify.wrap(Labelled(), buckets=BUCKETS, blocks=3, latent="z", example_inputs=examples)
    fields = (Field("label", torch.tensor(0), num_values=4), Field("strength", torch.tensor(1.0)))
    with served(model, fields) as site:
        for visit in visiting(browser, site, "#path=0-1-2"):
            visit.shows("0-1-2")
            before = visit.image().evaluate(PIXELS)
            with visit.page.expect_response(lambda answer: "label%3D3" in answer.url and "api/image" in answer.url):
                visit.page.get_by_label("label").fill("3")
            visit.page.locator(".block.painted:not(.stale)").nth(8).wait_for()
            assert visit.image().evaluate(PIXELS) != before
            assert "--condition label=3 --condition strength=1" in visit.page.locator("#command").inner_text()
            visit.page.get_by_label("label").fill("4")
            assert "3" in visit.page.locator("#conditions .error").first.inner_text()  # the browser's own words
            assert "label=3" in visit.page.locator("#command").inner_text()


def test_a_change_that_is_taken_back_at_once_leaves_no_picture_faded(visit):
    visit.page.locator(".block.painted:not(.stale)").nth(11).wait_for()
    visit.page.wait_for_timeout(300)
    # Both before the rows are painted anew.
    visit.page.evaluate(
        """() => { const row = document.querySelectorAll(".bucket")[0].querySelectorAll(".block");
        const now = [...row].find((one) => one.getAttribute("aria-checked") === "true");
        [...row].find((one) => one !== now).click(); now.click(); }"""
    )
    visit.page.wait_for_timeout(300)
    assert visit.page.locator(".block.painted.stale").count() == 0
    assert visit.page.locator(".block.painted").count() > 12


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_wider_than_the_screen_and_the_image_stays_in_sight(browser, site, scheme):
    options = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "color_scheme": scheme}
    for visit in visiting(browser, site, "#path=1-2-3&with=3-0-9", **options):
        assert visit.page.evaluate("() => document.documentElement.scrollWidth") == 360
        visit.page.locator(".bucket").nth(2).scroll_into_view_if_needed()
        visit.page.evaluate("() => window.scrollTo(0, document.body.scrollHeight)")
        box = visit.image("A").bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] < 740
        paper = visit.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        assert paper == {"light": "rgb(246, 247, 249)", "dark": "rgb(16, 19, 23)"}[scheme]


def test_pixels_are_enlarged_by_whole_numbers_and_stay_sharp(visit):
    visit.shows("1-2-3")
    sizes = "c => [c.width, c.height, c.clientWidth, c.clientHeight, getComputedStyle(c).imageRendering]"
    width, height, shown_width, shown_height, rendering = visit.image().evaluate(sizes)
    assert (width, height, rendering) == (4, 6, "pixelated")
    assert shown_width % width == 0 and shown_width // width == shown_height // height > 10


def test_when_the_server_has_ended_the_page_says_so(browser):
    with served(rpganify.wrap(Pictures(), buckets=BUCKETS, blocks=2)) as site:
        context = browser.new_context()
        page = context.new_page()
        page.goto(site.url + "#path=0-0-0")
        page.locator("canvas[data-path='0-0-0']").wait_for()
    page.locator(".bucket").nth(0).locator(".block").nth(1).click()
    page.locator("#banner").get_by_text("The explorer does not answer any more").wait_for()
    context.close()
