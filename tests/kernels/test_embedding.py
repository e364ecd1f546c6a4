"""What kernels/README.md promises to those who embed the ops: its examples, its table, a copied folder."""

import re
import runpy
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numba import config

import fastgan_kernels as fk

from .helpers import CONTRACTS

KERNELS = Path(__file__).parents[2] / "kernels"
EXAMPLES = sorted((KERNELS / "examples").glob("*.py"))
README = (KERNELS / "README.md").read_text(encoding="utf-8")


def accuracy_printed_by(example, capsys):
    runpy.run_path(str(KERNELS / "examples" / example), run_name="__main__")
    return float(re.search(r"([\d.]+)% of the rows", capsys.readouterr().out)[1])


def test_a_compiled_loop_of_ones_own_learns(capsys):
    assert accuracy_printed_by("numba_loop.py", capsys) > 95


def test_a_pytorch_network_learns_through_views_of_its_memory(capsys):
    torch = pytest.importorskip("torch", reason="the example is for PyTorch, which is not installed")
    assert accuracy_printed_by("torch_memory.py", capsys) > 95

    train = runpy.run_path(str(KERNELS / "examples" / "torch_memory.py"))["train"]
    torch.manual_seed(3)
    ours, theirs = (torch.nn.Linear(5, 4) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    x, labels = torch.randn(17, 5), torch.arange(17) % 3
    optimiser = torch.optim.Adam(theirs.parameters(), lr=0.01)
    for _ in range(5):
        logits = theirs(x)
        real = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], torch.ones(17))
        loss = real + torch.nn.functional.cross_entropy(logits[:, 1:], labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert train(ours, x, labels, steps=5, learning_rate=0.01) == pytest.approx(loss.item(), rel=1e-6)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(a.detach(), b.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.gpu
@pytest.mark.skipif(
    config.ENABLE_CUDASIM or find_spec("cupy") is None,
    reason="needs a GPU and CuPy; Numba simulates one here",
)
def test_a_captured_step_learns_on_a_gpu(capsys):
    assert accuracy_printed_by("on_a_gpu.py", capsys) > 95


@pytest.mark.gpu
@pytest.mark.skipif(
    config.ENABLE_CUDASIM or find_spec("cupy") is None,
    reason="needs a GPU and CuPy; Numba simulates one here",
)
@pytest.mark.parametrize("own_stream", [False, True])
def test_an_op_writes_the_memory_of_pytorch_tensors_on_a_gpu(own_stream):
    torch = pytest.importorskip("torch", reason="it is PyTorch's memory, which is not installed")
    if not torch.cuda.is_available():
        pytest.skip("this PyTorch has no CUDA")
    import cupy

    import fastgan_kernels.cuda  # noqa: F401, registers the ops

    stream = torch.cuda.Stream() if own_stream else torch.cuda.current_stream()
    with torch.cuda.stream(stream), cupy.cuda.ExternalStream(stream.cuda_stream):
        x, w, b = (
            torch.randn(33, 5, device="cuda"),
            torch.randn(5, 7, device="cuda"),
            torch.randn(7, device="cuda"),
        )
        y = torch.full((33, 7), torch.nan, device="cuda")
        fk.dense_forward(*map(cupy.from_dlpack, (x, w, b)), fk.TANH, 0.0, cupy.from_dlpack(y))
        torch.testing.assert_close(y, torch.tanh(x @ w + b), rtol=1e-4, atol=1e-5)


def test_the_code_in_the_readme_is_the_code_that_was_run():
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert blocks == [example.read_text(encoding="utf-8") for example in EXAMPLES]


@pytest.mark.parametrize("op", CONTRACTS, ids=lambda op: op.__name__)
def test_the_readme_has_every_op_and_marks_what_it_writes(op):
    row = re.search(rf"^\| `{op.__name__}` \| (.*?) \|", README, flags=re.MULTILINE)
    assert row, "kernels/README.md has no row for this op"
    if not row[1].startswith("the same"):
        assert set(re.findall(r"\*\*(\w+)\*\*", row[1])) == set(CONTRACTS[op].written.split())


@pytest.mark.skipif(
    not config.ENABLE_CUDASIM, reason="the simulator's kernels are looked at, which are the same ones"
)
def test_the_readme_names_every_raw_kernel():
    from numba.cuda.simulator.kernel import FakeCUDAKernel

    import fastgan_kernels.cuda

    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", README.partition("The raw `@cuda.jit`")[2], re.MULTILINE)
    named = {module: set(re.findall(r"`(\w+)`", kernels)) for module, kernels in rows}
    found = {}
    for module in map(sys.modules.get, sorted(sys.modules)):
        package, _, name = getattr(module, "__name__", "").rpartition(".")
        if package == fastgan_kernels.cuda.__name__ and name != "device":
            kernels = {
                each
                for each, value in vars(module).items()
                if isinstance(value, FakeCUDAKernel)
                and not value._device
                and value.__module__ == module.__name__
            }
            found |= {name: kernels} if kernels else {}
    assert named == found


def test_the_folder_works_when_copied_into_another_package(tmp_path):
    package = Path(fk.__file__).parent
    shutil.copytree(package, tmp_path / "mine" / "ops", ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "import numpy as np, sys; from mine.ops import key_of, normal; x = np.empty(3, np.float32);"
        "normal(x, key_of(0), np.zeros(1, np.int64), 0); print(*x);"
        "assert not [m for m in sys.modules if m.startswith('fastgan')]"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.stderr == ""
    expected = np.empty(3, np.float32)
    fk.normal(expected, fk.key_of(0), np.zeros(1, np.int64), 0)
    assert run.stdout.split() == [str(x) for x in expected]
