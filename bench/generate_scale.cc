// generate_scale: writes a pair of models with the statistics of large ones (bench/scale_data.h), for bench/scale.

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "bench/scale_data.h"
#include "codec/core/bytes.h"
#include "codec/text_bytes.h"
#include "tools/mvault/cli/command_line.h"
#include "tools/mvault/cli/command_options.h"
#include "vault/file_system.h"

namespace modelvault::bench {
namespace {

constexpr uint64_t kTensorRows = 1024;
constexpr uint64_t kSeed = 17;

struct Kind {
  const char* dtype = "BF16";
  uint64_t element_size = 2;
};

// The header of a safetensors file of `rows` rows.
std::string Header(const Kind& kind, uint64_t rows) {
  const uint64_t row_size = kScaleRow * kind.element_size;
  std::vector<std::string> tensors;
  for (uint64_t first = 0; first < rows; first += kTensorRows) {
    const uint64_t end = std::min(rows, first + kTensorRows);
    tensors.push_back(
        absl::StrFormat("\"layers.%d.weight\":{\"dtype\":\"%s\",\"shape\":[%d,%d],\"data_offsets\":[%d,%d]}",
                        first / kTensorRows, kind.dtype, end - first, kScaleRow, first * row_size, end * row_size));
  }
  std::string json = absl::StrCat("{", absl::StrJoin(tensors, ","), "}");
  json.append((8 - json.size() % 8) % 8, ' ');
  std::string header(8, '\0');
  StoreLe64(reinterpret_cast<uint8_t*>(header.data()), json.size());
  return header + json;
}

void MakeRow(const std::string& kind, uint64_t row, absl::Span<uint8_t> base, absl::Span<uint8_t> variant) {
  if (kind == "int8") {
    MakeTernaryRow(kSeed, 0.1, row, base, variant);
  } else if (kind == "sparse") {
    MakeNearlyEqualRow(kSeed, 200, row, base, variant);
  } else {
    FineTune options;
    options.strength = kind == "light" ? 0.002 : kind == "heavy" ? 0.03 : options.strength;
    MakeFineTunedRow(options, row, base, variant);
  }
}

absl::Status Write(const std::string& folder, const std::string& name, uint64_t size) {
  Kind kind;
  if (name == "int8") kind = {"I8", 1};
  const uint64_t row_size = kScaleRow * kind.element_size;
  const uint64_t rows = std::max<uint64_t>(1, size / row_size);
  FileSystem& files = FileSystem::Default();
  const auto base = files.CreateAtomic(folder + "/base.safetensors", Durability::kNone);
  if (!base.ok()) return base.status();
  const auto variant = files.CreateAtomic(folder + "/variants/v1.safetensors", Durability::kNone);
  if (!variant.ok()) return variant.status();
  const std::string header = Header(kind, rows);
  absl::Status status = (*base)->Append(BytesOf(header));
  if (status.ok()) status = (*variant)->Append(BytesOf(header));
  std::vector<uint8_t> base_row(row_size), variant_row(row_size);
  for (uint64_t row = 0; status.ok() && row < rows; ++row) {
    MakeRow(name, row, absl::MakeSpan(base_row), absl::MakeSpan(variant_row));
    status = (*base)->Append(base_row);
    if (status.ok()) status = (*variant)->Append(variant_row);
  }
  if (status.ok()) status = (*base)->Commit();
  if (status.ok()) status = (*variant)->Commit();
  return status;
}

int Run(int argc, char** argv) {
  std::string folder, kind = "bf16";
  std::optional<uint64_t> size;
  const std::optional<int> exit_code = ParseCommandLine(
      "Writes FOLDER/base.safetensors and FOLDER/variants/v1.safetensors: the same bytes every time.",
      [&](Command& program) {
        program.AddOption("--out", &folder, "Folder to write to").Required();
        program
            .AddOption("--kind", &kind,
                       "A BF16 fine-tune (bf16, light, heavy), one that changes one element in 200, "
                       "INT8 with ternary differences")
            .OneOf({"bf16", "light", "heavy", "sparse", "int8"});
        AddSizeOption(&program, "--size", &size, "Bytes of each data section, to whole rows; default: 512MiB");
      },
      argc, argv);
  if (exit_code.has_value()) return *exit_code;
  std::error_code error;
  std::filesystem::create_directories(folder + "/variants", error);
  const absl::Status status = error ? absl::UnavailableError(absl::StrCat("cannot create ", folder, "/variants"))
                                    : Write(folder, kind, size.value_or(uint64_t{512} << 20));
  if (status.ok()) return 0;
  absl::FPrintF(stderr, "generate_scale: %s\n", status.message());
  return 1;
}

}  // namespace
}  // namespace modelvault::bench

int main(int argc, char** argv) { return modelvault::bench::Run(argc, argv); }
