"""What the package says of the C library is what modelvault.h says."""

import ctypes
import re
import unittest

import vaults

from modelvault.reader import arrays, c_library, errors

HEADER = (vaults.ROOT / "restore" / "c_api" / "include" / "modelvault" / "modelvault.h").read_text(encoding="utf-8")
CODE = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.DOTALL)

POINTER = ctypes.c_void_p
TYPES = {"uint32_t": ctypes.c_uint32, "int32_t": ctypes.c_int32, "mv_dtype": ctypes.c_int32, "mv_code": ctypes.c_int32,
         "uint64_t": ctypes.c_uint64, "int64_t": ctypes.c_int64, "size_t": ctypes.c_size_t,
         "const char*": ctypes.c_char_p, "void": None,
         "const uint64_t*": ctypes.POINTER(ctypes.c_uint64), "mv_progress_function": c_library.PROGRESS_FUNCTION}


def type_of(declared):
    """What ctypes has for a C type."""
    return TYPES[declared] if declared in TYPES else POINTER if declared.endswith("*") else None


def constants(prefix):
    return {name: int(value) for name, value in re.findall(rf"({prefix}\w+) = (\d+)", CODE)}


class DeclarationsTest(unittest.TestCase):
    def test_structs(self):
        for name, struct in (("mv_source", c_library.Source), ("mv_model_info", c_library.ModelInfo),
                             ("mv_tensor_info", c_library.TensorInfo), ("mv_read_options", c_library.ReadOptions),
                             ("mv_input", c_library.Input), ("mv_open_options", c_library.OpenOptions),
                             ("mv_signature_info", c_library.SignatureInfo)):
            body = re.search(rf"typedef struct {name} {{(.*?)}} {name};", CODE, re.DOTALL)[1]
            members = []
            for member in filter(None, map(str.strip, body.split(";"))):
                function = re.match(r"(\w+) \(\*(\w+)\)", member)
                if function:
                    members.append((function[2], c_library.READ_FUNCTION if function[2] == "read" else POINTER))
                else:
                    declared, member_name = re.match(r"(.*?)\s*(\w+)$", member).groups()
                    members.append((member_name, type_of(declared)))
            self.assertEqual(struct._fields_, members, name)  # pylint: disable=protected-access

    def test_functions(self):
        declared = {name: (result, arguments) for result, name, arguments in
                    re.findall(r"^((?:const )?\w+\*?) (mv_\w+)\(([^)]*)\);", CODE, re.MULTILINE)}
        self.assertGreater(len(declared), 30)
        for name, result, arguments in c_library._FUNCTIONS:  # pylint: disable=protected-access
            expected_result, text = declared[name]
            expected = [re.match(r"(.*?)\s*\w+$", each.strip())[1].replace("**", "*") for each in text.split(",")]
            self.assertEqual(result, type_of(expected_result), name)
            self.assertEqual(list(arguments), [type_of(each) for each in expected], name)

    def test_codes(self):
        codes = constants("MV_CODE_")
        self.assertEqual(codes.pop("MV_CODE_OK"), 0)
        for name, code in codes.items():
            kind = errors.kind_of(code).__name__
            expected = "".join(word.capitalize() for word in name.split("_")[2:])
            self.assertEqual(kind, "Internal" if expected == "BufferTooSmall" else expected)
        self.assertIs(errors.kind_of(max(codes.values()) + 1), errors.VaultError)

    def test_types(self):
        kinds = {"BOOL": "b", "U": "u", "I": "i", "F": "f"}
        for name, code in constants("MV_DTYPE_").items():
            name = name[len("MV_DTYPE_"):]
            if name in ("OPAQUE", "BF16"):
                self.assertNotIn(code, arrays._NUMPY)  # pylint: disable=protected-access
                continue
            dtype = arrays.numpy.dtype(arrays._NUMPY[code])  # pylint: disable=protected-access
            letters, bits = re.match(r"(\D+)(\d*)", name).groups()
            self.assertEqual((dtype.kind, dtype.itemsize * 8), (kinds[letters], int(bits or 8)), name)


if __name__ == "__main__":
    unittest.main()
