"""The same training in PyTorch, float64, from the same weights, rows and noise: the other opinion on gradients."""

from functools import partial

import numpy as np
import pytest

from fastgan.batches import generate, real_batch
from fastgan.embedding import table_of
from fastgan.forms import MOST_LAYERS, running_moments
from fastgan.networks import weights
from fastgan.norms import EPSILON, MOMENTUM, columns_of, scale_of
from fastgan.passes import DOUBT
from fastgan.penalties import draw_of
from fastgan.state import MIXING, NOISE, STREAMS
from fastgan_kernels import add_noise, dropout, uniform

torch = pytest.importorskip("torch", reason="PyTorch, the other opinion on gradients, is not installed")
functional = torch.nn.functional
torch.set_num_threads(1)  # the networks are tiny

# Which halves of the discriminator's batch have a penalty: real rows, fake ones.
HALVES = {"none": "", "wgan-gp": "f", "r1": "r", "r2": "f", "r1+r2": "rf"}

HIDDEN = {
    "relu": torch.relu,
    "leaky_relu": lambda x: functional.leaky_relu(x, 0.2),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}


class Player:
    """A copy of one of fastgan's networks, float64, that PyTorch differentiates."""

    def __init__(self, gan, net, activation, last, classes=0, group=0):
        self.gan, self.form, self.noise = gan, net.form, net.undecided
        self.paired = net.bigrams.vocabulary if net.bigrams else 0
        self.layers, self.running, self.table = [], [], []
        if net.embedding is not None:
            self.table = [torch.tensor(table_of(net, net.params).astype(float), requires_grad=True)]
        moments = running_moments(net)
        for layer in range(len(net.layers)):
            arrays = [*weights(net, net.params, layer)]
            if net.form is not None and net.form.norm is not None and layer < len(net.layers) - 1:
                arrays.append(scale_of(net, net.params, layer))
            self.layers.append([torch.tensor(each.astype(float), requires_grad=True) for each in arrays])
            if moments is not None:
                columns = slice(*columns_of(net, layer))
                self.running.append([torch.tensor(each[columns].astype(float)) for each in moments])
        self.tensors = self.table + [each for layer in self.layers for each in layer]
        self.activation, self.last, self.classes, self.group = activation, last, classes, group
        self.vectors = []
        if net.spectral is not None:
            ends = [np.cumsum(net.layers[:-1, column]) for column in (0, 1)]
            pair = (net.spectral.left, net.spectral.right)
            parts = [np.split(vector.astype(float), end) for vector, end in zip(pair, ends, strict=True)]
            self.vectors = [tuple(map(torch.tensor, each)) for each in zip(*parts, strict=True)]

    def weight(self, layer):
        """Weights as the network applies them: over u^T W v with u and v held still."""
        w = self.layers[layer][0]
        if not self.vectors:
            return w
        u, v = self.vectors[layer]
        return w / (u @ w @ v)

    def iterate(self):
        """One power iteration of each normalised layer (Miyato et al. 2018, algorithm 1), as an update of D ends."""
        for layer, (u, _) in enumerate(self.vectors):
            w = self.layers[layer][0].detach()
            v = functional.normalize(u @ w, dim=0)
            self.vectors[layer] = (functional.normalize(w @ v, dim=0), v)

    def normed(self, layer, y, bias, scale, *, training):
        """PyTorch's own normalisation, by the batch or by the running moments, or of each row."""
        if self.running:
            return functional.batch_norm(y, *self.running[layer], scale, bias, training, MOMENTUM, EPSILON)
        return functional.layer_norm(y, y.shape[1:], scale, bias, EPSILON)

    def handed_on(self, layer, x, y, first, draw):
        """What fastgan's form makes of a layer's outputs; its dropout keeps what the op keeps of ones."""
        if self.form is None:
            return y
        if self.form.pieces > 1:
            y = y.reshape(len(y), self.form.pieces, -1).amax(dim=1)
        if self.form.joined:
            y = torch.cat([y, x], dim=1)
        if self.form.dropout == 0 or draw is None:
            return y
        kept = np.ones(y.shape, np.float32)
        stream = self.form.masks + draw * MOST_LAYERS + layer
        dropout(kept, self.form.dropout, self.gan.key, self.gan.clock, stream, first, kept)
        return y * torch.tensor(kept.astype(float))

    def __call__(self, x, labels=None, first=0, draw=None):
        label = functional.one_hot(labels, self.classes) if self.classes else x[:, :0]
        if self.table and self.classes:
            x, label = torch.cat([x, self.table[0][labels]], dim=1), x[:, :0]
        elif self.table:
            x = (x.reshape(len(x), -1, len(self.table[0])) @ self.table[0]).reshape(len(x), -1)
        if self.paired:
            tokens = x.reshape(len(x), -1, self.paired)
            pairs = torch.einsum("rta,rtb->rtab", tokens[:, :-1], tokens[:, 1:])
            x = torch.cat([x, self.paired**0.5 * pairs.reshape(len(x), -1)], dim=1)
        count = len(self.layers)
        for layer in range(count):
            read = torch.cat([x, label], dim=1) if layer == 0 else x
            y, (_, bias, *scale) = read @ self.weight(layer), self.layers[layer]
            y = self.normed(layer, y, bias, *scale, training=draw is not None) if scale else y + bias
            if layer < count - 1:
                y = HIDDEN.get(self.activation, torch.nn.Identity())(y)
                y = self.handed_on(layer, x, y, first, draw)
            x = y
        if self.group and self.noise and draw is not None:
            noise = np.zeros(x.shape, np.float32)
            add_noise(noise, *self.noise, self.gan.key, self.gan.clock, DOUBT + draw, first)
            x = x + torch.tensor(noise.astype(float))
        if self.group:
            return torch.softmax(x.reshape(len(x), -1, self.group), dim=2).reshape(x.shape)
        return torch.tanh(x) if self.last == "tanh" else x

    def flat(self, gradients=False):
        chosen = [each.grad if gradients else each.detach() for each in self.tensors]
        return torch.cat([each.ravel() for each in chosen]).numpy().copy()


def adversarial(loss, role, s, smoothing):
    """Mean loss and mean score of logits s, written from the papers, not from fastgan."""
    real, fake = role == "real", role == "fake"
    if loss == "bce" or (loss == "minimax" and role != "generator"):
        target = torch.full_like(s, 0.0 if fake else 1.0 - smoothing * real)
        return functional.binary_cross_entropy_with_logits(s, target), torch.sigmoid(s).mean()
    if loss == "minimax":
        return functional.logsigmoid(-s).mean(), torch.sigmoid(s).mean()
    if loss == "mse":
        return ((s - (0.0 if fake else 1.0 - smoothing * real)) ** 2).mean(), s.mean()
    if loss == "hinge" and role != "generator":
        return torch.relu(1 + s if fake else 1 - s).mean(), s.mean()
    return (s if fake else -s).mean(), s.mean()


def optimiser_of(settings, player, rate):
    if settings.optimiser == "adam":
        betas = (settings.beta1, settings.beta2)
        return torch.optim.AdamW(
            player.tensors, rate, betas=betas, eps=settings.epsilon, weight_decay=settings.weight_decay
        )
    if settings.optimiser == "sgd":
        return torch.optim.SGD(player.tensors, rate, momentum=settings.momentum)
    return torch.optim.RMSprop(player.tensors, rate, alpha=settings.rho, eps=settings.epsilon)


class Twin:
    """The same training in PyTorch, fed with the rows and the noise that fastgan draws."""

    def __init__(self, trainer):
        self.trainer, self.settings = trainer, trainer.settings
        gan, kind = trainer.gan, trainer.dataset.spec
        last = "tanh" if kind.bounded else "linear"
        settings = self.settings
        self.g = Player(
            gan, gan.generator, settings.generator_activation, last, gan.n_classes, kind.vocabulary
        )
        self.d = Player(gan, gan.discriminator, settings.discriminator_activation, "linear")
        self.g_optimiser = optimiser_of(self.settings, self.g, self.settings.generator_lr)
        self.d_optimiser = optimiser_of(self.settings, self.d, self.settings.discriminator_lr)

    def real(self, critic_step):
        data = self.trainer.dataset
        x, y = real_batch(self.trainer.gan, data.array, data.labels, critic_step)
        return torch.tensor(x.astype(float)), torch.tensor(y.copy())

    def fake(self, rows, streams):
        gan = self.trainer.gan
        moments = running_moments(gan.generator)
        before = None if moments is None else moments.copy()
        generate(gan, rows, streams)
        if moments is not None:  # which our own step has yet to move
            moments[...] = before
        labels = torch.tensor(gan.latent_labels[:rows].copy())
        fake = self.g(torch.tensor(gan.latent[:rows].astype(float)), labels, 0, streams)
        return fake.reshape(rows // gan.pack, -1), labels

    def loss(self, role, x, labels, place=0, draw=None):
        logits = self.d(x, None, place * len(x), draw)
        value, score = adversarial(self.settings.loss, role, logits[:, 0], self.settings.label_smoothing)
        classes = functional.cross_entropy(logits[:, 1:], labels) if logits.shape[1] > 1 else torch.zeros(())
        self.statistics += [float(each.detach()) for each in (value, score, classes)]
        return value + classes

    def penalty(self, half, real, fake, critic_step):
        """The gradient penalty of a half (0: real, 1: fake), written from the papers; autograd twice."""
        settings, gan = self.settings, self.trainer.gan
        if "rf"[half] not in HALVES[settings.gradient_penalty] or gan.clock[0] % settings.penalty_every:
            return torch.zeros(())
        points = (real, fake)[half].detach().clone()
        if settings.gradient_penalty == "wgan-gp":
            alpha = np.empty(len(points), np.float32)
            uniform(alpha, gan.key, gan.clock, critic_step * STREAMS + MIXING)
            alpha = torch.tensor(alpha.astype(float))[:, None]
            points = alpha * real + (1 - alpha) * fake.detach()
        points.requires_grad_(True)
        place = (gan.real_half, gan.fake_half)[half]
        draw = draw_of(place, critic_step * STREAMS)
        scores = self.d(points, None, place.points * len(points), draw)[:, 0]
        (slopes,) = torch.autograd.grad(scores.sum(), points, create_graph=True)
        lengths = slopes.norm(dim=1)
        if settings.gradient_penalty == "wgan-gp":
            excess = lengths - 1
            excess = torch.relu(excess) if settings.penalty_one_sided else excess
            value = settings.penalty_weight * (excess**2).mean()
        else:
            value = settings.penalty_weight / 2 * (lengths**2).mean()
        value = value * settings.penalty_every
        self.slopes.append([float(value.detach()), float(lengths.mean().detach())])
        return value

    def d_update(self, *losses):
        self.d_optimiser.zero_grad()
        sum(losses).backward()
        self.clip(self.d)
        self.d_optimiser.step()
        self.d.iterate()

    def clip(self, player):
        if self.settings.clip_norm:
            torch.nn.utils.clip_grad_norm_(player.tensors, self.settings.clip_norm)

    def blurred(self, x, stream):
        """The noise that fastgan adds to what the discriminator sees."""
        gan = self.trainer.gan
        if gan.noise is None:
            return x
        noise = np.zeros(x.shape, np.float32)
        add_noise(noise, *gan.noise, gan.key, gan.clock, NOISE + stream, 0)
        return x + torch.tensor(noise.astype(float))

    def pairs(self, winners, losers):
        """The loss of winners that should be judged above losers (rows, labels, place, draw); both have classes."""
        looks = {}
        for x, _, place, draw in sorted((winners, losers), key=lambda each: each[2]):
            looks[place] = self.d(x, None, place * len(x), draw)
        above, below = looks[winners[2]], looks[losers[2]]
        value = functional.softplus(below[:, 0] - above[:, 0]).mean()
        classes = [
            functional.cross_entropy(logits[:, 1:], labels) if logits.shape[1] > 1 else torch.zeros(())
            for logits, labels in ((above, winners[1]), (below, losers[1]))
        ]
        scores = [float(each[:, 0].mean().detach()) for each in (above, below)]
        self.statistics += [float(value.detach()), scores[0], float(classes[0].detach())]
        return value, classes, scores[1]

    def step(self):
        gan = self.trainer.gan
        paired = self.settings.loss == "relativistic"
        for critic_step in range(gan.n_critic):
            self.statistics, self.slopes = [], []
            x, y = self.real(critic_step)
            streams = critic_step * STREAMS
            fake, labels = self.fake(len(x) * gan.pack, streams)
            x, fake = self.blurred(x, streams), self.blurred(fake.detach(), streams + 1)
            real_penalty, fake_penalty = (
                partial(self.penalty, half, x, fake, critic_step) for half in (0, 1)
            )
            if paired:
                value, classes, score = self.pairs((x, y, 0, streams), (fake, labels, 1, streams + 1))
                self.statistics += [0.0, score, float(classes[1].detach())]
                self.d_update(value, *classes, real_penalty(), fake_penalty())
            elif gan.joint:
                real = self.loss("real", x, y, 0, streams)
                fakes = self.loss("fake", fake, labels, 1, streams + 1)
                self.d_update(real, fakes, real_penalty(), fake_penalty())
            else:
                self.d_update(self.loss("real", x, y, 0, streams), real_penalty())
                self.d_update(self.loss("fake", fake, labels, 0, streams + 1), fake_penalty())
        d_gradients = self.d.flat(gradients=True)
        for turn in range(gan.n_critic, gan.n_critic + gan.n_generator):
            del self.statistics[6:]
            fake, labels = self.fake(len(gan.latent), turn * STREAMS)
            fake = self.blurred(fake, turn * STREAMS)
            self.g_optimiser.zero_grad()
            if paired:
                value, classes, _ = self.pairs((fake, labels, 1, turn * STREAMS), (x, y, 0, turn * STREAMS))
                loss = value + classes[0]
            else:
                loss = self.loss("generator", fake, labels, 0, turn * STREAMS)
            loss.backward()
            self.clip(self.g)
            self.g_optimiser.step()
        self.statistics += np.mean(self.slopes or [[0.0, 0.0]], axis=0).tolist()
        return d_gradients
