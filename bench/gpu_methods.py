"""What a training method costs on a card: the check "methods" of `bench.gpu_check`."""

from __future__ import annotations

from bench.gpu_kernels import OURS
from bench.methods import METHODS, plain_of, trainer_of
from bench.results import Results, Row
from bench.rounds import Summary, ratios
from bench.sizes import FASHION, SEQ8, Size

ROUNDS, STEPS = 7, 100

CHOSEN = {
    SEQ8: [name for name, method in METHODS.items() if "penalty_every" not in method],
    FASHION: ["plain", "wgan-gp", "r1+r2"],
}
"""Not lazy penalties: a device does their work in every step, due or not."""


def methods(results: Results) -> str:
    """A discriminator step with each method beside a plain one, by turns, by the card's clock."""
    said = []
    for size, chosen in CHOSEN.items():
        seconds, most = discriminator_seconds(size, chosen), 0.0
        for method, each in seconds.items():
            figures, ratio = Summary.of([1e6 * s for s in each]), ratios(each, seconds[plain_of(method)])
            of = "gpu method, joint", size.name, f"{OURS}, {method}"
            results.rows.append(Row.of(*of, figures, ROUNDS, ratio=ratio))
            print(
                f"  {size.name}, {method}: {figures.median:.1f} us, {ratio.median:.2f} plain ones", flush=True
            )
            if "gradient_penalty" in METHODS[method]:
                most = max(most, ratio.median)
        said.append(f"{size.name}: a penalised D step takes {most:.2f} plain ones at most")
    return "; ".join(said)


def discriminator_seconds(size: Size, chosen: list[str]) -> dict[str, list[float]]:
    """Seconds of a discriminator step in each round, by method: half of what two more of them add to a step."""
    pairs = {name: [CapturedSteps(size, n_critic, **METHODS[name]) for n_critic in (1, 3)] for name in chosen}
    found: dict[str, list[float]] = {name: [] for name in chosen}
    for _ in range(ROUNDS):
        for name, (one, three) in pairs.items():
            found[name].append((three.seconds() - one.seconds()) / 2)
    return found


class CapturedSteps:
    """A training on the card with so many discriminator steps in each step."""

    def __init__(self, size: Size, n_critic: int, **method: object):
        trainer = trainer_of(size, n_critic, "cuda", update="joint", **method)
        trainer.train(3)
        self.device = trainer.backend._device

    def seconds(self) -> float:
        """Of one step, by the card's own clock."""
        import cupy

        start, stop, stream = cupy.cuda.Event(), cupy.cuda.Event(), self.device.stream
        with stream:
            start.record(stream)
            for _ in range(STEPS):
                self.device._step()
            stop.record(stream)
            stop.synchronize()
        return float(cupy.cuda.get_elapsed_time(start, stop)) / 1e3 / STEPS
