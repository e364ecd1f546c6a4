"""The cuda backend: a twin of the GAN on the device, and a step of it that is captured once and launched many times."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import numpy as np

import fastgan_kernels
from fastgan.backends import Backend
from fastgan.errors import UserError
from fastgan.networks import Network, entries_of, is_plain, whole_layers
from fastgan.staging import Stage
from fastgan.state import STATISTICS, Gan, lasting
from fastgan.step import TRAIN, perform
from fastgan_kernels import cuda as kernels
from fastgan_kernels.cuda.device import SIMULATED
from fastgan_kernels.dispatch import LAUNCHED

RING = 1024
"""Steps whose statistics the device keeps until they are read."""

MOST_OF_FREE = 0.8
"""Part of the device's free memory that fastgan fills."""

LESS = "lower batch_size, give narrower layers, or free the card"

HOST = frozenset(("layers", "blocks", "places", "meetings"))
"""Tables that lay out a network, which the host reads while it launches, and the place where threads meet."""


class CudaBackend(Backend):
    """Runs steps on the device, one launch a step, and brings their results back when somebody asks for them.

    Parameters
    ----------
    description : what to tell the user
    captured : launch a step as one CUDA graph; else kernel by kernel, to debug it
    resident : keep the data on the device if they fit; else gather rows on the host, step by step
    """

    def __init__(self, description: str, captured: bool = True, resident: bool = True):
        for name in fastgan_kernels.__all__:
            op = getattr(fastgan_kernels, name)
            if hasattr(op, "registry") and op not in LAUNCHED:
                raise UserError(f"backend is 'cuda' but {name} has no CUDA kernel; use backend = 'cpu'")
        super().__init__(description, perform, 0)
        self.captured, self.resident = captured, resident
        self._device: Device | None = None
        # A thread that draws samples while another trains waits for its steps: both copy what is newer to the host.
        self._lock = threading.RLock()

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy of a GAN has a backend of its own, on the same device."""
        return type(self), (self.description, self.captured, self.resident)

    def perform(
        self, action: int, gan: Gan, data: np.ndarray, labels: np.ndarray, statistics: np.ndarray
    ) -> None:
        """Call `fastgan.step.perform` on the device; returns when `statistics` are there."""
        with self._alone():
            if self._device is None or self._device.host is not gan:
                if self._device is not None:
                    with self._device.current():
                        self._device.close()
                self._device = None  # its memory is free for the next
                self._device = Device(gan, self.captured, self.resident)
            if action == TRAIN:
                self._device.train(data, labels, statistics)
            else:
                self._device.act(action, data, labels, statistics)

    def fetch(self, gan: Gan, to_change: bool = True) -> None:
        """Bring the host's arrays up to date; whoever asked may then change them, unless told otherwise."""
        with self._alone():
            if self._device is not None and self._device.host is gan:
                self._device.fetch(to_change)

    def broken(self, gan: Gan) -> str:
        """The first array that the next step depends on and that is not finite, as checkpoints name it; or nothing."""
        with self._alone():
            if self._device is None or self._device.host is not gan:
                return super().broken(gan)
            return self._device.broken()

    def ready(self) -> bool:
        """Whether the first call is quick; Numba compiles kernels in each process."""
        return self._device is not None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """A context for one thread at a time, in which a lack of the device's memory is told in one line."""
        with self._lock:
            try:
                yield
            except MemoryError as error:
                if not _of_the_device(error):
                    raise
                free = f"{free_bytes() / 1e6:,.1f} MB are free"
                raise UserError(f"the device is out of memory ({error}; {free}); {LESS}") from None


def _of_the_device(error: MemoryError) -> bool:
    """Whether it was CuPy that found no memory; else the host has too little."""
    return type(error).__module__.partition(".")[0] == "cupy"


class Device:
    """One GAN's twin on the device that is CuPy's current one when it is made."""

    def __init__(self, host: Gan, captured: bool, resident: bool):
        self.host, self.process = host, os.getpid()
        self.captured, self.resident = captured and not SIMULATED, resident
        check_room(host)
        self.card: Any = nullcontext()
        self.stream: Any = nullcontext()
        if not SIMULATED:
            import cupy

            self.card, self.stream = cupy.cuda.Device(), cupy.cuda.Stream(non_blocking=True)
        with self.stream:
            self.twin = twin_of(host)
            self.row = kernels.to_device(np.zeros((1, len(STATISTICS)), np.float32))
        self._pairs = list(pairs(host, self.twin))
        self._data: tuple[np.ndarray, np.ndarray] | None = None
        self._stage: Stage | None = None
        self._step: Callable[[], None] | None = None
        self._newer_here = False  # on the device than on the host
        self._stale = False

    @contextmanager
    def current(self) -> Iterator[None]:
        """A context in which the card and the stream are CuPy's current ones, whatever the caller's are."""
        if self.process != os.getpid():
            raise UserError(
                "this GAN is on the device of the process that this one was forked from, which cannot be shared; save "
                "it there and load it here, or start this process anew: multiprocessing.get_context('spawn')"
            )
        with self.card, self.stream:
            yield

    def train(self, data: np.ndarray, labels: np.ndarray, statistics: np.ndarray) -> None:
        """Make a step for each row of statistics."""
        with self.current():
            self._bring()
            step = self._prepare(data, labels)
            start, done, steps = int(self.host.clock[0]), 0, len(statistics)
            try:
                while done < steps:
                    first, part = start + done, min(steps - done, RING)
                    self._newer_here = True
                    self._launch(step, first, part)
                    ring = kernels.to_host(self.twin.ring)
                    statistics[done : done + part] = ring[(first + np.arange(part)) % RING]
                    self.host.clock[0] = first + part
                    done += part
            except BaseException:  # Ctrl-C too: what the device has made counts
                first = start + done
                self.host.clock[:] = kernels.to_host(self.twin.clock)
                made = min(int(self.host.clock[0]) - first, steps - done)
                ring = kernels.to_host(self.twin.ring)
                statistics[done : done + made] = ring[(first + np.arange(made)) % RING]
                raise

    def _launch(self, step: Callable[[], None], first: int, steps: int) -> None:
        """Launch steps, the first of which is number `first`, with their rows on the device."""
        while steps > 0:
            here = steps if self._stage is None else min(steps, self._stage.bring(first))
            for _ in range(here):
                step()
                self._newer_here = True  # again: a signal's handler may have fetched what was here
            first, steps = first + here, steps - here
            if self._stage is not None:
                self._stage.used(first - 1)

    def act(self, action: int, data: np.ndarray, labels: np.ndarray, statistics: np.ndarray) -> None:
        """Perform one part of a step on a batch of the caller's, whose indices stand in the host's array."""
        with self.current():
            self._bring()
            kernels.copy_to(self.twin.indices, self.host.indices)
            self.row[...] = 0  # what an action does not fill may be an old NaN
            self._newer_here = True
            perform(action, self.twin, kernels.to_device(data), kernels.to_device(labels), self.row)
            statistics[:] = kernels.to_host(self.row)
            self.host.clock[:] = kernels.to_host(self.twin.clock)

    def fetch(self, to_change: bool) -> None:
        """Copy to the host what is newer on the device; `to_change`: the host's may then become newer."""
        if self._newer_here:
            with self.current():
                for here, there in self._pairs:
                    here[...] = kernels.to_host(there)
            self._newer_here = False
        self._stale |= to_change

    def broken(self) -> str:
        """The first array that the next step depends on and that is not finite; or nothing."""
        with self.current():
            for name, array in lasting(self.twin).items():
                if not kernels.to_host(abs(array).max() < np.inf):
                    return name
        return ""

    def _bring(self) -> None:
        """Copy to the device what may be newer on the host."""
        if self._stale:
            self._upload()
            self._stale = False

    def _upload(self) -> None:
        for here, there in self._pairs:
            kernels.copy_to(there, here)

    def close(self) -> None:
        """Let go of the data and of what makes a step; waits for copies that are under way."""
        if self._stage is not None:
            self._stage.close()
        self._data = self._stage = self._step = None

    def _prepare(self, data: np.ndarray, labels: np.ndarray) -> Callable[[], None]:
        """What makes one step on these data."""
        if self._step is not None and self._data is not None:
            if self._data[0] is data and self._data[1] is labels:
                return self._step
        self.close()
        self._data, twin = (data, labels), self.twin
        there: tuple[Any, ...]
        if self.resident and data.nbytes + labels.nbytes < MOST_OF_FREE * free_bytes():
            there = kernels.to_device(data), kernels.to_device(labels)
        else:
            self._stage = stage = Stage(self.host, data, labels)
            twin, there = twin._replace(slots=stage.slots), (stage.data, stage.labels)
        arguments = TRAIN, twin, *there, self.row
        self._step = self._capture(arguments) if self.captured else lambda: perform(*arguments)
        return self._step

    def _capture(self, arguments: tuple[Any, ...]) -> Callable[[], None]:
        """One step as a graph: made once to compile and load its kernels, undone, and recorded."""
        self.fetch(to_change=False)
        self._stale = True  # also where what follows is interrupted
        perform(*arguments)
        self._bring()
        self.stream.synchronize()
        self.stream.begin_capture()
        try:
            perform(*arguments)
        except BaseException:  # Ctrl-C too: the stream must not go on capturing
            with suppress(Exception):
                self.stream.end_capture()
            raise
        graph, stream = self.stream.end_capture(), self.stream
        # A graph has no references of its own to the arrays that it reads and writes; one to this object would keep it.
        return lambda kept=arguments: graph.launch(stream)  # type: ignore[misc]


def free_bytes() -> int:
    """Free memory of the device, as far as one can tell."""
    if SIMULATED:
        return 2**40
    import cupy

    pool = cupy.get_default_memory_pool()
    free = int(cupy.cuda.runtime.memGetInfo()[0]) + pool.free_bytes()
    limit = pool.get_limit()  # CUPY_GPU_MEMORY_LIMIT
    return min(free, max(0, limit - pool.used_bytes())) if limit else free


def check_room(host: Gan) -> None:
    """Raise `UserError` where a GAN is larger than the device's free memory."""
    needed = bytes_of(host)
    free = free_bytes()
    if needed > MOST_OF_FREE * free:
        raise UserError(
            f"the GAN needs {needed / 1e6:,.1f} MB on the device but {free / 1e6:,.1f} MB are free, "
            f"of which fastgan takes {MOST_OF_FREE:.0%}; {LESS}"
        )


def bytes_of(values: Any) -> int:
    """Bytes of the arrays in a named tuple, and in those within it."""
    if isinstance(values, np.ndarray):
        return values.nbytes
    return sum(bytes_of(each) for each in values) if hasattr(values, "_fields") else 0


def pairs(host: Any, twin: Any) -> Any:
    """Each array of the host's with its twin on the device."""
    for name in host._fields:
        here, there = getattr(host, name), getattr(twin, name)
        if hasattr(here, "_fields"):
            yield from pairs(here, there)
        elif isinstance(here, np.ndarray) and name not in HOST and here.shape == there.shape:
            yield here, there


def twin_of(host: Gan) -> Gan:
    """The same GAN with its arrays on the device, and a ring for the statistics of its steps."""
    ring = kernels.to_device(np.zeros((RING, len(STATISTICS)), np.float32))
    twin: Gan = _on_device(host)

    def player(net: Network) -> Network:
        whole = True if is_plain(net) else None
        return net._replace(blocks=whole_layers(net.layers, entries_of(net)), whole=whole)

    return twin._replace(
        generator=player(twin.generator), discriminator=player(twin.discriminator), ring=ring
    )


def _on_device(values: Any) -> Any:
    """A named tuple with its arrays on the device, also those of tuples in it, but for `HOST`."""
    moved = {}
    for name, value in values._asdict().items():
        if hasattr(value, "_fields"):
            moved[name] = _on_device(value)
        elif isinstance(value, np.ndarray) and name not in HOST:
            moved[name] = kernels.to_device(value)
    return values._replace(**moved)
