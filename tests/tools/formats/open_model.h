// Model files in memory, for tests of formats.
#ifndef MODELVAULT_TESTS_TOOLS_FORMATS_OPEN_MODEL_H_
#define MODELVAULT_TESTS_TOOLS_FORMATS_OPEN_MODEL_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "restore/file_assembler.h"
#include "restore/model_file.h"
#include "tests/status_matchers.h"
#include "tests/vault/memory_file.h"

namespace modelvault {

// Calls the file "m".
inline absl::StatusOr<ModelFile> OpenModel(const ModelFormat& format, const std::string& bytes,
                                           const FrameOptions& options = {}) {
  return ModelFile::FromFile(
      format, std::make_unique<MemoryFile>(std::vector<uint8_t>(bytes.begin(), bytes.end()), "m"), options);
}

// A tensor's bytes in the data section.
inline std::string TensorBytes(const ModelFile& file, const ModelTensor& tensor) {
  std::string bytes(static_cast<size_t>(tensor.size()), '\0');
  EXPECT_THAT(file.ReadData(tensor.begin, absl::MakeSpan(reinterpret_cast<uint8_t*>(bytes.data()), bytes.size())),
              IsOk());
  return bytes;
}

// "NAME TYPE [SHAPE]" of each tensor.
inline std::vector<std::string> Described(const ModelFile& file) {
  std::vector<std::string> lines;
  for (const ModelTensor& t : file.tensors()) {
    lines.push_back(absl::StrCat(t.name, " ", t.type_name(), " [", absl::StrJoin(t.shape, ", "), "]"));
  }
  return lines;
}

// What an assembler makes of the file's frame and data: the file.
inline std::string Assembled(const ModelFile& file) {
  std::string bytes;
  FileAssembler assembler(file.frame(), file.structure(), [&](absl::Span<const uint8_t> more) {
    bytes.append(reinterpret_cast<const char*>(more.data()), more.size());
    return absl::OkStatus();
  });
  for (const ModelTensor& tensor : file.tensors()) {
    const std::string data = TensorBytes(file, tensor);
    EXPECT_THAT(assembler.Append({reinterpret_cast<const uint8_t*>(data.data()), data.size()}), IsOk());
  }
  EXPECT_THAT(assembler.Finish(), IsOk());
  return bytes;
}

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_TOOLS_FORMATS_OPEN_MODEL_H_
