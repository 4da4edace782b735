#include "restore/verify_models.h"

#include <cstdint>

#include "absl/status/statusor.h"
#include "restore/restorer.h"
#include "vault/ordered_parallel.h"

namespace modelvault {
namespace {

absl::Status VerifyModel(const NamedVault& vault, const std::string& name, int threads) {
  vault.restorer().WillRestore(name);
  const absl::StatusOr<NamedModel> open = vault.OpenModel(name);
  if (!open.ok()) return open.status();
  RestoreOptions options;
  options.threads = threads;
  return open->model->Verify(options);
}

}  // namespace

absl::Status VerifyModels(const NamedVault& vault, absl::Span<const std::string> names, int threads,
                          const std::function<absl::Status(size_t i, const absl::Status& verdict)>& told) {
  struct Verdict {
    absl::Status status;
  };
  const int count = ThreadCount(threads);
  const bool side_by_side = names.size() >= static_cast<size_t>(count);
  return OrderedParallel<Verdict>(
      names.size(), side_by_side ? count : 1,
      [&](uint64_t i) -> absl::StatusOr<Verdict> {
        return Verdict{VerifyModel(vault, names[static_cast<size_t>(i)], side_by_side ? 1 : count)};
      },
      [&](uint64_t i, Verdict verdict) { return told(static_cast<size_t>(i), verdict.status); });
}

}  // namespace modelvault
