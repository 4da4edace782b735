// Writes the golden vault of version 1.1 anew, for when the format changes (tests/regenerate):
//
//   make_free_golden tests/vault/golden
//
// Which base tensor serves which of the variant's is said here and not found by name: the names are not the format's.
#include <fstream>
#include <iterator>
#include <string>

#include "tests/golden_main.h"
#include "tests/restore/coded_models.h"

namespace modelvault {
namespace {

// A safetensors file: its header, with the length before it, and its data.
struct Parts {
  std::string header;
  TestBytes data;
};

Parts ReadParts(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const size_t header = 8 + static_cast<size_t>(Load<uint64_t>(bytes, 0));
  return {bytes.substr(0, header), TestBytes(bytes.begin() + static_cast<ptrdiff_t>(header), bytes.end())};
}

absl::Status Write(const std::string& golden) {
  const Parts base = ReadParts(golden + "/inputs/base.safetensors");
  const Parts tied = ReadParts(golden + "/inputs-1.1/tied.safetensors");
  PlainModels plain;
  plain.specs = {{DType::kI8, 12, 16}, {DType::kF32, 1, 6}, {DType::kF32, 1, 0},
                 {DType::kF32, 1, 1},  {DType::kI8, 4, 20}, {DType::kF32, 1, 4}};
  plain.base = base.data;
  plain.variants = {{"tied",
                     {{0, DType::kI8, 0},               // embed
                      {kNoBaseTensor, DType::kF16, 6},  // router
                      {4, DType::kI8, 0},               // w
                      {3, DType::kF32, 0},              // temperature
                      {0, DType::kI8, 0}},              // lm_head
                     tied.data,
                     false}};
  CodedModels coded = Encode(plain, 4096, 4096);
  coded.base_header = base.header;
  coded.variants[0].header = tied.header;
  return WriteCodedVault(FileSystem::Default(), golden + "/v1.1.mvlt", coded);
}

}  // namespace
}  // namespace modelvault

int main(int argc, char** argv) { return modelvault::WriteGolden(argc, argv, modelvault::Write); }
