"""SGD with a constant step on least squares: the last iterate against the average of the second half.

After Polyak and Juditsky (1992), and "Averaging weights leads to wider optima" (Izmailov et al., 2018).
"""

import argparse
import json

import numpy as np

DIMENSION, STEPS, RATE, NOISE = 20, 4000, 0.02, 0.5


def excess_loss(weight, truth):
    """E (w.x - truth.x)^2 for x ~ N(0, I)."""
    return float(((weight - truth) ** 2).sum())


def train(seed):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=DIMENSION)
    weight, average = np.zeros(DIMENSION), np.zeros(DIMENSION)
    inputs = rng.normal(size=(STEPS, DIMENSION))
    targets = inputs @ truth + NOISE * rng.normal(size=STEPS)
    for step, (x, y) in enumerate(zip(inputs, targets)):
        weight = weight - RATE * (weight @ x - y) * x
        if step >= STEPS // 2:
            average += weight / (STEPS - STEPS // 2)
    return {"last": excess_loss(weight, truth), "average": excess_loss(average, truth)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    found = train(parser.parse_args().seed)
    found["gain"] = found["last"] - found["average"]
    print(found)
    with open("results.json", "w") as file:
        json.dump({"excess": found}, file)
