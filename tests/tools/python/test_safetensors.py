"""What the package's reader takes and refuses is what mvault takes and refuses."""

import json
import os
import stat
import struct
import subprocess
import unittest
from unittest import mock

import toy
import torch

import modelvault as mv
from modelvault.training import safetensors

NARROW = {"F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "U16": 16, "U32": 32, "U64": 64,
          "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}


def make_file(header, data=b"", padding=b""):
    text = (header if isinstance(header, bytes) else json.dumps(header).encode()) + padding
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype="F32", shape=(2,), begin=0, end=8, **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end], **more}


def nested(depth):
    """A header with arrays in each other."""
    return b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":' + depth * b"[" + depth * b"]" + b"}}"


class SafetensorsTest(toy.FolderTest):
    def test_round_trip_of_every_dtype(self):
        tensors = {name: torch.ones(3, 5).to(dtype) for name, dtype in safetensors.DTYPES.items()}
        tensors["empty"] = torch.empty(0, 4)
        tensors["scalar"] = torch.tensor(2.5)
        safetensors.write(self.folder / "x", tensors, {"a": "b"})
        back = safetensors.read(self.folder / "x")
        self.assertEqual(back.metadata, {"a": "b"})
        self.assertEqual(list(back.tensors), list(tensors))
        for name, tensor in tensors.items():
            self.assertTrue(back.tensors[name].dtype == tensor.dtype and torch.equal(back.tensors[name], tensor), name)

    def test_dtypes_that_torch_lacks_come_back_byte_for_byte(self):
        header, data = {}, b""
        for name, bits in {**NARROW, "X1_NOBODY_KNOWS": 24}.items():
            size = 8 * bits // 8
            header[name] = entry(name, (2, 4), len(data), len(data) + size)
            data += bytes(range(1, 1 + size))
        (self.folder / "x").write_bytes(make_file(header, data))
        model = safetensors.read(self.folder / "x")
        self.assertEqual(model.foreign["F4"], ("F4", [2, 4]))
        safetensors.write(self.folder / "y", model.tensors, model.metadata, model.foreign)
        back = safetensors.read(self.folder / "y")
        self.assertEqual((back.foreign, list(back.tensors)), (model.foreign, list(header)))
        self.assertEqual((self.folder / "y").read_bytes()[-len(data):], data)

    def test_a_link_stays_one(self):
        safetensors.write(self.folder / "x", {"a": torch.zeros(2)})
        (self.folder / "link").symlink_to(self.folder / "x")
        safetensors.write(self.folder / "link", {"a": torch.ones(2)})
        self.assertTrue((self.folder / "link").is_symlink())
        self.assertEqual(safetensors.read(self.folder / "x").tensors["a"].tolist(), [1, 1])

    def test_the_folder_is_synced_where_that_can_be(self):
        synced = []

        def sync(descriptor):
            synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
            if synced[-1]:
                raise OSError("not here")
        with mock.patch("os.fsync", sync):
            safetensors.write(self.folder / "x", {"a": torch.ones(2)})
        self.assertEqual(synced, [False, True])
        self.assertEqual([path.name for path in self.folder.iterdir()], ["x"])

    def test_a_machine_of_the_other_byte_order(self):
        tensors = {"f": torch.tensor([1.5, -2.25]), "i": torch.tensor([3, -4]), "h": torch.tensor([0.5]).half(),
                   "b": torch.tensor([1, 2], dtype=torch.int8)}
        safetensors.write(self.folder / "x", tensors)
        ours = (self.folder / "x").read_bytes()
        with mock.patch.object(safetensors, "_BIG_ENDIAN", True):
            # What such a machine has in memory.
            turned = {name: safetensors.read(self.folder / "x").tensors[name] for name in tensors}
            safetensors.write(self.folder / "y", turned)
        self.assertEqual((self.folder / "y").read_bytes(), ours)
        self.assertEqual(struct.unpack(">2f", struct.pack("<2f", *turned["f"].tolist())), (1.5, -2.25))
        self.assertEqual(struct.unpack(">2q", struct.pack("<2q", *turned["i"].tolist())), (3, -4))
        self.assertEqual(turned["b"].tolist(), [1, 2])

    def fails(self, pattern, content):
        path = self.folder / "x.safetensors"
        path.write_bytes(content)
        with self.assertRaisesRegex(mv.ModelFileError, f"{path}.*{pattern}"):
            safetensors.read(path)

    def test_damage_is_named(self):
        path = self.folder / "x"
        safetensors.write(path, {"a": torch.ones(4), "b": torch.ones(2)})
        good = path.read_bytes()
        for pattern, bad in ((r"3 bytes", good[:3]), ("are no size of a header", b"\xff" * 16),
                             ("the header contains a NUL at offset 9", good[:9] + b"\x00" + good[10:]),
                             ("the header is not UTF-8 JSON", good[:9] + b"\x01" + good[10:]),
                             ("tensor 'b': data_offsets .* do not lie within the data, 23 bytes: 1 are missing",
                              good[:-1]),
                             ("tensors take 24 bytes of data, the file has 25, 1 too many", good + b"x"),
                             ("tensors take 24 bytes of data, the file has 4120, 4096 too many", good + bytes(4096)),
                             ("tensor 'a': shape .4. of F32 takes 16 bytes, data_offsets .* hold 12",
                              good.replace(b"[0,16]", b"[0,12]")),
                             ("tensor 'b' overlaps the one before it: it begins at byte 15 of the data, expected 16",
                              good.replace(b"[16,24]", b"[15,23]")),
                             ("of which the file has 92, 20 too few", good[:100])):
            with self.subTest(pattern):
                self.fails(pattern, bad)

    def test_what_a_foreign_file_seems_to_be(self):
        for pattern, content in (
                ("a Git LFS pointer: run git lfs pull",
                 b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"),
                ("an HTML or XML page", b"<!DOCTYPE html><html></html>"),
                ("an HTML or XML page", b"\xef\xbb\xbf\r\n <html>"),
                ("a ZIP archive", b"PK\x03\x04\x14\x00\x00\x00\x08\x00"), ("a GGUF file", b"GGUF\x03\x00\x00\x00\x01"),
                ("compressed by gzip: unpack it", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"),
                ("a pickle", b"\x80\x02}q\x00(X\x01\x00\x00\x00"),
                ("a vault: mvault restore", b"MVLT\r\n\x1a\n" + bytes(20)),
                ("what macOS leaves beside a file", b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X"),
                ("the file is empty", b"")):
            with self.subTest(pattern):
                self.fails(pattern, content)

    def test_padding_of_nul_bytes(self):
        self.fails("the header ends in padding of 3 NUL bytes from offset 69; they must be spaces",
                   make_file({"a": entry()}, bytes(8), b"\0\0\0"))

    def test_one_verdict_with_mvault(self):
        good = entry()
        files = {
            "empty metadata": make_file({"__metadata__": {}, "a": good}, bytes(8)),
            "null metadata": make_file({"__metadata__": None, "a": good}, bytes(8)),
            "metadata alone": make_file({"__metadata__": {"a": "b"}}),
            "nothing": make_file({}),
            "a tensor of no elements": make_file({"a": entry("F32", (0, 3), 0, 0)}),
            "a number as metadata": make_file({"__metadata__": {"step": 3}, "a": good}, bytes(8)),
            "an object as metadata": make_file({"__metadata__": {"config": {}}, "a": good}, bytes(8)),
            "an array as metadata": make_file({"__metadata__": ["a"], "a": good}, bytes(8)),
            "another field": make_file({"a": entry(more=[{"x": [1.5, None, True]}])}, bytes(8)),
            "a field too few": make_file({"a": {"dtype": "F32", "shape": [2]}}, bytes(8)),
            "a key twice": make_file(b'{"a":' + json.dumps(good).encode() + b',"a":' + json.dumps(good).encode() + b"}",
                                     bytes(8)),
            "a field twice": make_file(b'{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', bytes(8)),
            "another field twice": make_file(b'{"a":{"x":1,"x":2,"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
                                             bytes(8)),
            "metadata twice": make_file(b'{"__metadata__":{"a":"b","a":"c"}}'),
            "minus 0": make_file(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[-0,8]}}', bytes(8)),
            "a float as a count": make_file(b'{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}', bytes(8)),
            "not a number": make_file(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":NaN}}', bytes(8)),
            "too large a number": make_file(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1e999}}', bytes(8)),
            "half a surrogate pair": make_file(b'{"\\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', bytes(8)),
            "no UTF-8": make_file(b'{"\xff":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', bytes(8)),
            "a byte order mark": make_file(b"\xef\xbb\xbf" + json.dumps({"a": good}).encode(), bytes(8)),
            "a blank first": make_file(b" " + json.dumps({"a": good}).encode(), bytes(8)),
            "blanks last": make_file({"a": good}, bytes(8), b" \r\n\t "),
            "text last": make_file({"a": good}, bytes(8), b" x"),
            "NULs last": make_file({"a": good}, bytes(8), b"\0\0"),
            "no name": make_file({"": good}, bytes(8)),
            "a long name": make_file({"a" * 1024: good}, bytes(8)),
            "too long a name": make_file({"a" * 1025: good}, bytes(8)),
            "a NUL in a name": make_file({"a\0": good}, bytes(8)),
            "no dtype's name": make_file({"a": entry("")}, bytes(8)),
            "a dtype nobody knows": make_file({"a": entry("X7")}, bytes(8)),
            "a number as dtype": make_file({"a": entry(7)}, bytes(8)),
            "too long a dtype": make_file({"a": entry("X" * 33)}, bytes(8)),
            "64 dimensions": make_file({"a": entry("F32", [1] * 63 + [2])}, bytes(8)),
            "65 dimensions": make_file({"a": entry("F32", [1] * 64 + [2])}, bytes(8)),
            "too many elements": make_file({"a": entry("X7", [2**40, 2**40])}, bytes(8)),
            "F4, even": make_file({"a": entry("F4", (16,))}, bytes(8)),
            "F4, odd": make_file({"a": entry("F4", (15,))}, bytes(8)),
            "F6": make_file({"a": entry("F6_E2M3", (4,), 0, 3)}, bytes(3)),
            "three offsets": make_file({"a": {**good, "data_offsets": [0, 8, 8]}}, bytes(8)),
            "backwards": make_file({"a": {**good, "data_offsets": [8, 0]}}, bytes(8)),
            "a hole": make_file({"a": entry(begin=4, end=12)}, bytes(12)),
            "deep": make_file(nested(126), bytes(8)),
            "too deep": make_file(nested(127), bytes(8)),
            "far too deep": make_file(b'{"a":{"x":' + b"[" * 5000 + b"]" * 5000 + b"}}", bytes(8)),
            "1 byte cut": make_file({"a": good}, bytes(7)),
            "1 byte more": make_file({"a": good}, bytes(9)),
            "an empty file": b"",
            "8 bytes": bytes(8),
            "a list": make_file(b"[]"),
        }
        verdicts = set()
        for what, content in files.items():
            path = self.folder / "x.safetensors"
            path.write_bytes(content)
            command = [toy.MVAULT, "pack", "--base", path, "--variant", f"v={path}", "-o", self.folder / "v.mvlt"]
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
            self.assertIn(done.returncode, (0, 3), what)
            try:
                safetensors.read(path)
                taken, said = True, ""
            except mv.ModelFileError as error:
                taken, said = False, str(error)
            self.assertEqual(taken, done.returncode == 0, f"{what}: {said} / {done.stderr.decode()}")
            verdicts.add(taken)
        self.assertEqual(verdicts, {True, False})


if __name__ == "__main__":
    unittest.main()
