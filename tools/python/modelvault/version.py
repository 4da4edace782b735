"""The package's version, apart so that it can be read without torch."""

VERSION = "0.1.0"
