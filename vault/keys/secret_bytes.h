// Bytes that nobody should find in memory later.
#ifndef MODELVAULT_VAULT_KEYS_SECRET_BYTES_H_
#define MODELVAULT_VAULT_KEYS_SECRET_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace modelvault {

// A buffer of fixed size, zeros at first, that is wiped when it goes. Moving it copies nothing.
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(size_t size);
  ~SecretBytes() { Wipe(); }
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;

  uint8_t* data() { return bytes_.get(); }
  const uint8_t* data() const { return bytes_.get(); }
  size_t size() const { return size_; }
  absl::Span<uint8_t> span() { return {bytes_.get(), size_}; }
  absl::string_view text() const { return {reinterpret_cast<const char*>(bytes_.get()), size_}; }

 private:
  void Wipe();

  std::unique_ptr<uint8_t[]> bytes_;
  size_t size_ = 0;
};

}  // namespace modelvault

#endif  // MODELVAULT_VAULT_KEYS_SECRET_BYTES_H_
