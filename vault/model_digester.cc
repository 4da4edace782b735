#include "vault/model_digester.h"

#include <xxhash.h>

#include <cstring>
#include <memory>
#include <new>

namespace modelvault {

namespace {

struct FreeState {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  void operator()(XXH64_state_t* state) const { XXH64_freeState(state); }
};

}  // namespace

struct ModelDigester::Rep {
  // The library says by a null pointer that there is no memory; everything else of ours says it by this exception.
  Rep() {
    if (xxh3 == nullptr || xxh64 == nullptr) throw std::bad_alloc();
  }

  const std::unique_ptr<XXH3_state_t, FreeState> xxh3{XXH3_createState()};
  const std::unique_ptr<XXH64_state_t, FreeState> xxh64{XXH64_createState()};
};

ModelDigester::ModelDigester() : rep_(std::make_unique<Rep>()) {
  XXH3_128bits_reset(rep_->xxh3.get());
  XXH64_reset(rep_->xxh64.get(), 0);
}

ModelDigester::~ModelDigester() = default;

void ModelDigester::Update(absl::Span<const uint8_t> bytes) {
  if (bytes.empty()) return;
  XXH3_128bits_update(rep_->xxh3.get(), bytes.data(), bytes.size());
  XXH64_update(rep_->xxh64.get(), bytes.data(), bytes.size());
}

ModelDigests ModelDigester::Digests() const {
  ModelDigests digests;
  digests.xxh64 = XXH64_digest(rep_->xxh64.get());
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(rep_->xxh3.get()));
  static_assert(sizeof(canonical.digest) == sizeof(digests.xxh3));
  std::memcpy(digests.xxh3.data(), canonical.digest, sizeof(canonical.digest));
  return digests;
}

}  // namespace modelvault
