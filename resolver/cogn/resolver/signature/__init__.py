"""From the source of a predictor to its signature, without importing or executing anything.

`read_signature` goes through the predictor's module as Python would, computes what follows from
plain data, and treats everything else as unknown until something depends on it. The rules are those
of `cogn_runtime.schema`, which makes the same signature from the loaded code in the image.
"""

from cogn.resolver.signature.errors import PredictorError, UnknownValueError
from cogn.resolver.signature.modules import Modules
from cogn.resolver.signature.predictor import Method, read_signature

__all__ = ["Method", "Modules", "PredictorError", "UnknownValueError", "read_signature"]
