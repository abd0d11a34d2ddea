"""How a discriminator judges an image by its class label as well.

Sources: projection, Miyato and Koyama 2018, "cGANs with Projection Discriminator", equation 3; auxiliary classifier,
Odena et al. 2017, "Conditional Image Synthesis with Auxiliary Classifier GANs", section 3.
"""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor, nn

Conditioning = Literal["projection", "auxiliary"]
Judgement = Tensor | tuple[Tensor, Tensor]


class Projection(nn.Module):
    """Adds to each score the inner product of the image's features and its label's embedding.

    Args:
        num_features: of an image.
        num_classes: labels are in [0, num_classes).
    """

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(num_classes, num_features)
        nn.init.xavier_uniform_(self.embedding.weight)

    def forward(self, scores: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        """Scores `(N,)`, features `(N, num_features)`, int64 labels `(N,)` -> scores `(N,)`."""
        embedded: Tensor = self.embedding(labels)  # (N, num_features)
        return scores + (embedded * features).sum(dim=1)


class AuxiliaryClassifier(nn.Module):
    """Leaves the scores as they are, and says beside them which class it takes each image for.

    Args:
        num_features: of an image.
        num_classes: how many logits it gives.
    """

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(num_features, num_classes)
        nn.init.xavier_uniform_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, scores: Tensor, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Scores `(N,)`, features `(N, num_features)`, labels, which it does not look at -> scores, `(N, num_classes)`."""
        return scores, self.linear(features)


def label_head(num_features: int, num_classes: int, conditioning: str) -> nn.Module | None:
    """What judges the label; None without classes.

    Raises:
        ValueError: a negative number of classes, or another conditioning than "projection" and "auxiliary".
    """
    if num_classes < 0:
        raise ValueError(f"num_classes is at least 0 (no labels), got {num_classes}.")
    if conditioning not in get_args(Conditioning):
        raise ValueError(f"conditioning is one of {', '.join(get_args(Conditioning))}; got {conditioning!r}.")
    if not num_classes:
        return None
    kind = Projection if conditioning == "projection" else AuxiliaryClassifier
    return kind(num_features, num_classes)


def judged(head: nn.Module | None, scores: Tensor, features: Tensor, labels: Tensor | None) -> Judgement:
    """What a discriminator gives: the scores of the images alone, or what its head makes of them and the labels.

    Args:
        head: of `label_head`.
        scores: of the images alone, `(N,)`.
        features: that they were computed from, `(N, num_features)`.
        labels: int64 `(N,)`, or None for the scores of the images alone.
    Returns:
        Scores `(N,)`; with an auxiliary classifier and labels, scores and class logits `(N, num_classes)`.
    Raises:
        ValueError: labels for a discriminator without classes.
    """
    if labels is None:
        return scores
    if head is None:
        raise ValueError("This discriminator has no classes; build it with num_classes=… to pass labels.")
    judgement: Judgement = head(scores, features, labels)
    return judgement
