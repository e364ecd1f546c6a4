"""GANs that train at the same time, in threads or in processes: each makes the bytes that it makes alone."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl

from fastgan import GAN, UserError
from fastgan.callbacks import Every
from fastgan.monitor import Monitor

from .commands import environment

X = np.random.default_rng(0).normal([3, -1], [0.5, 0.1], (96, 2)).astype(np.float32)
GANS = [("numpy", 1), ("cpu", 1), ("cpu", 2)]


def train(backend: str, threads: int, seed: int, start: threading.Barrier | None = None) -> bytes:
    """Train a GAN a hundred steps and return its samples; all begin when the last one is ready."""
    if start:
        start.wait(60)
    gan = GAN(
        generator=[40, 40], discriminator=[40], batch_size=32, backend=backend, threads=threads, seed=seed
    )
    gan.fit(X, steps=100, callbacks=[Monitor(20), Every(10, lambda trainer: trainer.generator.sample(9))])
    return gan.sample(50, seed=1).tobytes()


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 2), (0, 1)])
def test_two_threads(first: int, second: int) -> None:
    wanted = [(*GANS[first], 1), (*GANS[second], 2)]
    alone = [train(*each) for each in wanted]
    before = threadpoolctl.threadpool_info()
    start = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda each: train(*each, start), wanted)) == alone
    assert threadpoolctl.threadpool_info() == before
    assert alone[0] != alone[1]


# Run as a program, for processes that are spawned import it anew.
SCRIPT = """
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from tests.test_side_by_side import GANS, train

def work(seed):
    return [train(*each, seed) for each in GANS]

if __name__ == "__main__":
    alone = [work(seed) for seed in (1, 2)]
    for method in sys.argv[1:]:
        with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
            print(method, list(pool.map(work, [1, 2])) == alone)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this system cannot fork")
def test_two_processes(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    variables = environment()
    variables["PYTHONPATH"] += f":{Path(__file__).parents[1]}"
    command = [sys.executable, "-W", "ignore::DeprecationWarning", tmp_path / "script.py", "fork", "spawn"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=variables)
    assert (done.returncode, done.stdout) == (0, "fork True\nspawn True\n"), done.stderr


@pytest.mark.parametrize(("backend", "threads"), GANS)
def test_one_gan_in_two_threads_is_refused(backend: str, threads: int) -> None:
    """Its steps would share their buffers, and threads meet others than their own and wait for ever."""
    gan, refused = GAN(generator=[4], discriminator=[4], backend=backend, threads=threads), []
    wanted = GAN(generator=[4], discriminator=[4], backend=backend, threads=threads).fit(X, steps=20)

    def intrude() -> None:
        for intrusion in (lambda: gan.fit(X, steps=1), lambda: gan.train_on_batch(X[:8])):
            with pytest.raises(UserError, match="being trained by another thread; give each thread a GAN"):
                intrusion()
            refused.append(intrusion)

    def another_thread(trainer: object) -> None:
        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join(60)

    gan.fit(X, steps=10, callbacks=[Every(0, another_thread)])
    assert len(refused) == 2
    with ThreadPoolExecutor(1) as pool:  # one after the other is as good as in one
        pool.submit(gan.fit, X, steps=10).result(60)
    assert gan.sample(5, seed=1).tobytes() == wanted.sample(5, seed=1).tobytes()
