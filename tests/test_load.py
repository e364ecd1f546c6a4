"""Much data, little data, and networks of every extreme of shape."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from fastgan import GAN
from fastgan.data import from_arrays

from .commands import TINY, environment
from .small_gan import small

MEBI = 1 << 20
tells_memory = pytest.mark.skipif(
    not os.path.exists("/proc/self/status"), reason="the system does not tell what memory is used"
)

# Trains a run, with all that it writes, and says what memory of its own the process used along the way.
LONG = """
import sys
from pathlib import Path
from fastgan import recipe as recipes
from fastgan.progress import Progress
from fastgan.run import train_run

class Memory(Progress):
    def update(self, first_step, statistics):
        status = open("/proc/self/status").read()
        print(first_step, int(status.partition("RssAnon:")[2].split()[0]) << 10)

train_run(recipes.load(sys.argv[1]), Path(sys.argv[2]), Memory())
"""


@tells_memory
def test_long_runs_take_no_more_memory_than_short_ones(tmp_path):
    often = "samples_every = 0\ncheckpoint_every = 2000"
    text = TINY.replace(
        '"numpy"\nepochs = 4\nsamples_every = 2\ncheckpoint_every = 1', f'"cpu"\nsteps = 300000\n{often}'
    )
    (tmp_path / "long.toml").write_text(text)
    command = [sys.executable, "-c", LONG, str(tmp_path / "long.toml"), str(tmp_path / "run")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300, check=True)
    steps, memory = np.array([line.split() for line in done.stdout.splitlines()], np.int64).T
    assert 3_000 < len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) < 8_000
    early = memory[steps < 50_000].max()
    assert steps.max() > 290_000 and memory.max() < early + MEBI


# Trains some steps on a .npy file, and says what memory of its own the process used beyond what it had when idle.
TRAIN = """
import sys, tracemalloc
import numpy as np
from fastgan import GAN
from fastgan.data import load_dataset

def own():
    status = open("/proc/self/status").read()
    return int(status.partition("RssAnon:")[2].split()[0]) << 10

small = dict(generator=[8], discriminator=[8], latent_dim=2, batch_size=64, backend="numpy", threads=1)
GAN(**small).fit(np.random.default_rng(0).normal(size=(99, 8)).astype(np.float32), steps=2)
before = own()
tracemalloc.start()
data = load_dataset("file", sys.argv[1])
gan = GAN(**small).fit(data, steps=200)
assert len(data) == 10**7 and np.isfinite(gan.history["g_loss"]).all()
print(tracemalloc.get_traced_memory()[1], own() - before)
"""


@tells_memory
def test_ten_million_rows_are_never_in_memory_at_once(tmp_path):
    rows = np.lib.format.open_memmap(
        tmp_path / "rows.npy", "w+", np.float32, (10**7, 8)
    )  # 305 MiB, mostly holes
    rows[:: 10**5] = np.random.default_rng(0).normal(size=(100, 8))
    rows.flush()
    command = [sys.executable, "-c", TRAIN, str(tmp_path / "rows.npy")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=300, check=True)
    allocated, own = map(int, done.stdout.split())
    assert allocated < 16 * MEBI and own < 32 * MEBI


ROWS = np.random.default_rng(0).normal(size=(96, 3)).astype(np.float32)

SHAPES = {
    "a batch of one row": (ROWS, dict(batch_size=1, update="joint")),
    "a batch whose halves have one row": (ROWS, dict(batch_size=2)),
    "a batch of an odd number": (ROWS, dict(batch_size=3, update="joint")),
    "all rows in a batch": (ROWS, dict(batch_size=96)),
    "all of two rows": (ROWS[:2], dict(batch_size=2)),
    "one column": (ROWS[:, :1], dict()),
    "one unit a layer": (ROWS[:, :1], dict(generator=[1], discriminator=[1], latent_dim=1)),
    "no hidden layers": (ROWS, dict(generator=[], discriminator=[])),
    "twenty layers": (ROWS, dict(generator=[6] * 20, discriminator=[6] * 20)),
    "twenty layers of one unit": (ROWS, dict(generator=[1] * 20, discriminator=[1] * 20)),
    "a wide layer between narrow ones": (ROWS, dict(generator=[1, 2000, 1], discriminator=[1, 2000, 1])),
    "a latent vector longer than all": (ROWS, dict(latent_dim=3000)),
    "more columns than rows": (np.tile(ROWS[:8], (1, 500)), dict(batch_size=8)),
    "rows that are all the same": (np.ones((96, 3), np.float32), dict()),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_trains_alike_on_both_backends(shape):
    x, more = SHAPES[shape]
    data = from_arrays(x)
    numpy, cpu = (
        GAN(
            **(dict(generator=[7], discriminator=[9], latent_dim=4, batch_size=16, epsilon=1e-3) | more),
            backend=name,
        )
        for name in ("numpy", "cpu")
    )
    for each in (numpy, cpu):
        each.fit(data, steps=5)
        assert np.isfinite(each.sample(3, seed=1)).all()
    for name, values in numpy.history.items():
        assert np.isfinite(values).all()
        np.testing.assert_allclose(values, cpu.history[name], rtol=1e-5, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(numpy.sample(50, seed=1), cpu.sample(50, seed=1), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "form", [dict(generator_norm="layer"), dict(generator_dropout=0.5), dict(spectral_norm=True)]
)
def test_twenty_layers_of_every_form(form):
    gan = small(generator=[6] * 20, discriminator=[6] * 20, **form).fit(ROWS, steps=5)
    assert all(np.isfinite(values).all() for values in gan.history.values())
