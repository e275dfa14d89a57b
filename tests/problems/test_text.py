"""The text that comes with CPython, and features of its paragraphs."""

from __future__ import annotations

import hashlib
import platform
import pydoc_data.topics
import re
from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

import schattor as st

P = st.problems


def paragraphs(text: str) -> list[str]:
    """What stands between empty lines."""
    return [part.strip("\n") for part in re.split(r"\n\s*\n", text.strip())]


def labelled(classes: int) -> list[tuple[str, int]]:
    """Paragraphs of ten words or more that one topic alone has, with its number, by brute force."""
    topics = {topic: set(paragraphs(text)) for topic, text in pydoc_data.topics.topics.items()}
    times = Counter(part for parts in topics.values() for part in parts)
    own = {
        topic: {part for part in parts if times[part] == 1 and len(re.findall("[a-zA-Z]{2,}", part)) >= 10}
        for topic, parts in topics.items()
    }
    largest = sorted(own, key=lambda topic: (-len(own[topic]), topic))[:classes]
    return [(part, c) for c, topic in enumerate(largest) for part in own[topic]]


def test_the_text_has_every_paragraph_of_every_topic_once():
    """Nothing is lost and nothing repeated: a repeated paragraph could be in a training part and in a held-out one."""
    found = paragraphs(P.documentation_text().decode())
    expected = {part for topic in pydoc_data.topics.topics.values() for part in paragraphs(topic)}
    assert set(found) == expected and len(found) == len(expected)


def test_the_record_identifies_the_text():
    """Version, length and hash are those of the text at hand."""
    text = P.documentation_text()
    assert P.documentation_record() == {
        "python": platform.python_version(),
        "bytes": len(text),
        "sha256": hashlib.sha256(text).hexdigest(),
    }


def test_features_are_those_of_scikit_learn():
    """With all words as features, an independent implementation gives the same rows, columns and labels."""
    texts, labels = zip(*labelled(4), strict=True)
    pattern = {"token_pattern": "[a-z]{2,}"}
    total = CountVectorizer(**pattern).fit_transform(texts).toarray().sum(axis=0)
    vectorizer = TfidfVectorizer(**pattern)
    theirs = vectorizer.fit_transform(texts).toarray()
    order = np.lexsort((vectorizer.get_feature_names_out(), -total))
    expected = np.column_stack([labels, theirs[:, order]])
    X, y = P.documentation_features(classes=4, features=len(order))
    found = np.column_stack([y, X])
    np.testing.assert_allclose(sort_rows(found), sort_rows(expected), atol=1e-14)


def test_fewer_features_are_the_most_frequent_words():
    """Words are left out from the rare end; rows are then brought to length one again."""
    all_words, _ = P.documentation_features(classes=3, features=500)
    X, y = P.documentation_features(classes=3, features=40)
    rows = all_words[:, :40]
    np.testing.assert_allclose(X, rows / np.linalg.norm(rows, axis=1, keepdims=True), atol=1e-14)
    assert (np.diff(np.bincount(y)) <= 0).all()


def test_the_leading_direction_carries_a_tenth_of_the_features():
    """As the docstring says: the stable rank |X|_F^2 / |X|^2 is near 10, of Gaussian features near 100."""
    X, _ = P.documentation_features()
    for Z, rank in ((X, 10), (P.gaussian_like(X, rng=0), 100)):
        assert rank / 1.5 < (np.linalg.norm(Z) / np.linalg.norm(Z, 2)) ** 2 < 1.5 * rank


@pytest.mark.parametrize("name", ["classes", "features"])
@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (10**6, ValueError), (2.5, TypeError)])
def test_impossible_sizes_are_refused(name, value, error):
    """The error names the argument."""
    with pytest.raises(error, match=f"^{name} must be"):
        P.documentation_features(**{name: value})


def sort_rows(array: np.ndarray) -> np.ndarray:
    """The rows in an order that does not depend on the given one."""
    return array[np.lexsort(np.round(array, 9).T)]
