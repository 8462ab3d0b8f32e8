"""Top-1, top-5, the confusion matrix, against counting by hand and by brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lrcn.metrics.accuracy import Accuracy, ConfusionMatrix


def test_top_k_equals_sorting_each_row() -> None:
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(9), size=200)
    labels = rng.integers(0, 9, size=200)
    metric = Accuracy(9)
    metric.update(probs, labels)

    hits = {1: 0, 5: 0}
    for row, label in zip(probs, labels, strict=True):
        best = sorted(range(9), key=lambda k: -row[k])
        for k in hits:
            hits[k] += label in best[:k]
    assert metric.compute() == {"accuracy_top1": hits[1] / 200, "accuracy_top5": hits[5] / 200}


def test_equal_probabilities_are_decided_as_argmax_does() -> None:
    """A constant model is right only where class 0 is true, not everywhere."""
    metric = Accuracy(8)
    metric.update(np.full((8, 8), 1 / 8), np.arange(8))

    assert metric.compute() == {"accuracy_top1": 1 / 8, "accuracy_top5": 5 / 8}


@pytest.mark.parametrize("num_classes", [1, 2, 5])
def test_top5_is_left_out_where_it_could_not_be_wrong(num_classes: int) -> None:
    metric = Accuracy(num_classes)
    metric.update(np.eye(num_classes), np.arange(num_classes))

    assert metric.compute() == {"accuracy_top1": 1.0}


def test_tensors_are_taken() -> None:
    metric = Accuracy(2)
    metric.update(torch.tensor([[0.9, 0.1], [0.8, 0.2]]), torch.tensor([0, 1]))

    assert metric.compute() == {"accuracy_top1": 0.5}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([0]), "one label per row"),
        (np.array([0, 2]), "label 2 is out of range; 0 to 1 are allowed"),
        (np.array([-1, 0]), "label -1 is out of range"),
        (np.array([0.0, 1.0]), "whole class indices"),
    ],
)
def test_wrong_labels_are_refused(labels: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Accuracy(2).update(np.eye(2), labels)


def test_confusion_matrix_by_hand() -> None:
    """Truth 0 0 0 1 1 3, predicted 0 0 1 1 0 3; class 2 never occurs and is never predicted."""
    metric = ConfusionMatrix(4)
    metric.update(np.eye(4)[[0, 0, 1, 1, 0, 3]], np.array([0, 0, 0, 1, 1, 3]))

    expected = [[2, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    assert metric.matrix_KK.tolist() == expected
    recall, precision, f1 = metric.per_class()
    assert recall == [2 / 3, 1 / 2, None, 1.0]
    assert precision == [2 / 3, 1 / 2, None, 1.0]
    assert f1 == [4 / 6, 2 / 4, None, 1.0]
    assert metric.compute() == pytest.approx(
        {
            "mean_class_accuracy": (2 / 3 + 1 / 2 + 1) / 3,
            "mean_class_f1": (2 / 3 + 1 / 2 + 1) / 3,
        }
    )


def test_precision_is_undefined_without_predictions_but_f1_is_zero() -> None:
    metric = ConfusionMatrix(2)
    metric.update(np.eye(2)[[0, 0]], np.array([0, 1]))

    recall, precision, f1 = metric.per_class()
    assert (recall[1], precision[1], f1[1]) == (0.0, None, 0.0)


def test_mean_class_accuracy_weighs_classes_alike() -> None:
    """98 of one class right, 2 of another wrong: 98 % of the videos, half of the classes."""
    metric = ConfusionMatrix(2)
    metric.update(np.eye(2)[[0] * 100], np.array([0] * 98 + [1] * 2))

    assert metric.compute()["mean_class_accuracy"] == 0.5
