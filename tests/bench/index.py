"""An indexing pipeline as one writes it in an afternoon: split, embed, upsert, a document at a time, each library at its defaults.

    python index.py MODEL_FOLDER GRPC_PORT DOCUMENTS

DOCUMENTS is a file of JSON lines {"id", "text"}. Prints one line of JSON: documents, chunks, tokens embedded, seconds and CPU seconds from the first
document to the last upsert (the model is loaded before), and the most memory that the program ever held.

What is not a default, and why: chunks of 1,000 characters without overlap, which the model can embed whole (the splitter's own 4,000 would be cut to the
model's 256 tokens, and three quarters of the text lost); truncation and padding of the tokenizer, without which the model does not run.
"""

import json
import resource
import sys
import time
import uuid

import numpy
import onnxruntime
from langchain_text_splitters import RecursiveCharacterTextSplitter
from qdrant_client import QdrantClient, models
from tokenizers import Tokenizer

COLLECTION = "rival"
MAX_TOKENS = 256


class Model:
    def __init__(self, folder):
        self.tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
        self.tokenizer.enable_truncation(MAX_TOKENS)
        self.tokenizer.enable_padding()
        self.session = onnxruntime.InferenceSession(f"{folder}/model.onnx", providers=["CPUExecutionProvider"])
        self.tokens = 0

    def embed(self, texts):
        encoded = self.tokenizer.encode_batch(texts)
        ids = numpy.array([one.ids for one in encoded], dtype=numpy.int64)
        mask = numpy.array([one.attention_mask for one in encoded], dtype=numpy.int64)
        self.tokens += int(mask.sum())
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
        hidden = self.session.run(None, feed)[0]
        weights = mask[:, :, None].astype(numpy.float32)
        vectors = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
        return vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True)


def index(document, splitter, model, qdrant):
    chunks = splitter.split_text(document["text"])
    if not chunks:
        return 0
    points = [
        models.PointStruct(
            id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{document['id']}/{position}")),
            vector=vector.tolist(),
            payload={"entry_id": document["id"], "position": position, "text": chunk},
        )
        for position, (chunk, vector) in enumerate(zip(chunks, model.embed(chunks)))
    ]
    qdrant.upsert(COLLECTION, points)
    return len(points)


def main(folder, port, path):
    model = Model(folder)
    model.embed(["warm"])
    model.tokens = 0
    splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=0)
    qdrant = QdrantClient(host="127.0.0.1", grpc_port=int(port), prefer_grpc=True, check_compatibility=False)
    qdrant.create_collection(COLLECTION, models.VectorParams(size=384, distance=models.Distance.COSINE))
    with open(path, encoding="utf-8") as lines:
        documents = [json.loads(line) for line in lines]
    started, cpu = time.perf_counter(), time.process_time()
    chunks = sum(index(document, splitter, model, qdrant) for document in documents)
    elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    report = {"documents": len(documents), "chunks": chunks, "tokens": model.tokens, "memory_bytes": memory}
    print(json.dumps(report | {"seconds": elapsed, "cpu_seconds": cpu}))


if __name__ == "__main__":
    main(*sys.argv[1:])
