"""A random-feature classifier of two rings."""

import json
import os

import numpy as np

FEATURES, TRAIN, TEST = 60, 80, 2000


def rings(rng, size):
    labels = rng.integers(2, size=size)
    angle, radius = rng.uniform(0, 2 * np.pi, size), 1 + 0.5 * labels + 0.25 * rng.normal(size=size)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), labels


def fit(inputs, labels):
    return np.linalg.lstsq(inputs.T @ inputs + 1e-6 * np.eye(inputs.shape[1]), inputs.T @ (2 * labels - 1), rcond=None)[0]


if __name__ == "__main__":
    rng = np.random.default_rng(int(os.environ["SEED"]))
    projection, phase = 2 * rng.normal(size=(2, FEATURES)), rng.uniform(0, 2 * np.pi, FEATURES)

    def lift(inputs):
        return np.cos(inputs @ projection + phase)

    (train_x, train_y), (test_x, test_y) = rings(rng, TRAIN), rings(rng, TEST)
    weight = fit(lift(train_x), train_y)
    raw = fit(train_x, train_y)
    found = {
        "train": float(((lift(train_x) @ weight > 0) == train_y).mean()),
        "test": float(((lift(test_x) @ weight > 0) == test_y).mean()),
        "linear": float(((test_x @ raw > 0) == test_y).mean()),
    }
    found["gain"] = found["test"] - found["linear"]
    print(found)
    with open("results.json", "w") as file:
        json.dump(found, file)
