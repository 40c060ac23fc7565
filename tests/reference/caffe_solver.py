"""The update of the release's solver again, in NumPy and float64, from its own numbers.

Caffe's SGDSolver in the fork that the release was trained with: `iter_size` batches are added up,
and both the sum and the decay are divided by `iter_size` together with the learning rate.
"""

import numpy as np

# blobs_lr and weight_decay of the prototxts; batch normalisation has none, so Caffe's default, 1.
MULTIPLIERS = {
    "kernel": (1, 1),
    "bias": (2, 0),
    "gamma": (1, 1),
    "beta": (1, 1),
}


class CaffeSolver:
    """One solver: weights by path (`layer/kind`), and the numbers of a solver.prototxt."""

    def __init__(
        self,
        weights: dict[str, np.ndarray],
        base_lr: float = 0.01,
        gamma: float = 0.1,
        stepsize: int = 9000,
        momentum: float = 0.9,
        weight_decay: float = 0.0005,
        iter_size: int = 8,
        undecayed: tuple[str, ...] = (),
    ) -> None:
        self.weights = {path: value.astype(np.float64) for path, value in weights.items()}
        self.history = {path: np.zeros(value.shape) for path, value in weights.items()}
        self.base_lr, self.gamma, self.stepsize = base_lr, gamma, stepsize
        self.momentum, self.weight_decay, self.iter_size = momentum, weight_decay, iter_size
        self.undecayed = undecayed
        self.iteration = 0

    def step(self, batches: list[dict[str, np.ndarray]]) -> None:
        """One iteration: the gradients of `iter_size` batches by path."""
        assert len(batches) == self.iter_size
        rate = self.base_lr * self.gamma ** (self.iteration // self.stepsize)
        for path, weight in self.weights.items():
            kind = path.split("/")[-1]
            lr_mult, decay_mult = MULTIPLIERS[kind]
            decay = 0.0 if kind in self.undecayed else self.weight_decay * decay_mult
            diff = np.zeros(weight.shape)
            for gradients in batches:
                diff += gradients[path]
            diff += decay * weight
            local_rate = rate * lr_mult / self.iter_size
            self.history[path] = self.momentum * self.history[path] + local_rate * diff
            self.weights[path] = weight - self.history[path]
        self.iteration += 1
