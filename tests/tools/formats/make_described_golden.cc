// Writes the golden vault of version 1.3 anew, for when the format changes (tests/regenerate):
//
//   make_described_golden tests/vault/golden
//
// Which bytes are tensors is said here: the models are of no format.
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "restore/described_frame.h"
#include "tests/golden_main.h"
#include "tests/restore/coded_models.h"
#include "tests/vault/memory_file.h"
#include "tools/formats/described/described_format.h"

namespace modelvault {
namespace {

std::string ReadWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

// Both files of a model: notes, then a head of 8 bytes, 64 weights, "--", three blocks of a scale and 8 weights,
// "END!".
class GoldenFormat : public DescribedFormat {
 public:
  absl::string_view name() const override { return "golden"; }
  std::vector<absl::string_view> extensions() const override { return {".bin"}; }
  bool Recognises(absl::Span<const uint8_t>) const override { return true; }
  absl::StatusOr<std::vector<TypedRange>> ReadRanges(const RandomAccessFile&,
                                                     const std::vector<FilePart>& files) const override {
    const uint64_t weights = files[0].size + 8;
    TypedRange embed;
    embed.tensor = ModelTensor("embed", DType::kI8, {4, 16}, weights);
    TypedRange blocks;
    blocks.tensor.name = "blocks";
    blocks.tensor.begin = weights + 66;
    blocks.tensor.end = weights + 96;
    blocks.parts = {{ModelTensor("blocks.scales", DType::kF16, {3}), 2},
                    {ModelTensor("blocks", DType::kI8, {3, 8}), 8}};
    return std::vector<TypedRange>{embed, blocks};
  }
};

absl::StatusOr<ModelFile> Open(const std::string& folder) {
  static const GoldenFormat kFormat;
  FrameOptions options;
  std::string bytes;
  for (const char* const name : {"notes.txt", "weights.bin"}) {
    const std::string part = ReadWhole(folder + "/" + name);
    options.files.push_back({name, part.size()});
    bytes += part;
  }
  return ModelFile::FromFile(kFormat, std::make_unique<MemoryFile>(TestBytes(bytes.begin(), bytes.end()), folder),
                             options);
}

absl::Status Write(const std::string& golden) {
  const absl::StatusOr<ModelFile> base = Open(golden + "/inputs-1.3/base");
  const absl::StatusOr<ModelFile> variant = Open(golden + "/inputs-1.3/radiology");
  if (!base.ok()) return base.status();
  if (!variant.ok()) return variant.status();
  PlainModels plain;
  plain.specs = base->tensors();
  plain.base.resize(static_cast<size_t>(base->data_size()));
  if (absl::Status status = base->ReadData(0, absl::MakeSpan(plain.base)); !status.ok()) return status;
  TestBytes data(plain.base.size());
  if (absl::Status status = variant->ReadData(0, absl::MakeSpan(data)); !status.ok()) return status;
  plain.variants = {{"radiology", {}, data, false}};
  CodedModels coded = Encode(plain, 4096, 4096);
  coded.base_header = base->frame();
  coded.variants[0].header = variant->frame();
  return WriteCodedVault(FileSystem::Default(), golden + "/v1.3.mvlt", coded);
}

}  // namespace
}  // namespace modelvault

int main(int argc, char** argv) { return modelvault::WriteGolden(argc, argv, modelvault::Write); }
