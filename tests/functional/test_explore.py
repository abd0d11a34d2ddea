"""`rpganify explore`: what it refuses, and how it ends."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request

import numpy as np
import pytest
import torch

import rpganify
from rpganify.analysis.generation import to_uint8
from rpganify.explorer.describing import Naming, describe
from rpganify.explorer.painting import Painter
from tests.unit.explorer.test_painting import pixels

RUN = "import sys; from rpganify.cli import main; sys.argv = ['rpganify', *sys.argv[1:]]; main()"


def test_it_says_its_address_answers_and_ends_quietly_with_ctrl_c(converted):
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, "explore", "tiny_gan.rpgan", "--seed", "7"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=converted.directory,
    )
    try:
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{url}api/model", timeout=10) as answer:
            told = json.load(answer)
        assert told["command"] == ["rpganify", "sample", "tiny_gan.rpgan", "--seed", "7"]
        process.send_signal(signal.SIGINT)
        rest, talk = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert rest == ""
    assert talk.splitlines()[-1] == "ended"
    assert "Ctrl-C ends it" in talk and "Traceback" not in talk


def test_the_command_it_shows_makes_the_picture_it_shows(converted):
    model = rpganify.load(converted.directory / "tiny_gan.rpgan")
    painter = Painter(model, {}, seed=3)
    command = describe(painter, (), Naming("tiny_gan.rpgan"))["command"]
    converted.succeeds(*command[1:], "--path", "2-0-1", "-o", "one.npy")
    values = torch.from_numpy(np.load(converted.directory / "one.npy"))
    np.testing.assert_array_equal(pixels(painter.image(torch.tensor([2, 0, 1]), {})), to_uint8(values)[0, 0].numpy())


def test_a_port_that_is_taken_is_refused(converted):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        message = converted.refuses("explore", "tiny_gan.rpgan", "--port", port)
    assert f"Port {port} on 127.0.0.1 is taken by another program. Leave out --port" in message


def test_a_standard_generator_is_refused(tiny):
    tiny.succeeds("convert", "tiny_gan.py", "--buckets", "l1 conv1 conv2", "--blocks", "2")
    tiny.succeeds(
        *("train", "tiny_gan.py", "--standard", "--data", "digits", "--steps", "1", "--batch-size", "4", "-o", "plain")
    )
    message = tiny.refuses("explore", "plain")
    assert "plain is a standard generator with a random latent, so it has no buckets and blocks" in message
    assert "rpganify convert SOURCE" in message


def test_the_missing_extra_is_refused_before_anything_else(converted, monkeypatch):
    monkeypatch.setattr("rpganify.explorer.serving._NEEDED", ("a_server_that_is_not_there",))
    message = converted.refuses("explore", "nothing.rpgan")
    assert "pip install 'rpganify[explore]'" in message


def test_a_model_that_is_not_there_is_refused(converted):
    assert "There is no model at nothing.rpgan" in converted.refuses("explore", "nothing.rpgan")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "65536"], "Input should be less than or equal to 65535"),
        (["--condition", "label=3"], "no further input 'label'; it needs none"),
    ],
)
def test_wrong_usage_ends_with_2(converted, arguments, message):
    result = converted("explore", "tiny_gan.rpgan", *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
