"""Vaults behind URLs."""

import os
import pathlib
import subprocess
import sys
import unittest

import numpy
import vaults

import modelvault

SERVER = vaults.ROOT / "tests" / "vault" / "remote" / "range_server.py"


class UrlTest(vaults.VaultTest):
    def setUp(self):
        os.environ["no_proxy"] = "127.0.0.1"
        command = [sys.executable, str(SERVER), str(self.folder), str(self.folder / "log")]
        self._server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self._server.communicate)
        self._port = int(self._server.stdout.readline())

    def url(self, fault):
        return f"http://127.0.0.1:{self._port}/{fault}/{self.path.name}"

    def requests(self):
        """How many there were."""
        return len((self.folder / "log").read_text().splitlines())

    def test_tensors_and_files_are_those_of_the_file(self):
        with modelvault.Vault(self.path) as local, modelvault.Vault(self.url("drop/5000")) as remote:
            self.assertEqual(remote.path, self.url("drop/5000"))
            self.assertEqual(remote.names, local.names)
            for name in ("base", *local.names):
                for tensor, array in remote[name].tensors():
                    numpy.testing.assert_array_equal(array, local[name][tensor])
                remote[name].save(self.folder / "saved")
                local[name].save(self.folder / "expected")
                self.assertEqual((self.folder / "saved").read_bytes(), (self.folder / "expected").read_bytes())
            remote.verify()

    def test_a_tensor_takes_few_requests(self):
        vault = modelvault.Vault(self.url("plain"))
        numpy.testing.assert_array_equal(vault["alpha"]["of.F32"], self.models["alpha"]["of.F32"].array)
        self.assertLessEqual(self.requests(), 6)

    def test_a_vault_that_is_not_there_or_changes_is_an_error(self):
        with self.assertRaisesRegex(modelvault.FileMissing, "HTTP status 404"):
            modelvault.Vault(self.url("plain") + ".not")
        with self.assertRaisesRegex(modelvault.Storage, "HTTP status 403"):
            modelvault.Vault(self.url("status_for/403/9"))
        with self.assertRaisesRegex(modelvault.InvalidArgument, "netrc"):
            modelvault.Vault("http://me:secret@127.0.0.1:1/v.mvlt")

    def test_a_files_url_is_the_file(self):
        vault = modelvault.Vault(pathlib.Path(self.path).as_uri())
        self.assertEqual(len(vault), 2)


if __name__ == "__main__":
    unittest.main()
