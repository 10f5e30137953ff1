"""Opens an ONNX model the one way in which a text has one vector, whatever else the machine does."""

from pathlib import Path

import onnxruntime


def onnx_session(model: Path, threads: int, extension: str | None = None) -> onnxruntime.InferenceSession:
    """The model on the processor, `threads` of them for one text. `extension`: a library with operators it needs."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    if extension is not None:
        options.register_custom_ops_library(extension)
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
