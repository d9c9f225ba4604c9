# ruff: noqa
# mypy: ignore-errors
from typing import Any, Optional

from cog import BaseModel, BasePredictor, Input, Path

LANGUAGES = {"en": "english", "de": "german", "fr": "french"}


class ModelOutput(BaseModel):
    detected_language: str
    transcription: str
    segments: Any
    translation: Optional[str]
    txt_file: Optional[Path]
    srt_file: Optional[Path]


class Predictor(BasePredictor):
    def predict(
        self,
        audio: Path = Input(description="Audio file"),
        model: str = Input(default="base", choices=["tiny", "base", "small"]),
        transcription: str = Input(
            choices=["plain text", "srt", "vtt"], default="plain text", description="Format"
        ),
        translate: bool = Input(default=False),
        language: str = Input(
            choices=sorted(LANGUAGES.keys()) + sorted([k.title() for k in LANGUAGES.values()]),
            default=None,
        ),
        suppress_tokens: str = Input(default="-1"),
        temperature_increment_on_fallback: float = Input(default=0.2),
    ) -> ModelOutput:
        return None
