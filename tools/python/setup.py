"""Takes the C library into the package, if there is one: that which MODELVAULT_LIBRARY names, or that of the checkout's
build folder. Without one the package looks for it where the system has its libraries. All else is in pyproject.toml."""

import os
import pathlib
import shutil
import sys

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

# As modelvault/reader/c_library.py looks for it.
FILE_NAME = "libmodelvault.0.dylib" if sys.platform == "darwin" else "libmodelvault.so.0"
BUILT = pathlib.Path(__file__).resolve().parents[2] / "build" / "restore" / "c_api" / FILE_NAME


def find_library():
    """Its path, or None."""
    named = os.environ.get("MODELVAULT_LIBRARY")
    if named and not os.path.isfile(named):
        raise FileNotFoundError(f"MODELVAULT_LIBRARY: {os.path.abspath(named)} is no file")
    return named or (BUILT if BUILT.is_file() else None)


class BuildPy(build_py):
    """Copies the library, too."""

    def run(self):
        super().run()
        library = find_library()
        if library:
            shutil.copyfile(library, pathlib.Path(self.build_lib) / "modelvault" / FILE_NAME)


class LibraryDistribution(Distribution):
    """With a library it is for one kind of machine."""

    def has_ext_modules(self):
        return find_library() is not None


setup(distclass=LibraryDistribution, cmdclass={"build_py": BuildPy})
