// peer_sizes: what other ways to store a fine-tune take (bench/peer_sizes.h). Prints JSON: {METHOD: bytes}.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "bench/peer_sizes.h"
#include "nlohmann/json.hpp"
#include "restore/model_file.h"
#include "tools/formats/model_formats.h"
#include "tools/mvault/cli/command_line.h"

namespace modelvault::bench {
namespace {

int Fail(const absl::Status& status) {
  absl::FPrintF(stderr, "peer_sizes: %s\n", status.message());
  return 1;
}

absl::StatusOr<std::vector<uint8_t>> ReadAll(const ModelFile& file) {
  std::vector<uint8_t> bytes(static_cast<size_t>(file.data_size()));
  if (absl::Status status = file.ReadData(0, absl::MakeSpan(bytes)); !status.ok()) return status;
  return bytes;
}

int Run(int argc, char** argv) {
  std::string base_path, variant_path;
  const std::optional<int> exit_code = ParseCommandLine(
      "Counts the bytes that other methods take for the data of a variant. All of it is held in memory.",
      [&](Command& program) {
        program.AddOption("BASE", &base_path, "The base's file").Required();
        program.AddOption("VARIANT", &variant_path, "The variant's: of one element type, as large").Required();
      },
      argc, argv);
  if (exit_code.has_value()) return *exit_code;
  const absl::StatusOr<ModelFile> base = KnownModelFormats().Open(FileSystem::Default(), base_path);
  if (!base.ok()) return Fail(base.status());
  const absl::StatusOr<ModelFile> variant = KnownModelFormats().Open(FileSystem::Default(), variant_path);
  if (!variant.ok()) return Fail(variant.status());
  const absl::StatusOr<std::vector<uint8_t>> base_bytes = ReadAll(*base);
  if (!base_bytes.ok()) return Fail(base_bytes.status());
  const absl::StatusOr<std::vector<uint8_t>> bytes = ReadAll(*variant);
  if (!bytes.ok()) return Fail(bytes.status());
  if (bytes->empty() || bytes->size() != base_bytes->size()) {
    return Fail(absl::InvalidArgumentError("the two have not as many bytes"));
  }
  const DType dtype = variant->tensors()[0].dtype;
  const size_t element_size = ElementSize(static_cast<uint8_t>(dtype));
  const nlohmann::ordered_json sizes = {{"zstd -19", ZstdSize(*bytes, 19)},
                                        {"xz -9", XzSize(*bytes, 9)},
                                        {"split Huffman", SplitHuffmanSize(*bytes, element_size, IsFloat(dtype))},
                                        {"xor, zstd -3", XorZstdSize(*bytes, *base_bytes, 3)},
                                        {"xor, zstd -19", XorZstdSize(*bytes, *base_bytes, 19)}};
  absl::PrintF("%s\n", sizes.dump());
  return 0;
}

}  // namespace
}  // namespace modelvault::bench

int main(int argc, char** argv) { return modelvault::bench::Run(argc, argv); }
