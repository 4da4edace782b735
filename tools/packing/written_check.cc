#include "tools/packing/written_check.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "vault/shelf.h"

namespace modelvault {
namespace {

// Restores `model` and compares it with the file it came from, byte by byte.
absl::Status CompareWithFile(const VaultModel& model, const ModelFile& file, int threads) {
  if (model.data_size() != file.data_size()) {
    return absl::InternalError(
        absl::StrCat(file.path(), ": packed ", file.data_size(), " bytes of data, restored ", model.data_size()));
  }
  RestoreOptions options;
  options.threads = threads;
  options.any_order = true;
  Shelf<std::vector<uint8_t>> shelf;
  std::atomic<bool> reported = false;
  absl::Status status = model.Restore(options, [&](uint64_t offset, absl::Span<const uint8_t> bytes) -> absl::Status {
    std::unique_ptr<std::vector<uint8_t>> expected = shelf.Take();
    expected->resize(bytes.size());
    absl::Status read = file.ReadData(offset, absl::MakeSpan(*expected));
    const bool same = read.ok() && absl::MakeConstSpan(*expected) == bytes;
    shelf.Give(std::move(expected));
    if (!same) reported = true;
    if (!read.ok()) return read;
    if (!same) {
      return absl::DataLossError(absl::StrCat(file.path(), ": restored data differ from the file within ", bytes.size(),
                                              " bytes from offset ", offset,
                                              ": did a file change while it was packed?"));
    }
    return absl::OkStatus();
  });
  // What was written a moment ago does not contradict itself unless its parts come from different states of a file.
  if (!absl::IsDataLoss(status) || reported) return status;
  return absl::DataLossError(absl::StrCat(file.path(), ": did a file change while it was packed? ", status.message()));
}

// Compares with the header that the file has now: it was read long before the data.
absl::Status CompareHeader(const ModelFile& file, const std::string& restored) {
  const absl::StatusOr<std::string> header = file.ReadFrameAgain();
  if (!header.ok()) return header.status();
  if (*header == restored) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(file.path(), ": the header of ", header->size(),
                   " bytes does not come back as it is: did a file change while it was packed?"));
}

absl::Status CheckBase(const Restorer& restorer, const ModelFile& file, int threads) {
  const absl::StatusOr<std::unique_ptr<const VaultModel>> model = restorer.OpenBase();
  if (!model.ok()) return model.status();
  if (absl::Status status = CompareWithFile(**model, file, threads); !status.ok()) return status;
  return CompareHeader(file, restorer.vault().base_header());
}

absl::Status CheckInput(const Restorer& restorer, const OpenInput& input, int threads) {
  const absl::StatusOr<std::unique_ptr<const VaultModel>> model = restorer.OpenVariant(input.input->name);
  if (!model.ok()) return model.status();
  if (absl::Status status = CompareWithFile(**model, *input.file, threads); !status.ok()) return status;
  const absl::StatusOr<std::string> header = restorer.vault().variant_header(input.input->name);
  return header.ok() ? CompareHeader(*input.file, *header) : header.status();
}

}  // namespace

ProduceFunction CheckJobs(const CheckedModels& models, int threads) {
  return [=](uint64_t i) -> absl::StatusOr<std::string> {
    const OpenInput* const input = models.input(i);
    absl::Status status = input == nullptr ? CheckBase(*models.restorer, *models.base, threads)
                                           : CheckInput(*models.restorer, *input, threads);
    if (!status.ok()) return status;
    return std::string();
  };
}

}  // namespace modelvault
