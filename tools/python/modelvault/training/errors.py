"""What this package raises for input that is not right. Both are ValueErrors."""


class ModelFileError(ValueError):
    """A model file is damaged, or is not the file that is needed."""


class AttachError(ValueError):
    """A model, or what was asked for it, does not go together with its base."""
