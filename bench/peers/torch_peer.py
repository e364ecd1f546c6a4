"""PyTorch: eager with fused Adam, the same under CUDA graphs, and the whole step as one compiled graph.

All hold the rows as float32 in network units, so they gather without converting.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.problem import Layers, Problem, flat
from bench.worker import DEVICE

LAST: dict[str, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh, "linear": lambda x: x}


class Player(nn.Module):
    """A dense network; the one-hot label's rows of the first weights are an embedding, which is added.

    That is faster, eager, than joining one-hot columns to the latent vector.
    """

    def __init__(self, layers: Layers, hidden: Callable[[Tensor], Tensor], last: str, inputs: int):
        super().__init__()
        self.hidden, self.last = hidden, LAST[last]
        weights = [layers[0][0][:inputs]] + [w for w, _ in layers[1:]]
        self.layers = nn.ModuleList(nn.Linear(*w.shape) for w in weights)
        with torch.no_grad():
            for linear, w, (_, b) in zip(self.layers, weights, layers, strict=True):
                linear.weight.copy_(torch.tensor(w.T))
                linear.bias.copy_(torch.tensor(b))
        labels = layers[0][0][inputs:]
        self.labels = nn.Embedding(*labels.shape, _weight=torch.tensor(labels)) if len(labels) else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.layers[0](x)
        if self.labels is not None:
            x = x + self.labels(labels)
        for linear in self.layers[1:]:
            x = linear(self.hidden(x))
        return self.last(x)

    def flat_gradients(self) -> np.ndarray:
        """Gradients in fastgan's order."""
        grads = [(each.weight.grad.T, each.bias.grad) for each in self.layers]
        if self.labels is not None:
            grads[0] = (torch.cat([grads[0][0], self.labels.weight.grad]), grads[0][1])
        return flat([[each.cpu().numpy() for each in layer] for layer in grads])


class _Torch:
    def __init__(self, problem: Problem, threads: int):
        if os.environ.get(DEVICE, "cpu") == "cuda" and not torch.cuda.is_available():
            raise NotImplementedError("this PyTorch finds no card")
        torch.set_num_threads(threads)
        torch.set_default_device(os.environ.get(DEVICE, "cpu"))
        torch.manual_seed(0)
        self.problem, self.size, self.knobs = problem, problem.size, problem.knobs
        self.rows, self.labels = torch.tensor(problem.rows), torch.tensor(problem.labels)
        self.chunk = 1

    def batch(self, role: str) -> tuple[Tensor, Tensor | None]:
        """What a role sees in the check of gradients."""
        given = self.problem.batches[role]
        return torch.tensor(given.x), torch.tensor(given.labels) if self.size.classes else None

    def real_rows(self) -> tuple[Tensor, Tensor | None]:
        """Rows drawn with replacement, as document 004 draws them, and their labels."""
        indices = torch.randint(len(self.rows), (self.size.half,))
        return self.rows[indices], self.labels[indices] if self.size.classes else None

    def latent(self, rows: int) -> tuple[Tensor, Tensor | None]:
        """Fresh noise, and the classes asked for."""
        labels = torch.randint(self.size.classes, (rows,)) if self.size.classes else None
        return torch.randn(rows, self.size.latent_dim), labels

    def losses(self, logits: Tensor, target: Tensor, labels: Tensor | None) -> list[Tensor]:
        """Adversarial loss, mean D(x) and class loss; means over rows."""
        score = logits[:, 0]
        found = [
            functional.binary_cross_entropy_with_logits(score, target),
            torch.sigmoid(score.detach()).mean(),
        ]
        return [*found, functional.cross_entropy(logits[:, 1:], labels)] if labels is not None else found


class Eager(_Torch):
    """The usual loop: fused Adam, fakes for D under `no_grad`, no gradients of D's weights in G's update.

    Losses and D(x) are kept as tensors and read once a run: on this path `.item()` would be free as well.
    """

    capturable = False

    def __init__(self, problem: Problem, threads: int):
        super().__init__(problem, threads)
        slope, knobs, size = self.knobs["leaky_slope"], self.knobs, self.size
        self.g = Player(problem.generator, functional.relu, knobs["output"], size.latent_dim)
        self.d = Player(
            problem.discriminator, lambda x: functional.leaky_relu(x, slope), "linear", size.columns
        )
        self.g_weights = list(self.g.parameters())
        self.g_optimiser, self.d_optimiser = (
            torch.optim.Adam(
                player.parameters(),
                lr=knobs[rate],
                betas=(knobs["beta1"], knobs["beta2"]),
                eps=knobs["epsilon"],
                fused=True,
                capturable=self.capturable,
            )
            for player, rate in ((self.g, "generator_lr"), (self.d, "discriminator_lr"))
        )
        self.ones, self.zeros = torch.ones(size.batch_size), torch.zeros(size.half)
        self.statistics: list[Tensor] = []
        self.description = f"torch {torch.__version__} eager"

    def backward(
        self, logits: Tensor, target: Tensor, labels: Tensor | None, weights: list[Tensor] | None = None
    ) -> None:
        losses = self.losses(logits, target, labels)
        self.statistics += [each.detach() for each in losses]
        total = losses[0] if labels is None else losses[0] + losses[2]
        total.backward(inputs=weights)

    def train_discriminator(self, x: Tensor, labels: Tensor | None, target: Tensor) -> None:
        self.d_optimiser.zero_grad(set_to_none=True)
        self.backward(self.d(x), target, labels)
        self.d_optimiser.step()

    def train_generator(self, z: Tensor, labels: Tensor | None) -> None:
        self.g_optimiser.zero_grad(set_to_none=True)
        self.backward(self.d(self.g(z, labels)), self.ones, labels, self.g_weights)
        self.g_optimiser.step()

    def fake(self, z: Tensor, labels: Tensor | None) -> Tensor:
        with torch.no_grad():
            return self.g(z, labels)

    def one_step(self) -> None:
        half = self.size.half
        x, labels = self.real_rows()
        self.train_discriminator(x, labels, self.ones[:half])
        z, labels = self.latent(half)
        self.train_discriminator(self.fake(z, labels), labels, self.zeros)
        self.train_generator(*self.latent(self.size.batch_size))

    def run(self, steps: int) -> None:
        self.statistics = []
        for _ in range(steps):
            self.one_step()
        if not torch.stack(self.statistics).isfinite().all():
            raise FloatingPointError("the training diverged")

    def gradients(self) -> dict[str, np.ndarray]:
        states = [(each, {k: v.clone() for k, v in each.state_dict().items()}) for each in (self.g, self.d)]
        (x, real_labels), (z, labels) = self.batch("d_real"), self.batch("d_fake")
        found = {}
        for role in ("d_real", "d_fake", "g"):
            if role == "d_real":
                self.train_discriminator(x, real_labels, self.ones[: len(x)])
            elif role == "d_fake":
                self.train_discriminator(self.fake(z, labels), labels, self.zeros)
            else:
                self.train_generator(*self.batch("g"))
            found[role] = (self.g if role == "g" else self.d).flat_gradients()
            for player, state in states:
                player.load_state_dict(state)
        return found


class Graphs(Eager):
    """The eager step captured once as a CUDA graph and replayed; its losses lie where the graph left them."""

    capturable = True

    def __init__(self, problem: Problem, threads: int):
        if os.environ.get(DEVICE, "cpu") != "cuda":
            raise NotImplementedError("CUDA graphs need a card")
        super().__init__(problem, threads)
        self.graph: torch.cuda.CUDAGraph | None = None
        self.description = f"torch {torch.__version__} under CUDA graphs"

    def capture(self) -> None:
        """Warm up on a stream of its own, as PyTorch's documentation asks, and record one step."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.statistics = []
                self.one_step()
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        self.statistics = []
        with torch.cuda.graph(self.graph):
            self.one_step()
            self.last = torch.stack(self.statistics)

    def run(self, steps: int) -> None:
        if self.graph is None:
            self.capture()
        assert self.graph is not None
        for _ in range(steps):
            self.graph.replay()
        if not self.last.isfinite().all():
            raise FloatingPointError("the training diverged")


class Compiled(_Torch):
    """All of a step, random numbers and Adam included, as one graph of `torch.compile`.

    `torch.func.grad` keeps the three backward passes inside the graph, and Inductor's C++ wrapper spares the Python
    between its kernels. Compiling losses alone and calling the fused optimiser, the shorter way, is slower here.
    """

    def __init__(self, problem: Problem, threads: int):
        if not any(shutil.which(name) for name in ("c++", "g++", "clang++")):
            raise NotImplementedError("torch.compile needs a C++ compiler, and there is none")
        super().__init__(problem, threads)
        import torch._dynamo.config
        import torch._inductor.config

        torch._inductor.config.cpp_wrapper = True
        whole = (
            not torch._dynamo.config.disable
        )  # an error where it would be cut, unless compiling is turned off
        self.g, self.d = (
            [torch.tensor(each) for layer in layers for each in layer]
            for layers in (problem.generator, problem.discriminator)
        )
        self.state = {
            name: (
                [torch.zeros_like(each) for each in weights],
                [torch.zeros_like(each) for each in weights],
                torch.zeros(()),
            )
            for name, weights in (("g", self.g), ("d", self.d))
        }
        self.step = torch.compile(self.one_step, fullgraph=whole)
        self.description = f"torch {torch.__version__} compiled, inductor with cpp_wrapper"
        self.compiled_gradients = torch.compile(self.all_gradients, fullgraph=whole)

    def network(
        self,
        weights: list[Tensor],
        x: Tensor,
        hidden: Callable[[Tensor], Tensor],
        last: Callable[[Tensor], Tensor],
    ) -> Tensor:
        for index in range(0, len(weights), 2):
            x = torch.addmm(weights[index + 1], x if index == 0 else hidden(x), weights[index])
        return last(x)

    def generate(self, weights: list[Tensor], z: Tensor, labels: Tensor | None) -> Tensor:
        if labels is not None:
            z = torch.cat([z, functional.one_hot(labels, self.size.classes).to(z.dtype)], 1)
        return self.network(weights, z, torch.relu, LAST[self.knobs["output"]])

    def loss(
        self, weights: list[Tensor], x: Tensor, target: float, labels: Tensor | None
    ) -> tuple[Tensor, list[Tensor]]:
        slope = self.knobs["leaky_slope"]
        logits = self.network(weights, x, lambda y: functional.leaky_relu(y, slope), LAST["linear"])
        losses = self.losses(logits, torch.full_like(logits[:, 0], target), labels)
        return losses[0] if labels is None else losses[0] + losses[2], losses

    def d_gradient(self, x: Tensor, target: float, labels: Tensor | None) -> Any:
        return torch.func.grad(lambda weights: self.loss(weights, x, target, labels), has_aux=True)(self.d)

    def g_gradient(self, z: Tensor, labels: Tensor | None) -> Any:
        return torch.func.grad(
            lambda weights: self.loss(self.d, self.generate(weights, z, labels), 1.0, labels), has_aux=True
        )(self.g)

    def adam(self, name: str, gradients: list[Tensor]) -> None:
        weights, rate = (
            (self.g, self.knobs["generator_lr"]) if name == "g" else (self.d, self.knobs["discriminator_lr"])
        )
        beta1, beta2 = self.knobs["beta1"], self.knobs["beta2"]
        means, squares, t = self.state[name]
        t.add_(1)
        for w, g, mean, square in zip(weights, gradients, means, squares, strict=True):
            mean.mul_(beta1).add_(g, alpha=1 - beta1)
            square.mul_(beta2).addcmul_(g, g, value=1 - beta2)
            root = torch.sqrt(square / (1 - beta2**t)) + self.knobs["epsilon"]
            w.sub_(rate / (1 - beta1**t) * mean / root)

    def one_step(self) -> Tensor:
        x, labels = self.real_rows()
        gradients, real = self.d_gradient(x, 1.0, labels)
        self.adam("d", gradients)
        z, labels = self.latent(self.size.half)
        gradients, fake = self.d_gradient(self.generate(self.g, z, labels), 0.0, labels)
        self.adam("d", gradients)
        gradients, generator = self.g_gradient(*self.latent(self.size.batch_size))
        self.adam("g", gradients)
        return torch.stack([*real, *fake, *generator])

    @torch.no_grad()
    def run(self, steps: int) -> None:
        statistics = [self.step() for _ in range(steps)]
        if not torch.stack(statistics).isfinite().all():
            raise FloatingPointError("the training diverged")

    def all_gradients(self, real: Any, fake: Any, latent: Any) -> list[list[Tensor]]:
        z, labels = fake
        return [
            self.d_gradient(real[0], 1.0, real[1])[0],
            self.d_gradient(self.generate(self.g, z, labels), 0.0, labels)[0],
            self.g_gradient(*latent)[0],
        ]

    @torch.no_grad()
    def gradients(self) -> dict[str, np.ndarray]:
        roles = ("d_real", "d_fake", "g")
        found = self.compiled_gradients(*(self.batch(role) for role in roles))
        return {
            role: flat([[each.cpu().numpy() for each in grads]])
            for role, grads in zip(roles, found, strict=True)
        }
