"""What analyzers ask of a context."""

import pytest

from rpganify.analysis.analyzer import AnalysisContext, require_classifier
from rpganify.errors import AnalysisError


def test_who_needs_a_classifier_says_how_to_get_one():
    with pytest.raises(
        AnalysisError,
        match=r"mine tells classes apart by a classifier, and none was named: `--classifier FILE`\. "
        r"`rpganify classifier DATA -o FILE` trains one on labelled images; FILE\.py:Class with "
        r"--classifier-weights takes yours\.",
    ):
        require_classifier(AnalysisContext(), "mine")
