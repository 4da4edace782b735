// mv_open_options as the library works with them.
#ifndef MODELVAULT_RESTORE_C_API_OPEN_OPTIONS_H_
#define MODELVAULT_RESTORE_C_API_OPEN_OPTIONS_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "restore/c_api/failure.h"
#include "restore/c_api/include/modelvault/modelvault.h"
#include "vault/keys/reader_keys.h"
#include "vault/revocation_list.h"
#include "vault/vault_reader.h"

namespace modelvault {

// Views what the caller gave, which must outlive it. A failure that concerns a file of a key or a list puts its path
// into `context`.
class OpenOptions {
 public:
  // Null stands for the defaults. kInvalidArgument for what is no options; errors of ReaderKeys.
  static absl::StatusOr<OpenOptions> From(const mv_open_options* options, FailureContext* context);

  // What a vault is opened with.
  const VaultReaderOptions& reader() const { return reader_; }
  // The list, if there is one, proven for `vault`, which was opened with reader().
  absl::StatusOr<std::optional<ProvenRevocations>> OpenRevocations(const VaultReader& vault,
                                                                   FailureContext* context) const;

 private:
  explicit OpenOptions(const mv_open_options& options) : options_(options) {}

  absl::Status Check() const;
  bool trusts_somebody() const { return options_.trusted_key_count > 0 || options_.key_set != nullptr; }
  absl::Status ReadKeys(FailureContext* context);

  mv_open_options options_;
  VaultReaderOptions reader_;
};

}  // namespace modelvault

#endif  // MODELVAULT_RESTORE_C_API_OPEN_OPTIONS_H_
