#include "vault/keys/secret_bytes.h"

#include <sodium.h>

#include <utility>

namespace modelvault {

SecretBytes::SecretBytes(size_t size) : bytes_(new uint8_t[size]()), size_(size) {}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this == &other) return *this;
  Wipe();
  bytes_ = std::move(other.bytes_);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

void SecretBytes::Wipe() {
  if (bytes_ != nullptr) sodium_memzero(bytes_.get(), size_);
}

}  // namespace modelvault
