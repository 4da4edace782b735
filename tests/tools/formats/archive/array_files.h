// NumPy's arrays and PyTorch's pickles for tests.
#ifndef MODELVAULT_TESTS_TOOLS_FORMATS_ARCHIVE_ARRAY_FILES_H_
#define MODELVAULT_TESTS_TOOLS_FORMATS_ARCHIVE_ARRAY_FILES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/tools/formats/archive/zip_writer.h"
#include "tests/tools/formats/le_bytes.h"

namespace modelvault {

// An array whose header is `header`, padded as NumPy does.
inline std::string NpyWithHeader(std::string header, const std::string& bytes, int version = 1) {
  const size_t before = version == 1 ? 10 : 12;
  header.append((64 - (before + header.size() + 1) % 64) % 64, ' ');
  header += '\n';
  return absl::StrCat("\x93NUMPY", LeBytes(static_cast<uint64_t>(version), 2),
                      LeBytes(header.size(), version == 1 ? 2 : 4), header, bytes);
}

// `shape` is what stands between the parentheses: "2, 3", "5," or "".
inline std::string Npy(const std::string& type, const std::string& shape, const std::string& bytes,
                       bool fortran_order = false) {
  return NpyWithHeader(absl::StrCat("{'descr': '", type, "', 'fortran_order': ", fortran_order ? "True" : "False",
                                    ", 'shape': (", shape, "), }"),
                       bytes);
}

// An entry of a dictionary of tensors, as torch.save writes it.
struct TorchEntry {
  std::string name;
  std::string storage_class;
  std::string key;
  std::vector<uint64_t> shape;
  std::vector<uint64_t> strides;  // None: row by row.
  uint64_t offset = 0;
  uint64_t elements = 0;  // Of the storage; 0: as the shape has.
};

inline std::string PickledText(const std::string& text) { return absl::StrCat("X", LeBytes(text.size(), 4), text); }

inline std::string PickledIntegers(const std::vector<uint64_t>& integers) {
  std::string text = "(";
  for (const uint64_t integer : integers) absl::StrAppend(&text, "J", LeBytes(integer, 4));
  return text + "t";
}

inline std::string TorchPickle(const std::vector<TorchEntry>& entries) {
  std::string pickle = "\x80\x02}q" + LeBytes(0, 1) + "(";
  for (const TorchEntry& entry : entries) {
    uint64_t elements = 1;
    std::vector<uint64_t> strides(entry.shape.size());
    for (size_t i = entry.shape.size(); i > 0; --i) {
      strides[i - 1] = elements;
      elements *= entry.shape[i - 1];
    }
    pickle += PickledText(entry.name) + "ctorch._utils\n_rebuild_tensor_v2\n((" + PickledText("storage") + "ctorch\n" +
              entry.storage_class + "\n" + PickledText(entry.key) + PickledText("cpu") + "J" +
              LeBytes(entry.elements > 0 ? entry.elements : elements, 4) + "tQJ" + LeBytes(entry.offset, 4) +
              PickledIntegers(entry.shape) + PickledIntegers(entry.strides.empty() ? strides : entry.strides) +
              "\x89"
              "ccollections\nOrderedDict\n)RtR";
  }
  return pickle + "u.";
}

// The archive of a pickle and storages, whose keys are 0, 1, ….
inline std::string TorchFile(const std::string& pickle, const std::vector<std::string>& storages,
                             const std::string& byte_order = "little") {
  ZipMemberOptions aligned;
  aligned.align = 64;
  ZipWriter zip;
  zip.Member("model/data.pkl", pickle, aligned).Member("model/byteorder", byte_order, aligned);
  for (size_t i = 0; i < storages.size(); ++i) zip.Member(absl::StrCat("model/data/", i), storages[i], aligned);
  return zip.Member("model/version", "3\n", aligned).File();
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_TOOLS_FORMATS_ARCHIVE_ARRAY_FILES_H_
