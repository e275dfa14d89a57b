"""Text that every CPython has: the documentation behind `help()`, as bytes and as features of its paragraphs."""

from __future__ import annotations

import hashlib
import platform
import re
from collections import Counter
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .._edge.arguments import checked
from .._edge.arrays import FloatArray
from .._edge.values import check_count

_LEAST_WORDS = 10  # a shorter paragraph is a heading or a line of code


def documentation_text() -> bytes:
    """Return the topics of Python's documentation as one text, in which every paragraph stands once.

    Topics repeat each other's paragraphs; a part held out of the text would not be new if they stayed.

    Returns
    -------
    bytes
        The paragraphs in the order of the topics' names, joined by empty lines; about 370,000 bytes, nearly all ASCII.

    Notes
    -----
    Source: `pydoc_data.topics` of the running interpreter. The text differs between versions of Python: see
    `documentation_record`.

    Examples
    --------
    >>> st.problems.documentation_text()[:22]
    b'The "assert" statement'
    """
    return "\n\n".join(_topics()).encode()


def documentation_record() -> dict[str, Any]:
    """Return what identifies the text: the version of Python, the number of bytes and their SHA-256.

    Returns
    -------
    dict
        ``python``, ``bytes`` and ``sha256``; to be stored with every result computed from the text.

    Examples
    --------
    >>> list(st.problems.documentation_record())
    ['python', 'bytes', 'sha256']
    """
    text = documentation_text()
    return {
        "python": platform.python_version(),
        "bytes": len(text),
        "sha256": hashlib.sha256(text).hexdigest(),
    }


@checked
def documentation_features(
    classes: int = 10, features: int = 256
) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    r"""Return tf-idf features of the paragraphs of Python's documentation, and the topic of each.

    Of a paragraph i and a word j, :math:`n_{ij}` times in it and in :math:`d_j` of all N paragraphs,

    .. math:: x_{ij} = n_{ij}\Big(1 + \ln\frac{1 + N}{1 + d_j}\Big), \qquad x_i \leftarrow x_i / |x_i|.

    A few words are in nearly every paragraph, so the leading direction carries a tenth of the sum of squares, not a
    hundredth as for Gaussian features of equal size: what Shen et al. (arXiv 2505.23737) call low rank.

    Parameters
    ----------
    classes : int, default 10
        How many topics: those with the most paragraphs of ten words or more that no other topic has.
    features : int, default 256
        How many words: the most frequent ones of these paragraphs.

    Returns
    -------
    X : ndarray, shape (N, features), float64
        Rows of length one, or zero for a paragraph without any of the words.
    y : ndarray, shape (N,), int64
        Numbers of the topics from 0, the largest first.

    Raises
    ------
    ValueError
        For more topics or words than there are.

    Notes
    -----
    Source of the formula: Salton and Buckley, *Term-weighting approaches in automatic text retrieval* (Information
    Processing and Management 24, 1988), with one added to each document count. The paragraphs, about 700, differ
    between versions of Python: see `documentation_record`.

    Examples
    --------
    >>> X, y = st.problems.documentation_features(classes=3, features=50)
    >>> X.shape == (len(y), 50), np.unique(y)
    (True, array([0, 1, 2]))
    """
    check_count("classes", classes, least=1)
    check_count("features", features, least=1)
    words, y = _labelled(classes)
    frequency = Counter(word for paragraph in words for word in paragraph)
    if features > len(frequency):
        raise ValueError(f"features must be at most {len(frequency)}, the number of words, got {features}")
    # Ties in alphabetical order: the columns do not depend on the order of the paragraphs.
    ranked = sorted(frequency, key=lambda word: (-frequency[word], word))
    column = {word: j for j, word in enumerate(ranked[:features])}
    counts = np.zeros((len(words), features))
    for row, paragraph in zip(counts, words, strict=True):
        np.add.at(row, [column[word] for word in paragraph if word in column], 1)
    X = counts * (1 + np.log((1 + len(words)) / (1 + np.count_nonzero(counts, axis=0))))
    lengths = np.linalg.norm(X, axis=1, keepdims=True)
    return np.divide(X, lengths, out=np.zeros_like(X), where=lengths > 0), y


@lru_cache(maxsize=1)
def _topics() -> dict[str, list[str]]:
    """Return the topics in which each paragraph stands, in the order of the text."""
    from pydoc_data.topics import topics

    found: dict[str, list[str]] = {}
    for topic in sorted(topics):
        for paragraph in re.split(r"\n\s*\n", topics[topic].strip()):
            found.setdefault(paragraph.strip("\n"), []).append(topic)
    return found


def _labelled(classes: int) -> tuple[list[list[str]], npt.NDArray[np.int64]]:
    """Return the words of each paragraph of the largest topics, and the topics' numbers."""
    words, owners = [], []
    for paragraph, topics in _topics().items():
        found = re.findall(r"[a-z]{2,}", paragraph.lower())
        if len(set(topics)) == 1 and len(found) >= _LEAST_WORDS:
            words.append(found)
            owners.append(topics[0])
    size = Counter(owners)
    if classes > len(size):
        raise ValueError(f"classes must be at most {len(size)}, the number of topics, got {classes}")
    number = {topic: c for c, topic in enumerate(sorted(size, key=lambda t: (-size[t], t))[:classes])}
    chosen = [i for i, topic in enumerate(owners) if topic in number]
    return [words[i] for i in chosen], np.array([number[owners[i]] for i in chosen], dtype=np.int64)
