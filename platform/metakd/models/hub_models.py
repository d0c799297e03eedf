"""timm's models on the Hugging Face Hub: ``timm:hf-hub:OWNER/NAME``, perhaps with ``@REVISION``.

What such a name stands for may change on the Hub. A plan has the commit in the name, so that it is
part of a trial's identity, and all machines have the same.
"""

import json
from pathlib import Path

from metakd.models.names import TIMM_PREFIX, ModelError, join_name, split_name
from metakd.models.timm_names import HUB_MODEL, may_be_timm_model

CONFIG = "config.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def with_commit(name: str) -> str:
    """Returns the name of a model of the Hub with the commit that it stands for; else the name.

    Its configuration is downloaded for that, or taken from the Hub's cache.

    Raises:
        ModelError: If it is neither there nor in the cache, or is none of timm's.
    """
    model, options = split_name(name)
    match = HUB_MODEL.fullmatch(model.removeprefix(TIMM_PREFIX))
    if match is None:
        return name
    config = _config(name, match["repository"], match["revision"])
    _require_timm(name, config)
    # The cache has a folder for each commit.
    commit = config.parent.name
    if options.get("pretrained"):
        _require_weights(name, match["repository"], commit)
    return join_name(f"{TIMM_PREFIX}hf-hub:{match['repository']}@{commit}", options)


def _config(name: str, repository: str, revision: str | None) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(repository, CONFIG, revision=revision))
    except LocalEntryNotFoundError as error:
        raise ModelError(
            f"{name!r} is not in the cache below HF_HOME, and the Hub was not reached: download it "
            f"where it is, by hf download {repository}"
        ) from error
    except GatedRepoError as error:
        raise ModelError(
            f"{name!r} is gated: accept its terms on the Hub, then hf auth login, or set HF_TOKEN"
        ) from error
    except EntryNotFoundError as error:
        raise ModelError(f"{name!r} is no model of timm's: it has no {CONFIG}") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{name!r} cannot be had from the Hub: {error}") from error


def _require_timm(name: str, config: Path) -> None:
    try:
        architecture = json.loads(config.read_text(encoding="utf-8")).get("architecture")
    except (AttributeError, ValueError) as error:
        raise ModelError(f"{name!r}: {config} is damaged: {error}") from error
    if not isinstance(architecture, str) or not may_be_timm_model(architecture):
        found = "no architecture" if architecture is None else repr(architecture)
        raise ModelError(f"{name!r} is no model of timm's: its {CONFIG} names {found}")


def _require_weights(name: str, repository: str, commit: str) -> None:
    """Refuses a model whose weights nobody can download any more."""
    from huggingface_hub import is_offline_mode, try_to_load_from_cache

    if not is_offline_mode():
        return
    cached = (try_to_load_from_cache(repository, file, revision=commit) for file in WEIGHTS)
    if not any(isinstance(file, str) for file in cached):
        raise ModelError(
            f"the weights of {name!r} are not in the cache below HF_HOME, and the Hub must not be "
            f"reached: download them where it may, by hf download {repository}"
        )
