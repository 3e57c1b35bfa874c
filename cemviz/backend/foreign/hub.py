"""Models on the Hub: published with their card, fetched with it, and foreign files by name; the token is huggingface_hub's own.

A repository of ours holds model.safetensors, card.json and a README made of the card.
"""

import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...data.datasets import dataset
from ..checks import BadInput
from ..requests import PublishRequest, PullRequest
from ..store import Card
from ..stored import cards, files
from ..stored.files import BrokenCheckpoint, read_json, read_tensors, write_json
from ..stored.models import load, weights_path
from ..studio import Studio
from ..use_case import Step
from .reading import LARGEST, hosted, largest

SCHEME, CARD, WEIGHTS, CONFIG = "hf:", "card.json", "model.safetensors", "config.json"

WORTH = (WEIGHTS, "pytorch_model.bin")
"""Files that hold a repository's weights, where it has several."""


def api() -> Any:
    """The client of the Hub; a hosted page asks as anybody, not as its owner, for what a visitor names."""
    from huggingface_hub import HfApi

    return HfApi(library_name="cemviz", token=False if hosted() else None)


def repository(text: str) -> tuple[str, str]:
    """USER/REPO and FILE, or "", of hf:USER/REPO[/FILE].  Raises BadInput."""
    match = re.fullmatch(r"hf:([\w.-]+/[\w.-]+)(?:/([\w./-]+))?", text)
    if not match or ".." in text:
        raise BadInput("repository", f"repository is {text!r}; give hf:USER/REPO, or hf:USER/REPO/FILE")
    return match[1], match[2] or ""


def fetched(source: str, folder: str | None = None) -> Path:
    """A file of the Hub on this machine, with the card beside it where there is one.

    Args:
        folder: to put them in; None takes the Hub's own cache.
    Raises:
        BadInput: no such repository or file, several to choose from, one that is too large, no network.
    """
    repo, file = repository(source)
    sizes = _sizes(repo)
    nets = [name for name in sizes if name.endswith((".safetensors", ".pt", ".pth", ".bin", ".pt2"))]
    if not file:
        file = next((name for name in WORTH if name in nets), nets[0] if len(nets) == 1 else "")
        if not file:
            raise BadInput("source", f"{source} has {', '.join(nets[:6]) or 'no file of a net'}; name one: {source}/FILE")
    if file not in sizes:
        raise BadInput("source", f"{source} has no such file; it has {', '.join(nets[:6]) or 'none of a net'}")
    if CARD in sizes and file == WEIGHTS:
        _download(repo, CARD, sizes, cards.LARGEST, folder)
    return _download(repo, file, sizes, largest(), folder)


def architecture(source: str, folder: str | None = None) -> str | None:
    """The architecture that a repository of timm names in its config.json, as `ImportRequest.arch` has it, or None.

    Args:
        folder: see `fetched`.
    Raises:
        BadInput: see `fetched`.
    """
    repo, _ = repository(source)
    sizes = _sizes(repo)
    if CARD in sizes or CONFIG not in sizes:
        return None
    try:
        named = read_json(_download(repo, CONFIG, sizes, cards.LARGEST, folder), cards.LARGEST).get("architecture")
    except BrokenCheckpoint:
        return None
    return f"timm:{named}" if isinstance(named, str) and re.fullmatch(r"\w+", named) else None


def _sizes(repo: str) -> dict[str, int]:
    """Files of a repository, and their bytes."""
    siblings = _answer(repo, lambda: api().model_info(repo, files_metadata=True).siblings)
    return {part.rfilename: part.size or 0 for part in siblings}


def _download(repo: str, file: str, sizes: dict[str, int], most: int, folder: str | None = None) -> Path:
    if sizes[file] > most:
        raise BadInput("source", f"{file} has {sizes[file]:,} bytes; {most:,} at most are read")
    return Path(_answer(repo, lambda: api().hf_hub_download(repo, file, local_dir=folder)))


def _answer(repo: str, call: Callable[[], Any]) -> Any:
    """The Hub's answer, or one line why there is none."""
    try:
        return call()
    except Exception as error:  # its own errors, and those of three network libraries
        line = " ".join(str(error).split())[:160] or type(error).__name__
        raise BadInput(
            "repository", f"{SCHEME}{repo} cannot be reached ({line}); check its name, the network, and `hf auth login`"
        ) from error


def adopt(described: Path, weights: Path, name: str, programs: bool = True) -> Card:
    """Store a model of this project under a name, byte for byte, once card and weights fit each other.

    Args:
        programs: take nets that were imported as a program, too.
    Raises:
        BadInput: they do not; Unwritable.
    """
    try:
        values = read_json(described, cards.LARGEST)
        if values.get("net") == "graph" and not programs:
            raise BadInput("source", f"{described.name}: the net is a program, and a hosted page runs none of a visitor's")
        card = cards.parsed(name, values)
        tensors = read_tensors(weights, card.sha256)
        files.write_pair(cards.path(name), tensors, lambda sha256: replace(card, sha256=sha256).as_json())
        return load(name)[1]
    except BrokenCheckpoint as fault:
        cards.path(name).unlink(missing_ok=True)
        files.sweep_pair(cards.path(name), None)
        raise BadInput("source", f"{described.name}: {fault}") from fault


def publish(studio: Studio, request: PublishRequest) -> Iterator[Step | dict[str, Any]]:
    """Put a stored model on the Hub.

    Yields:
        steps, then {model, repository, files}.
    Raises:
        KeyError, BrokenCheckpoint; BadInput: no network, no token, no such user.
    """
    repo, file = repository(request.repo)
    if file:
        raise BadInput("repository", f"repository is {request.repo!r}; give hf:USER/REPO without a file")
    _, card = studio.model(request.model)  # refuses what does not load
    yield Step(0, 1, f"publishing {card.name}")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / WEIGHTS).write_bytes(weights_path(card).read_bytes())
        write_json(place / CARD, card.as_json(), indent=2)
        (place / "README.md").write_text(readme(card, repo), encoding="utf-8")
        client = api()
        _answer(repo, lambda: client.create_repo(repo, exist_ok=True))
        _answer(
            request.repo, lambda: client.upload_folder(repo_id=repo, folder_path=folder, commit_message=f"cemviz: {card.name}")
        )
    yield {"model": card.name, "repository": request.repo, "files": [WEIGHTS, CARD, "README.md"]}


def pull(studio: Studio, request: PullRequest) -> Iterator[Step | dict[str, Any]]:
    """Fetch a model that was published from this project.

    Yields:
        steps, then {model, repository, sha256, title}.
    Raises:
        BadInput: no such model there, or one that does not fit its card; a name that is taken.
    """
    repo, _ = repository(request.repo)
    yield Step(0, 1, f"fetching {repo}")
    sizes = _sizes(repo)
    if not {CARD, WEIGHTS} <= sizes.keys():
        advice = f"bring it in: python -m cemviz import {SCHEME}{repo}"
        raise BadInput("repository", f"{SCHEME}{repo} has no {CARD} of this project; {advice}")
    described = _download(repo, CARD, sizes, cards.LARGEST)
    try:
        values = read_json(described, cards.LARGEST)
    except BrokenCheckpoint as fault:
        raise BadInput("repository", f"the {CARD} of {SCHEME}{repo} cannot be read ({fault})") from fault
    name = free(request.name or str(values.get("name", "")))
    card = adopt(described, _download(repo, WEIGHTS, sizes, LARGEST), name)
    yield {"model": name, "repository": request.repo, "sha256": card.sha256, "title": card.title}


def free(name: str) -> str:
    """A name that no model has.

    Raises:
        BadInput: it is taken, or none for a model.
    """
    try:
        exists = cards.path(name).exists()
    except ValueError as error:
        raise BadInput("as", str(error)) from error
    if exists:
        raise BadInput("as", f"there is a model {name!r} already; give another name with --as")
    return name


def readme(card: Card, repo: str) -> str:
    """The card of a model as the README of its repository."""
    measured = [
        f"| {metric} | {row['value']} | {row.get('count', '')} |" for metric, row in card.metrics.items() if "value" in row
    ]
    rows = ["| metric | value | images |", "|---|---|---|", *measured] if measured else []
    source = f"Trained by `{card.command}`." if card.origin == "recipe" else card.notes
    licence = ["license: mit"] if card.origin == "recipe" else []  # of a net from elsewhere its authors say
    size = " × ".join(map(str, card.shape))
    return "\n".join([
        "---", "library_name: cemviz", "tags: [energy-based-model, adversarial-robustness]", *licence, "---", "",
        f"# {card.title}", "",
        f"A {card.kind} of {dataset(card.data).title}, images of {size}, {len(card.classes)} classes.",
        f"Threat model: {card.norm}, radius {card.radius:g}. {source}", "", *rows, "",
        "```sh", f"python -m cemviz pull {SCHEME}{repo}", f"python -m cemviz sample {card.name} --out grid.png", "```", "",
    ])  # fmt: skip
