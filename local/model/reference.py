"""Makes reference.json: the vectors of the published model by an independent implementation, for the test that compares ours with them.

    pip install sentence-transformers==6.2.0 torch==2.15.0 safetensors   # in a throwaway environment
    python reference.py WEIGHTS_FOLDER > reference.json

WEIGHTS_FOLDER is the model folder of the wheel named in requirements.txt (its model.safetensors is, byte for byte, the published one). Everything
is computed by sentence-transformers and PyTorch, in float64 on the CPU, one text at a time: nothing here knows of ONNX. `{text: 384 numbers}`.
"""

import json
import sys

from sentence_transformers import SentenceTransformer

TEXTS = [
    "Rust",
    "The consumer acknowledges a message only after the write.",
    "Why does my change stream stop after a failover?",
    "def embed(texts: list[str]) -> list[list[float]]:\n    return [model.encode(text) for text in texts]",
    "Die Änderung wird erst nach der Bestätigung des Brokers festgehalten.",
    "Le document supprimé ne doit plus apparaître dans les résultats de recherche.",
    "El índice se reconstruye sin interrumpir las consultas en curso.",
    "Индекс хранит каждую версию документа ровно один раз.",
    "変更は順番どおりに配信されます。",
    "يُحفظ الموضع بعد تأكيد الرسالة فقط",
    "🚀 Shipping on a Friday: 100% confidence, 0 regrets… https://example.org/post?id=42#top",
    "A long text is cut at the limit of the model. " * 12,
    "Beyond the limit, whatever follows changes nothing at all. " * 60,
]


def vector(model, text):
    """Eight decimals: a thousandth of the tolerance, and half the size."""
    return [round(float(value), 8) for value in model.encode([text], normalize_embeddings=True)[0]]


def main(folder):
    model = SentenceTransformer(folder, device="cpu").double()
    assert model.max_seq_length == 256, model.max_seq_length
    lines = [f"{json.dumps(text, ensure_ascii=False)}: {json.dumps(vector(model, text))}" for text in TEXTS]
    print("{\n" + ",\n".join(lines) + "\n}")


if __name__ == "__main__":
    main(sys.argv[1])
