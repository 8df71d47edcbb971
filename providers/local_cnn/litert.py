"""LiteRT; the only module that imports it. It imports nothing of Triof (:mod:`providers.local_cnn.engine`)."""

from ai_edge_litert.interpreter import Interpreter


def interpreter(model: bytes, threads: int) -> Interpreter:
    """Return a ready interpreter. Raises ValueError or RuntimeError if LiteRT cannot load the model."""
    loaded = Interpreter(model_content=model, num_threads=threads)
    loaded.allocate_tensors()
    return loaded
