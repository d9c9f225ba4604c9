"""The process that runs the model: standard library and `cog` only, in the model's environment."""
