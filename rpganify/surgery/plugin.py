"""The built-in export formats, offered through the same hook as a stranger's; imports no torch."""

from __future__ import annotations

from rpganify.hookspecs import ExportEntry, hookimpl


@hookimpl
def rpganify_exports() -> list[ExportEntry]:
    """What `rpganify export --format` names."""
    export = "rpganify.surgery.export"
    return [
        ExportEntry("safetensors", "the weights under the original's names", f"{export}:safetensors_writer"),
        ExportEntry("pt2", "a program for torch.export.load, any batch size", f"{export}:pt2_writer"),
        ExportEntry(
            "onnx", "a program for onnxruntime and others, any batch size", "rpganify.surgery.onnx:onnx_writer"
        ),
    ]
