"""The process that speaks HTTP: it never imports the model, and answers whatever the model does."""
