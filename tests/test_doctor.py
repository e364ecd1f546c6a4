"""What doctor says of this machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

import pytest

import fastgan
from fastgan import doctor
from fastgan.__main__ import main

from .commands import environment, process


def findings() -> dict[str, str]:
    return dict(doctor.report())


def test_every_backend_is_named_and_works_or_has_a_reason() -> None:
    found = findings()
    for backend, packages in {"numpy": ["numpy"], "cpu": ["numba", "llvmlite"]}.items():
        assert found[backend].startswith("backend works")
        assert all(importlib.metadata.version(package) in found[backend] for package in packages)
    assert found["cuda"].startswith("backend works") or found["cuda"].startswith("no: ")


def test_machine_and_versions() -> None:
    found = findings()
    assert found["fastgan"] == fastgan.__version__
    assert found["python"].startswith(platform.python_version())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert found["machine"].endswith((f" {cores} cores", f" {cores} core"))


def test_each_blas_has_its_owner_and_threads() -> None:
    blas = [finding for subject, finding in doctor.report() if subject == "blas"]
    assert blas and all(" of " in finding and finding.endswith((" thread", " threads")) for finding in blas)


def test_optional_packages_say_what_they_are_for() -> None:
    assert findings()["pillow"] == f"{importlib.metadata.version('pillow')}, reads image folders"


def test_a_missing_package_comes_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OPTIONAL", {"no-such-package": "nothing"})
    assert findings()["no-such-package"] == "no: pip install no-such-package to read nothing"


def test_the_command_prints_an_aligned_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [subject for subject, _ in doctor.report()]
    width = max(len(subject) for subject, _ in doctor.report())
    assert all(line[width : width + 2] == "  " and line[width + 2] != " " for line in lines)


def test_a_cache_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = process("doctor", env=environment() | {"FASTGAN_CACHE": str(tmp_path / "file")})
    assert done.returncode == 0
    assert "is not writable, so each process compiles anew; set FASTGAN_CACHE" in done.stdout
    done = process("doctor", env=environment() | {"FASTGAN_CACHE": "~nobody of this name/cache"})
    assert done.returncode == 0
    assert "cannot be kept: ~nobody of this name/cache: there is no such home folder" in done.stdout
