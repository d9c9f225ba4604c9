"""The server inside an image.

`schema` says what a model takes and gives, `front` speaks HTTP, `worker` runs the model.
"""

__version__ = "0.1.0"
