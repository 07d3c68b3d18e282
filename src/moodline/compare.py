"""Is one run better than another? A paired test over utterances, conversations and seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from moodline.errors import ConfigError
from moodline.metrics import clustered_confusions, interval, percent, weighted_f1_from_confusion


def compare(first: Path, second: Path, draws: int = 5000) -> dict[str, Any]:
    """Compare the test predictions of two runs on the same utterances.

    Conversations and seeds are drawn with replacement, the same conversations for both runs; the p-value is the
    two-sided bootstrap one for a difference of zero.

    Args:
        first, second: run directories with ``predictions.parquet``.
        draws: number of resampled test sets.

    Returns:
        mean weighted F1 of both in percent, their ``difference`` (second minus first), its 95 % ``interval``, ``p``,
        and a ``verdict`` in words.

    Raises:
        ConfigError: no predictions, or they are of different utterances or labels.
    """
    a, b = _read(first), _read(second)
    if a["utterances"] != b["utterances"] or a["labels"] != b["labels"]:
        raise ConfigError(
            f"{first} and {second}: the runs were tested on different utterances or labels",
            fix="Compare runs of the same corpus and the same options.",
        )
    names = sorted(set(a["labels"]) | set(a["predicted"].ravel()) | set(b["predicted"].ravel()))
    index = {name: i for i, name in enumerate(names)}
    truth = np.array([index[x] for x in a["labels"]])
    counts = [
        clustered_confusions(truth, np.vectorize(index.__getitem__)(run["predicted"]), a["clusters"], len(names))
        for run in (a, b)
    ]
    observed = [float(weighted_f1_from_confusion(c.sum(1)).mean()) for c in counts]
    rng = np.random.default_rng(0)
    groups = counts[0].shape[1]
    differences = np.empty(draws)
    for d in range(draws):
        weight = rng.multinomial(groups, np.full(groups, 1 / groups))
        means = []
        for c in counts:
            chosen = c[rng.integers(0, len(c), len(c))]
            means.append(weighted_f1_from_confusion(np.einsum("g,sgij->sij", weight, chosen)).mean())
        differences[d] = means[1] - means[0]
    p = min(1.0, 2 * (1 + min((differences <= 0).sum(), (differences >= 0).sum())) / (1 + draws))
    low, high = interval(differences)
    better = "not distinguishable" if low <= 0 <= high else ("second is better" if low > 0 else "first is better")
    return {
        "first": {"run": first.name, "weighted_f1": percent(observed[0]), "seeds": len(counts[0])},
        "second": {"run": second.name, "weighted_f1": percent(observed[1]), "seeds": len(counts[1])},
        "difference": percent(observed[1] - observed[0]),
        "interval": [percent(low), percent(high)],
        "p": round(float(p), 4),
        "verdict": better,
        "method": f"paired bootstrap, {draws} draws of test conversations and of seeds",
    }


def _read(run: Path) -> dict[str, Any]:
    import pyarrow.parquet as pq

    path = run / "predictions.parquet"
    if not run.is_dir():
        raise ConfigError(f"{run}: no such run", fix="Give the --out directory of moodline train.")
    if not path.is_file():
        raise ConfigError(f"{run}: no predictions.parquet", fix="Run: moodline evaluate RUN.")
    try:
        table = pq.read_table(path, columns=["seed", "conversation", "utterance", "label", "predicted"])
    except (OSError, ValueError, KeyError) as error:  # pyarrow's own errors are of these
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(
            f"{path}: not readable predictions", reason[:120], "Run: moodline evaluate --again."
        ) from None
    rows = [r for r in table.to_pylist() if r["label"] is not None]
    seeds = sorted({r["seed"] for r in rows})
    by_seed = {s: [r for r in rows if r["seed"] == s] for s in seeds}
    base = by_seed[seeds[0]] if seeds else []
    if not base or any([r["utterance"] for r in by_seed[s]] != [r["utterance"] for r in base] for s in seeds):
        raise ConfigError(f"{path}: expected the same labelled utterances for every seed", f"{len(rows)} rows")
    number: dict[str, int] = {}
    return {
        "utterances": [r["utterance"] for r in base],
        "labels": [r["label"] for r in base],
        "clusters": np.array([number.setdefault(r["conversation"], len(number)) for r in base]),
        "predicted": np.array([[r["predicted"] for r in by_seed[s]] for s in seeds]),
    }
