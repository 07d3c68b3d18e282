"""Models by their hub id: out of a cache as the hub's own tools make it, the commit noted, nothing that could run."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from moodline.core.conversation import Conversation, Utterance
from moodline.core.errors import CheckpointError, ConfigError
from moodline.core.labels import LabelSet
from moodline.encoders.backbones import load_backbone
from moodline.encoders.finetuning import (
    Collate,
    Example,
    FinetuneConfig,
    UtteranceClassifier,
    load_finetuned,
    save_finetuned,
)
from moodline.encoders.load import load_encoder
from moodline.encoders.quantized import loading_options
from moodline.encoders.settings import EncoderSpec
from moodline.encoders.text.model_tokens import ModelTokens
from moodline.experiments.finetuning.plan import lengths
from moodline.experiments.finetuning.recipe import load_encoder_recipe
from moodline.experiments.finetuning.timing import weights_available
from moodline.nn.language_model import LanguageModel
from moodline.nn.pretrained import model_source
from tests.encoders.conftest import voice
from tests.encoders.tiny_models import save_language_model, save_qwen_audio

LABELS = LabelSet("toy-2", ("calm", "angry"))
OLD, NEW = "a" * 40, "b" * 40


class Cache:
    """A hub's cache on disk, and perhaps a hub behind it that can be asked.

    Args:
        root: of the cache.
    """

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.patch, self.asked = root, monkeypatch, []
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(root))
        monkeypatch.setattr("moodline.nn.pretrained._hub_has_an_address", lambda: False)

    def put(self, folder: Path, name: str, commit: str = OLD, ref: str | None = "main", only: Any = None) -> Path:
        """Files of a folder as a snapshot: blobs, links to them, and a branch or tag that points there."""
        place = self.root / f"models--{name.replace('/', '--')}"
        snapshot = place / "snapshots" / commit
        snapshot.mkdir(parents=True, exist_ok=True)
        (place / "blobs").mkdir(exist_ok=True)
        for file in folder.iterdir():
            if file.is_file() and (only is None or file.name in only):
                blob = place / "blobs" / f"{commit[0]}-{file.name}"
                shutil.copy(file, blob)
                (snapshot / file.name).unlink(missing_ok=True)
                (snapshot / file.name).symlink_to(os.path.relpath(blob, snapshot))
        if ref is not None:
            (place / "refs" / ref).parent.mkdir(parents=True, exist_ok=True)
            (place / "refs" / ref).write_text(commit)
        return snapshot

    def answers(self, folder: Path, name: str, commit: str) -> None:
        """From now on a hub is there that has this model."""
        import huggingface_hub

        local = huggingface_hub.snapshot_download

        def download(source: str, revision: str | None = None, local_files_only: bool = False, **options) -> str:
            if local_files_only:
                return local(source, revision=revision, local_files_only=True, **options)
            assert source == name
            self.asked.append(sorted(options["allow_patterns"]))
            return str(self.put(folder, name, commit, only=options["allow_patterns"]))

        self.patch.setattr("moodline.nn.pretrained._hub_has_an_address", lambda: True)
        self.patch.setattr("huggingface_hub.snapshot_download", download)
        names = [*(p.name for p in folder.iterdir()), "original/consolidated.00.pth", "pytorch_model.bin", "a.gguf"]
        self.patch.setattr("huggingface_hub.list_repo_files", lambda *_, **__: names)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    return Cache(tmp_path / "hub", monkeypatch)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_language_model("llama", tmp_path_factory.mktemp("hub-llama"))


@pytest.fixture(scope="module")
def gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_language_model("gemma3", tmp_path_factory.mktemp("hub-gemma"))


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_qwen_audio(tmp_path_factory.mktemp("hub-qwen"))


def guessed(revision: str | None = None) -> bool:
    """Whether a plan lacks the tokenizer of org/model."""
    recipe = load_encoder_recipe(
        "text", "minilm", ("encoder.name=hf-text:org/model", f"encoder.revision={revision or 'null'}")
    )
    turn = Utterance("a", text="not empty at all", emotion="calm")
    corpus: Any = SimpleNamespace(splits={"train": (Conversation("toy", (turn,)),)})
    return lengths(recipe, corpus, "train").guessed


def tuned(spec: EncoderSpec, inputs: list[Any], folder: Path) -> np.ndarray:
    """Fine-tune a little, save; the embeddings before."""
    torch.manual_seed(0)
    model = UtteranceClassifier(load_backbone(spec), 2, FinetuneConfig(embedding_dim=12, pooling="mean"))
    batch = Collate(model.backbone)([Example((str(n),), x, (n % 2,), 9) for n, x in enumerate(inputs)])
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 3e-3)
    for _ in range(2):
        model.train()
        model.loss(batch, model(batch))["total"].backward()
        optimizer.step()
        optimizer.zero_grad()
    save_finetuned(model.eval(), folder, LABELS)
    with torch.inference_mode():
        return model(batch).extras["embedding"][:, 0].numpy()


@pytest.mark.parametrize("kind", ["llama", "gemma", "qwen", "wavlm-layer", "whisper"])
def test_an_id_is_fine_tuned_encoded_and_held_to_its_commit(kind: str, cache: Cache, request, tmp_path: Path) -> None:
    """It says what a folder of the same files says; the commit is noted, and another one is not taken for it."""
    speech = request.getfixturevalue("speech_models") if kind not in ("llama", "gemma", "qwen") else {}
    source = speech.get(kind) or request.getfixturevalue(kind)
    form, inputs = (
        ("hf-text", ["how dare you", "ok"]) if kind in ("llama", "gemma") else ("hf-speech", [voice(1), voice(0.3)])
    )
    cache.put(source, "org/model")
    encoder = load_encoder(EncoderSpec(f"{form}:org/model"))
    assert (encoder.revision, encoder.backbone.spec.revision) == (OLD, OLD)
    folder = load_encoder(EncoderSpec(f"{form}:{source}"))
    np.testing.assert_array_equal(np.stack(encoder.encode(inputs)), np.stack(folder.encode(inputs)))

    before = tuned(EncoderSpec(f"{form}:org/model"), inputs, tmp_path / "e")
    record = json.loads((tmp_path / "e" / "encoder.json").read_text())
    assert record["backbone"]["revision"] == record["spec"]["revision"] == OLD
    assert json.loads((tmp_path / "e" / "adapter_config.json").read_text())["revision"] == OLD
    cache.put(source, "org/model", NEW)  # the hub went on: the encoder still asks for its own commit
    np.testing.assert_allclose(np.stack(load_finetuned(tmp_path / "e").encode(inputs)), before, atol=1e-5)
    shutil.rmtree(cache.root / "models--org--model" / "snapshots" / OLD)
    with pytest.raises(CheckpointError, match=rf"of revision {OLD} is not on this machine.*--revision {OLD}") as error:
        load_finetuned(tmp_path / "e")
    assert "\n" not in str(error.value)


def test_branches_tags_and_commits(cache: Cache, llama: Path, tmp_path: Path) -> None:
    other = save_language_model("llama", tmp_path / "other", seed=1)
    cache.put(llama, "org/model", OLD, "v1.0")
    cache.put(other, "org/model", NEW, "refs/pr/3")
    for revision, commit in (("v1.0", OLD), ("refs/pr/3", NEW), (OLD, OLD), (NEW, NEW)):
        assert load_backbone(EncoderSpec("hf-text:org/model", revision=revision)).revision == commit
    with pytest.raises(CheckpointError, match="is not on this machine"):
        load_backbone(EncoderSpec("hf-text:org/model"))  # there is no main


def test_the_language_model_of_egmf_by_its_id(cache: Cache, llama: Path) -> None:
    cache.put(llama, "org/model")
    found = LanguageModel.load("org/model")
    assert (found.id, found.revision) == ("org/model", OLD)
    ids = torch.tensor([[5, 6, 7]])
    folder = LanguageModel.load(str(llama))
    torch.testing.assert_close(found.embed(ids), folder.embed(ids), atol=0, rtol=0)
    tokens = ModelTokens(EncoderSpec("tokens:org/model"))
    assert tokens.revision == ModelTokens(EncoderSpec(f"tokens:{llama}")).revision


@pytest.mark.parametrize("there", ["nothing", "config", "weights"])
def test_what_is_not_there_is_asked_for_once(there: str, cache: Cache, gemma: Path) -> None:
    """As after a plan, or a program that wanted no tokenizer: without its files transformers makes an empty one."""
    weights = {p.name for p in gemma.glob("*.safetensors*")}
    if there != "nothing":
        cache.put(gemma, "org/model", only={"config.json"} | (weights if there == "weights" else set()))
    spec = EncoderSpec("hf-text:org/model", pooling="mean")
    assert not weights_available(spec)
    assert guessed()
    with pytest.raises(CheckpointError, match=r"is not (whole )?on this machine"):
        load_encoder(spec)
    cache.answers(gemma, "org/model", NEW)
    assert not weights_available(spec)  # a plan asks nobody
    assert guessed()
    assert not cache.asked
    encoder = load_encoder(spec)
    assert encoder.revision == NEW
    expected = load_encoder(EncoderSpec(f"hf-text:{gemma}", pooling="mean")).encode(["not empty at all"])
    np.testing.assert_array_equal(encoder.encode(["not empty at all"]), expected)
    assert cache.asked == [sorted(p.name for p in gemma.iterdir())]  # no pickles where there are safetensors
    assert weights_available(spec)
    assert not guessed()
    load_encoder(spec)
    assert len(cache.asked) == 1


def test_a_plan_takes_the_tokenizer_of_the_revision(cache: Cache, llama: Path, gemma: Path) -> None:
    cache.put(llama, "org/model", OLD)
    cache.put(gemma, "org/model", NEW, "other")
    (cache.root / "models--org--model" / "snapshots" / NEW / "tokenizer.json").unlink()
    assert not guessed()
    assert guessed("other")


class Evil:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("kind", ["hubert-layer", "wavlm-layer", "data2vec"])
def test_weights_in_torchs_format(kind: str, cache: Cache, speech_models: dict[str, Path], tmp_path: Path) -> None:
    """As HuBERT, WavLM and data2vec lie on the hub, with the older names of a normalised convolution's weights."""
    from transformers import AutoModel

    source = tmp_path / "model"
    shutil.copytree(speech_models[kind], source)
    (source / "model.safetensors").unlink()
    state = AutoModel.from_pretrained(speech_models[kind]).state_dict()
    for n, letter in enumerate("gv"):
        state = {k.replace(f"parametrizations.weight.original{n}", f"weight_{letter}"): v for k, v in state.items()}
    torch.save(state, source / "pytorch_model.bin")
    cache.put(source, "org/model")
    clips = [voice(1.0), voice(0.31)]
    expected = np.stack(load_encoder(EncoderSpec(f"hf-speech:{speech_models[kind]}")).encode(clips))
    for name in ("org/model", str(source)):
        np.testing.assert_array_equal(np.stack(load_encoder(EncoderSpec(f"hf-speech:{name}")).encode(clips)), expected)
    before = tuned(EncoderSpec("hf-speech:org/model"), clips, tmp_path / "e")
    np.testing.assert_allclose(np.stack(load_finetuned(tmp_path / "e").encode(clips)), before, atol=1e-5)

    folder = load_backbone(EncoderSpec(f"hf-speech:{source}")).revision
    torch.save({k: v + 1 for k, v in state.items()}, source / "pytorch_model.bin")
    assert load_backbone(EncoderSpec(f"hf-speech:{source}")).revision != folder


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickle_that_could_run_is_not_read(legacy: bool, cache: Cache, llama: Path, tmp_path: Path) -> None:
    source, trace = tmp_path / "model", tmp_path / "ran"
    shutil.copytree(llama, source)
    for path in source.glob("*.safetensors*"):
        path.unlink()
    content = {"embed_tokens.weight": torch.zeros(2), "x": Evil(trace)}
    torch.save(content, source / "pytorch_model.bin", _use_new_zipfile_serialization=not legacy)
    cache.put(source, "org/model")
    for name in ("org/model", str(source)):
        with pytest.raises(CheckpointError, match="weights must be tensors and plain values") as error:
            load_encoder(EncoderSpec(f"hf-text:{name}"))
        assert "\n" not in str(error.value)
    assert not trace.exists()


def test_weights_go_to_their_device_at_once() -> None:
    spec = EncoderSpec("hf-text:org/model", dtype="bfloat16")
    assert loading_options(spec, "cuda:1") == {"dtype": torch.bfloat16, "device_map": {"": "cuda:1"}}
    assert loading_options(spec) == {"dtype": torch.bfloat16}


def test_what_can_only_be_a_folder_is_no_id(tmp_path: Path) -> None:
    """One rule for encoders, EGMF and plans."""
    (tmp_path / "models" / "mine").mkdir(parents=True)
    assert model_source("models/mine", tmp_path) == tmp_path / "models" / "mine"
    assert model_source("models/mine") == "models/mine"
    for name in ("./mine", "a/b/c", "a/b/", str(tmp_path / "nowhere")):
        with pytest.raises(ConfigError, match="expected a model folder"):
            model_source(name)
        with pytest.raises(ConfigError, match="expected a model folder"):
            LanguageModel.load(name)
