"""The chart of whole steps: time on a logarithmic scale, a panel a size, the floor as a line."""

from __future__ import annotations

from pathlib import Path

from bench.report import FLOOR, NAMES, OURS, micros, plain, times
from bench.results import Row, Stored

COLOURS = {OURS: "#c2410c"}
GREY, INK, PALE = "#64748b", "#1e293b", "#e2e8f0"


def draw_steps(stored: Stored, path: Path) -> None:
    """Draw the medians with p20 to p80 of every contender: a dot each, since a bar has no length on such a scale."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    sizes = stored.of("step")
    contenders = [name for name in NAMES if name != FLOOR and any(name in rows for rows in sizes.values())][
        ::-1
    ]
    style = {"svg.hashsalt": "fastgan", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9.5}
    with plt.rc_context(style):
        figure, panels = plt.subplots(
            1,
            len(sizes),
            figsize=(2.6 + 2.15 * len(sizes), 0.75 + 0.31 * len(contenders)),
            sharey=True,
            squeeze=False,
            layout="constrained",
        )
        for panel, (size, rows) in zip(panels[0], sizes.items(), strict=True):
            _draw_panel(panel, size, rows, contenders)
        panels[0, 0].set_yticks(range(len(contenders)), [plain(name) for name in contenders])
        for label, name in zip(panels[0, 0].get_yticklabels(), contenders, strict=True):
            label.set(color=COLOURS.get(name, INK), fontweight="bold" if name == OURS else "normal")
        figure.supxlabel(
            "microseconds a training step, and how many times as long as fastgan; "
            "dot: median, line: p20 to p80, dashed: the floor; "
            "pale lines: powers of ten, each size on a scale of its own",
            fontsize=9,
            color=GREY,
        )
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=160)
        plt.close(figure)


def _draw_panel(panel, size: str, rows: dict[str, Row], contenders: list[str]) -> None:  # type: ignore[no-untyped-def]
    panel.set_title(size, loc="left", fontsize=10.5, color=INK, fontweight="bold")
    panel.set_xscale("log")
    for y, name in enumerate(contenders):
        if name not in rows:
            continue
        row, colour = rows[name], COLOURS.get(name, GREY)
        panel.plot([row.p20, row.p80], [y, y], color=colour, lw=2.5, alpha=0.45, solid_capstyle="round")
        panel.plot(row.median, y, "o", color=colour, ms=6.5 if name == OURS else 5.5)
        panel.annotate(
            micros(row.median) + ("" if name == OURS or row.ratio is None else f"  {times(row)}"),
            (max(row.median, row.p80), y),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=colour if name == OURS else INK,
        )
    if FLOOR in rows:
        panel.axvline(rows[FLOOR].median, color=INK, lw=1, ls=(0, (3, 2)), zorder=0)
    medians = [row.median for row in rows.values()]
    low, span = min(medians), max(medians) / min(medians)
    panel.set_xlim(
        min(low, *(row.p20 for row in rows.values())) / span**0.07, low * span**2.0
    )  # room for figures
    panel.set_ylim(-0.6, len(contenders) - 0.4)
    panel.tick_params(axis="y", length=0)
    panel.tick_params(axis="x", which="both", length=0, labelbottom=False)  # every point has its figure
    panel.grid(axis="x", color=PALE, lw=0.6)
    panel.grid(axis="y", color=PALE, lw=0.6)
    panel.set_axisbelow(True)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    panel.spines["bottom"].set_color(PALE)
