"""Small pictures, and Parquet files of them: what several test files share."""

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def encode(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def write_parquet(
    file: Path,
    images: list[np.ndarray | bytes | None],
    labels: list[int | None],
    image_column: str = "img",
    label_column: str = "label",
    names: list[str] | None = None,
) -> None:
    encoded = [encode(i) if isinstance(i, np.ndarray) else i for i in images]
    structs = pa.array(
        [{"bytes": data, "path": None} for data in encoded],
        pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
    )
    table = pa.table({image_column: structs, label_column: pa.array(labels, pa.int64())})
    if names is not None:
        about = {"info": {"features": {label_column: {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(about)})
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)


def pictures(count: int, seed: int = 0, shape: tuple[int, ...] = (4, 6, 3)) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8))
