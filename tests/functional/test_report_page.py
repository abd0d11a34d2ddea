"""The report's page in a browser: no error, no request, nothing wider than a phone, light and dark, on paper."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

import rpganify
from rpganify.cli.app import app
from rpganify.conversion.converting import standard
from rpganify.manifest import write_manifest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
FLAGS = "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run".split()
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 780}
LONG_NAME = "a_layer_with_a_name_that_is_longer_than_any_phone_is_wide_and_has_no_place_to_break"

Visit = Callable[..., "sync_api.Page"]


class Wordy(nn.Module):
    """A generator with a layer of a very long name."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(6, 3 * 16 * 16)
        self.add_module(LONG_NAME, nn.Conv2d(3, 3, 3, padding=1))
        self.out = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        h = torch.relu(self.dense(z)).view(-1, 3, 16, 16)
        return torch.tanh(self.out(torch.relu(getattr(self, LONG_NAME)(h))))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page on one run, and a page on a converted model and its twin."""
    folder = tmp_path_factory.mktemp("pages")
    torch.manual_seed(0)
    wordy = Wordy()
    rpganify.save(rpganify.wrap(wordy, buckets=["dense", LONG_NAME, "out"], blocks=[4, 13, 1]), folder / "wordy.rpgan")
    rpganify.save(standard(wordy), folder / "plain.rpgan")
    run = folder / "first"
    shutil.copytree(folder / "wordy.rpgan", run / "checkpoints" / "step-000040" / "generator.rpgan")
    write_manifest(run / "checkpoints" / "step-000040")
    (run / "config.json").write_text(json.dumps({"facts": {"data": "faces, 5000 images"}, "settings": {"lr": 0.1}}))
    lines = [json.dumps({"step": n, "generator_loss": 1 / n, "discriminator_loss": n % 7}) for n in range(1, 41)]
    (run / "metrics.jsonl").write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rpganify.registry.finding.ENTRY_POINT_GROUP", "nobody")
        patch.setattr("rpganify.registry.default._loaded", None)
        common = ["--paths", "4", "--device", "cpu", "--analyzer", "variations", "--analyzer", "diversity"]
        for name, models in {"one": [run], "two": [folder / "wordy.rpgan", folder / "plain.rpgan"]}.items():
            result = CliRunner().invoke(app, ["report", *map(str, models), *common, "-o", str(folder / name)])
            assert result.exit_code == 0, result.stderr
    for name in ("one", "two"):
        # Alone in a folder of its own: whatever it asked for would be missed.
        (folder / f"{name}-alone").mkdir()
        shutil.copy(folder / name / "index.html", folder / f"{name}-alone" / "index.html")
    return {name: folder / f"{name}-alone" / "index.html" for name in ("one", "two")}


@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: sync_api.Browser, pages: dict[str, Path]) -> Iterator[Visit]:
    """Opens a page; afterwards nothing may have been said on the console, and nothing asked for but the page."""
    troubles: list[str] = []
    requests: list[str] = []
    contexts = []

    def opened(name: str = "one", **options: object) -> sync_api.Page:
        context = browser.new_context(**{"viewport": DESKTOP, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(pages[name].as_uri())
        page.locator(".theme:not([hidden])").wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert troubles == []
    asked = [url for url in requests if not url.startswith("data:")]
    assert asked and set(asked) <= {path.as_uri() for path in pages.values()}


def ground(page: sync_api.Page) -> tuple[int, ...]:
    """The colour of the page's left edge, as a user sees it."""
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        return tuple(picture.convert("RGB").getpixel((2, 500)))


@pytest.mark.parametrize("name", ["one", "two"])
@pytest.mark.parametrize("is_open", [False, True])
def test_nothing_is_wider_than_a_phone(visit: Visit, name: str, is_open: bool):
    page = visit(name, viewport=PHONE)
    if is_open:
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    # What is wide scrolls inside its own frame, and text is never cut off at the screen's edge.
    outside = page.evaluate(
        """[...document.querySelectorAll('main *')]
            .filter(one => !one.closest('.scroll, dialog, svg') && one.getClientRects().length)
            .filter(one => one.getBoundingClientRect().right > innerWidth + 0.5).map(one => one.outerHTML.slice(0, 80))"""
    )
    assert outside == []
    assert page.locator(".scroll table").first.evaluate("one => one.scrollWidth > one.parentElement.clientWidth")


def test_every_picture_is_loaded_and_has_a_text(visit: Visit):
    page = visit()
    images = page.evaluate(
        "[...document.images].map(one => [one.naturalWidth > 0, one.alt, !!one.closest('[role=img]')])"
    )
    assert len(images) > 70 and all(is_loaded for is_loaded, _, _ in images)
    assert all(bool(alt) != in_tiles for _, alt, in_tiles in images)  # a tile's text is on the row of tiles
    assert page.evaluate("[...document.querySelectorAll('[role=img]')].every(one => one.ariaLabel)")


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_colours_follow_the_system_and_figures_follow_the_page(visit: Visit, scheme: str, is_dark: bool):
    page = visit(color_scheme=scheme)
    assert (sum(ground(page)) < 150) == is_dark
    shown = page.locator(".zoom img:visible")
    assert shown.count() == page.locator(".zoom").count() > 0
    assert set(shown.evaluate_all("all => all.map(one => one.className)")) == {"on-dark" if is_dark else "on-light"}


def test_the_button_goes_from_the_systems_colours_to_light_to_dark_and_back_and_is_remembered(visit: Visit):
    page = visit(color_scheme="dark")
    button = page.locator(".theme")
    grounds, labels = [ground(page)], [button.get_attribute("aria-label")]
    for _ in range(3):
        button.click()
        grounds.append(ground(page))
        labels.append(button.get_attribute("aria-label"))
    assert [sum(colour) < 150 for colour in grounds] == [True, False, True, True]
    assert labels == [f"Colours: {name}" for name in ("as the system", "light", "dark", "as the system")]
    button.click()
    page.reload()
    assert sum(ground(page)) > 600
    assert page.locator(".zoom img:visible").first.get_attribute("class") == "on-light"


def test_the_contents_stay_in_sight_and_say_where_one_is(visit: Visit):
    for viewport in (DESKTOP, PHONE):
        page = visit(viewport=viewport)
        for key in ("diversity", "training"):
            page.locator(f"nav a[href='#{key}']").click()
            page.wait_for_function(f"document.querySelector('nav [aria-current]')?.hash === '#{key}'")
            page.wait_for_function(f"Math.abs(document.getElementById('{key}').getBoundingClientRect().top) < 100")
            assert page.locator("nav a[aria-current]").is_visible()
            top = page.locator("nav").bounding_box()
            assert top is not None and top["y"] >= 0


def test_a_definition_is_a_click_away(visit: Visit):
    page = visit()
    text = page.get_by_text("Each row changes that path in one bucket only")
    assert not text.is_visible()
    page.locator("#variations summary", has_text="What this means").click()
    assert text.is_visible()


def test_a_click_on_a_figure_shows_it_at_its_full_size_and_another_click_puts_it_away(visit: Visit):
    page = visit(viewport=PHONE)
    figure = page.locator("#variations .zoom")
    small = figure.locator("img:visible").bounding_box()
    figure.click()
    large = page.locator("dialog img:visible")
    box = large.bounding_box()
    assert small is not None and box is not None and box["width"] > small["width"]
    assert box["width"] == large.evaluate("one => one.naturalWidth")
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    figure.click()
    page.locator("dialog button").click()
    assert not page.locator("dialog").is_visible()


def test_on_paper_it_is_light_and_definitions_are_open(visit: Visit):
    page = visit(color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert sum(ground(page)) > 600
    assert not page.locator("nav").is_visible() and page.locator(".on-dark:visible").count() == 0
    assert page.get_by_text("Each row changes that path in one bucket only").is_visible()


def test_it_can_be_read_without_its_script(visit: Visit, browser: sync_api.Browser, pages: dict[str, Path]):
    context = browser.new_context(java_script_enabled=False, viewport=DESKTOP)
    page = context.new_page()
    page.goto(pages["one"].as_uri())
    assert not page.locator(".theme").is_visible() and page.locator("#variations img").first.is_visible()
    page.locator("#variations summary", has_text="What this means").click()
    assert page.get_by_text("Each row changes that path in one bucket only").is_visible()
    context.close()
    visit()  # so that there is a page whose requests are looked at


def test_two_models_stand_beside_each_other_on_a_desk_and_below_each_other_on_a_phone(visit: Visit):
    for viewport, is_beside in ((DESKTOP, True), (PHONE, False)):
        left, right = (box.bounding_box() for box in visit("two", viewport=viewport).locator("header .subject").all())
        assert left is not None and right is not None
        assert (right["x"] > left["x"] + left["width"] - 1) == is_beside
        assert (right["y"] > left["y"] + left["height"] - 1) == (not is_beside)
