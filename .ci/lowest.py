"""Print, as pip's constraints, the lowest version that pyproject.toml allows of each requirement."""

import re
import tomllib
from itertools import chain
from pathlib import Path

project = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())["project"]
for line in chain(project["dependencies"], *project["optional-dependencies"].values()):
    if found := re.match(r"([\w.-]+)(?:\[.*?\])?[>=]=([\w.]+)", line):
        print("==".join(found.groups()))
