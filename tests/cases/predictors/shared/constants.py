# ruff: noqa
# mypy: ignore-errors
SIZES = [256, 512, 768]
SCHEDULERS = {
    "DDIM": lambda config: ("ddim", config),
    "PNDM": lambda config: ("pndm", config),
    "K_EULER": lambda config: ("euler", config),
}
MAX_SEED = 2**32 - 1
PROMPT_HELP = "What to make. Be precise."
