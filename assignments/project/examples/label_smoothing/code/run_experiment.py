"""Softmax regression on noisy labels, with and without label smoothing (Szegedy et al., 2016)."""

import json
import os

import numpy as np

CLASSES, DIMENSION, TRAIN, TEST, STEPS, RATE, FLIPPED, SMOOTHING = 5, 10, 1000, 20_000, 300, 0.5, 0.2, 0.1


def data(rng, size, centres):
    labels = rng.integers(CLASSES, size=size)
    return centres[labels] + rng.normal(size=(size, DIMENSION)), labels


def softmax(logits):
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def train(inputs, labels, smoothing):
    target = np.eye(CLASSES)[labels] * (1 - smoothing) + smoothing / CLASSES
    weight = np.zeros((DIMENSION, CLASSES))
    for _ in range(STEPS):
        weight -= RATE * inputs.T @ (softmax(inputs @ weight) - target) / len(inputs)
    return weight


def accuracy(weight, inputs, labels):
    return float(((inputs @ weight).argmax(axis=1) == labels).mean())


if __name__ == "__main__":
    centres = np.random.default_rng(0).normal(size=(CLASSES, DIMENSION))
    rng = np.random.default_rng(int(os.environ["SEED"]))
    inputs, labels = data(rng, TRAIN, centres)
    noisy = np.where(rng.random(TRAIN) < FLIPPED, rng.integers(CLASSES, size=TRAIN), labels)
    test = data(rng, TEST, centres)
    plain = accuracy(train(inputs, noisy, 0.0), *test)
    smooth = accuracy(train(inputs, noisy, SMOOTHING), *test)
    print(f"plain {plain:.4f}  smoothed {smooth:.4f}")
    with open("results.json", "w") as file:
        json.dump({"accuracy": {"plain": plain, "smoothed": smooth}, "gain": smooth - plain}, file)
