#include "vault/model_digester.h"

#include <xxhash.h>

#include <cstring>

namespace modelvault {

struct ModelDigester::Rep {
  XXH3_state_t* xxh3 = XXH3_createState();
  XXH64_state_t* xxh64 = XXH64_createState();
  ~Rep() {
    XXH3_freeState(xxh3);
    XXH64_freeState(xxh64);
  }
};

ModelDigester::ModelDigester() : rep_(std::make_unique<Rep>()) {
  XXH3_128bits_reset(rep_->xxh3);
  XXH64_reset(rep_->xxh64, 0);
}

ModelDigester::~ModelDigester() = default;

void ModelDigester::Update(absl::Span<const uint8_t> bytes) {
  if (bytes.empty()) return;
  XXH3_128bits_update(rep_->xxh3, bytes.data(), bytes.size());
  XXH64_update(rep_->xxh64, bytes.data(), bytes.size());
}

ModelDigests ModelDigester::Digests() const {
  ModelDigests digests;
  digests.xxh64 = XXH64_digest(rep_->xxh64);
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(rep_->xxh3));
  static_assert(sizeof(canonical.digest) == sizeof(digests.xxh3));
  std::memcpy(digests.xxh3.data(), canonical.digest, sizeof(canonical.digest));
  return digests;
}

}  // namespace modelvault
