"""Training a small classifier on labelled images, and testing it on others, class by class."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from rpganify.analysis.classifier import MIN_SIZE, WIDTH, Classifier
from rpganify.data.images import ImageData, SelectedImages, read_images, to_float
from rpganify.errors import AnalysisError

# The digits of MNIST, resized to 32×32: 60,000 of them seen four times teach it 99.6 % of the 10,000 others.
_SHOWN_IMAGES, _MIN_EPOCHS, _MAX_EPOCHS = 240_000, 4, 40
_TEST_BATCH = 256
HELD_OUT_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    """How a classifier is trained.

    Args:
        seed: of the initial weights, the order of the images and their shifts.
        num_epochs: passes over all images; None shows about 240,000 images, in 4 to 40 passes.
        batch_size: images per step of AdamW.
        learning_rate: the highest; it rises to it in a fifth of the steps and falls to 0 along a cosine.
        weight_decay: of AdamW.
        shift_px: images are moved by up to so many pixels each time they are shown, edges repeated; None takes a sixteenth
            of the smaller side.
        is_mirrored: whether every second image is shown mirrored, left for right; right for photographs, wrong for digits.
        width: channels of the first convolution.
    Raises:
        AnalysisError: no epoch, batch or channel, or a shift below 0.
    """

    seed: int = 0
    num_epochs: int | None = None
    batch_size: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 1e-4
    shift_px: int | None = None
    is_mirrored: bool = False
    width: int = WIDTH

    def __post_init__(self) -> None:
        if (self.num_epochs or 1) < 1 or self.batch_size < 2 or self.width < 1 or (self.shift_px or 0) < 0:
            raise AnalysisError(
                "A classifier is trained for at least 1 epoch, on batches of at least 2, with at least 1 channel and no "
                f"negative shift; got {self.num_epochs}, {self.batch_size}, {self.width} and {self.shift_px}."
            )

    def epochs_for(self, num_images: int) -> int:
        """Passes over so many images."""
        if self.num_epochs is not None:
            return self.num_epochs
        return min(_MAX_EPOCHS, max(_MIN_EPOCHS, round(_SHOWN_IMAGES / num_images)))


@dataclass(frozen=True, slots=True)
class ClassAccuracy:
    """How many images of one class are recognised.

    Args:
        name: of the class.
        num_images: that were shown.
        num_right: of them, how many were given their class.
    """

    name: str
    num_images: int
    num_right: int


def train_classifier(
    data: ImageData,
    config: ClassifierConfig | None = None,
    *,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Classifier:
    """A classifier trained on labelled images, in eval mode; on the CPU, equal arguments give equal weights.

    Its classes are those that occur among the labels, in their order, under the data's names; what a selection such as
    `cifar10[cat,dog]` left out is no class of it. Global random states stay as they were.

    Args:
        data: with labels, of pictures.
        config: how.
        device: where it is trained, and stays.
        progress: told how many images were shown, and of how many, after each step.
    Raises:
        AnalysisError: no labels, fewer than two classes, or images that are too small or no pictures.
        DataError: an image cannot be read.
    """
    config = config or ClassifierConfig()
    image_shape, names, targets = _check(data)
    place, num_epochs = torch.device(device), config.epochs_for(len(data))
    shift = round(min(image_shape[1:]) / 16) if config.shift_px is None else config.shift_px
    gpus = [place] if place.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus), torch.enable_grad():
        torch.default_generator.manual_seed(config.seed)
        classifier = Classifier(image_shape, len(names), class_names=names, width=config.width).to(place)
        chance = torch.Generator().manual_seed(config.seed)
        optimiser = torch.optim.AdamW(
            classifier.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        num_batches = math.ceil(len(data) / config.batch_size)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, config.learning_rate, total_steps=num_batches * num_epochs, pct_start=0.2
        )
        for epoch in range(num_epochs):
            done = epoch * len(data)
            for batch in torch.randperm(len(data), generator=chance).tensor_split(num_batches):
                images = augment(to_float(read_images(data, batch)), shift, config.is_mirrored, chance)
                loss = F.cross_entropy(classifier(images.to(place)), targets[batch].to(place))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                done += len(batch)
                progress(done, num_epochs * len(data))
    classifier.told = {"trained on": data.name, "images": len(data), "epochs": num_epochs, "seed": config.seed}
    return classifier.eval().requires_grad_(False)


def augment(images: Tensor, shift_px: int, is_mirrored: bool, generator: torch.Generator) -> Tensor:
    """Images moved at random, each by its own whole number of pixels, and perhaps mirrored.

    Args:
        images: `(N, C, H, W)`.
        shift_px: the farthest, up, down, left and right; what comes in repeats the edge.
        is_mirrored: whether each is mirrored, left for right, with probability 1/2.
        generator: on the CPU.
    """
    num_images, _, height, width = images.shape
    if shift_px:
        padded = F.pad(images, (shift_px,) * 4, mode="replicate").permute(0, 2, 3, 1)  # (N, H + 2s, W + 2s, C)
        down, right = torch.randint(2 * shift_px + 1, (2, num_images, 1), generator=generator)
        rows, columns = down + torch.arange(height), right + torch.arange(width)
        each = torch.arange(num_images)[:, None, None]
        images = padded[each, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    if is_mirrored:
        chosen = torch.rand(num_images, 1, 1, 1, generator=generator) < 0.5
        images = torch.where(chosen, images.flip(3), images)
    return images


def hold_out(data: ImageData, seed: int, share: float = HELD_OUT_SHARE) -> tuple[ImageData, ImageData]:
    """The data in two parts, to train on and to test on; of each class the same share is held out, at least one image.

    Args:
        data: with labels.
        seed: of the choice.
        share: held out, between 0 and 1.
    Raises:
        AnalysisError: no labels, or a class of one image, which cannot be in both parts.
    """
    labels = _labels(data)
    chance = torch.Generator().manual_seed(seed)
    held: list[Tensor] = []
    for label in labels.unique().tolist():
        members = (labels == label).nonzero().flatten()
        if len(members) < 2:
            raise AnalysisError(
                f"{data.name} has one image of the class {data.class_names[label]}, which cannot be both learnt and tested. "
                "Leave the class out (NAME[LABELS]), or name other data to test on."
            )
        num_held = min(len(members) - 1, max(1, round(share * len(members))))
        held.append(members[torch.randperm(len(members), generator=chance)[:num_held]])
    is_held = torch.zeros(len(labels), dtype=torch.bool)
    is_held[torch.cat(held)] = True
    return (
        SelectedImages(data, (~is_held).nonzero().flatten(), data.name),
        SelectedImages(data, is_held.nonzero().flatten(), data.name),
    )


def count_right(classifier: Classifier, data: ImageData) -> tuple[ClassAccuracy, ...]:
    """How many images of each class a classifier recognises; a class without images is left out.

    Args:
        classifier: in eval mode.
        data: with labels, of the classifier's image shape; classes go by their names.
    Raises:
        AnalysisError: no labels, or a class that the classifier does not know.
    """
    labels = _labels(data)
    known = classifier.class_names
    strange = [data.class_names[label] for label in labels.unique().tolist() if data.class_names[label] not in known]
    if strange:
        raise AnalysisError(
            f"{data.name} has images of the class {strange[0]}, and the classifier knows {_listed(known)}. Test it on data of "
            "these classes."
        )
    device = next(classifier.parameters()).device
    answers: list[Tensor] = []
    with torch.no_grad():
        for batch in torch.arange(len(data)).split(_TEST_BATCH):
            answers.append(classifier(to_float(read_images(data, batch)).to(device)).argmax(dim=1).cpu())
    answer = torch.cat(answers)
    found = []
    for index, name in enumerate(known):
        asked = torch.tensor([data.class_names[label] == name for label in range(len(data.class_names))])[labels]
        if asked.any():
            found.append(ClassAccuracy(name, int(asked.sum()), int((answer[asked] == index).sum())))
    return tuple(found)


def _check(data: ImageData) -> tuple[tuple[int, int, int], list[str], Tensor]:
    """Image shape, names of the classes there are, and each image's class among them."""
    shape = tuple(data.image_shape)
    if len(shape) != 3 or min(shape[1:]) < MIN_SIZE:
        raise AnalysisError(
            f"A classifier needs pictures of at least {MIN_SIZE}×{MIN_SIZE} pixels, and {data.name} has samples of shape "
            f"{shape}; enlarge them (`--size 32`)."
        )
    labels = _labels(data)
    present = labels.unique()
    names = [data.class_names[label] for label in present.tolist()]
    if len(names) < 2:
        raise AnalysisError(
            f"A classifier tells at least two classes apart, and all {len(data):,} images of {data.name} are of the class "
            f"{names[0]}. Take data with more classes."
        )
    if len(set(names)) < len(names):
        raise AnalysisError(f"{data.name} calls two classes by one name ({_listed(names)}); rename one.")
    return (shape[0], shape[1], shape[2]), names, torch.searchsorted(present, labels.contiguous())


def _labels(data: ImageData) -> Tensor:
    labels = data.labels
    if labels is None or not len(labels):
        raise AnalysisError(
            f"{data.name} has no labels, so there are no classes to learn. mnist, cifar10 and others have some; images in "
            "folders have them where each class is a subfolder of its own (`folder:DIR` with DIR/cat/1.png, DIR/dog/1.png)."
        )
    return labels


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
