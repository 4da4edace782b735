// The two digests of a model's data section, computed as it streams by.
#ifndef MODELVAULT_VAULT_MODEL_DIGESTER_H_
#define MODELVAULT_VAULT_MODEL_DIGESTER_H_

#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "vault/vault_types.h"

namespace modelvault {

class ModelDigester {
 public:
  ModelDigester();
  ~ModelDigester();
  ModelDigester(const ModelDigester&) = delete;
  ModelDigester& operator=(const ModelDigester&) = delete;

  void Update(absl::Span<const uint8_t> bytes);
  // Of everything so far.
  ModelDigests Digests() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_MODEL_DIGESTER_H_
