#ifndef MODELVAULT_TESTS_RESTORE_C_API_C_VAULT_H_
#define MODELVAULT_TESTS_RESTORE_C_API_C_VAULT_H_

// Vaults and handles for tests of the C library.

#include <modelvault/modelvault.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tests/tools/packing/model_files.h"

namespace modelvault {

struct CloseVault {
  void operator()(mv_vault* vault) const { mv_vault_close(vault); }
};
struct FreeModel {
  void operator()(mv_model* model) const { mv_model_free(model); }
};
using VaultHandle = std::unique_ptr<mv_vault, CloseVault>;
using ModelHandle = std::unique_ptr<mv_model, FreeModel>;

// What the last call of a test said: passed to it as `failure.out()`.
class Failure {
 public:
  Failure() = default;
  ~Failure() { mv_failure_free(failure_); }
  Failure(const Failure&) = delete;
  Failure& operator=(const Failure&) = delete;

  mv_failure** out() {
    mv_failure_free(failure_);
    failure_ = nullptr;
    return &failure_;
  }
  mv_code code() const { return mv_failure_code(failure_); }
  std::string message() const { return mv_failure_message(failure_); }
  std::string path() const { return mv_failure_path(failure_); }
  std::string variant() const { return mv_failure_variant(failure_); }
  std::string tensor() const { return mv_failure_tensor(failure_); }
  uint64_t offset() const { return mv_failure_offset(failure_); }
  uint64_t data_offset() const { return mv_failure_data_offset(failure_); }

 private:
  mv_failure* failure_ = nullptr;
};

// A vault and all that went into it.
struct PackedVault {
  std::string bytes;
  std::map<std::string, FileModel> models;  // By name, the base as "base".

  std::string FileOf(const std::string& name) const { return Serialize(models.at(name)); }
  std::string DataOf(const std::string& name) const;
};

// A base of tensors of many types and shapes in chunks of 256 bytes and segments of 4 KiB, and the variants "alike" (as
// the base), "few" and "ternary" (differ in some weights), "other" (has nothing in common with it).
PackedVault PackSmallVault();

// A base of 160 KiB and `variants` ternary variants of it, "dept-000" and so on, packed as by default; the vault says
// what they compute, in its NETWORK.
PackedVault PackManyVariants(int variants);

// A source that reads a string, writes down what it was asked for, and fails as it is told. Thread-safe.
class TestSource {
 public:
  struct Read {
    uint64_t offset;
    uint64_t size;

    bool operator==(const Read&) const = default;
  };

  // `bytes` must outlive it.
  explicit TestSource(const std::string* bytes) : bytes_(bytes) {}

  // Valid as long as this.
  mv_source source();

  std::vector<Read> reads() const;
  uint64_t bytes_read() const;
  void Forget();
  int closed() const { return closed_; }

  size_t at_most = SIZE_MAX;  // Bytes that a read gives.
  int64_t answer = 0;         // What reads return in place of it, unless 0.
  int answers_from = 0;       // From this read on, of those since Forget().
  bool ends_early = false;    // Reads from there on say that there is no more.

 private:
  static int64_t OnRead(void* context, uint64_t offset, void* buffer, size_t size);
  static void OnClose(void* context);

  const std::string* const bytes_;
  mutable std::mutex mutex_;
  std::vector<Read> reads_;
  int closed_ = 0;
};

// Null if it fails.
VaultHandle OpenMemory(const std::string& bytes, Failure* failure);
VaultHandle OpenSource(TestSource* source, Failure* failure);
ModelHandle OpenModel(const VaultHandle& vault, const std::string& name, Failure* failure);

// Collects what is written to it, and checks that it comes in order; `stop_at` ends it with that answer once so many
// bytes are there.
struct Collected {
  std::string bytes;
  size_t stop_at = SIZE_MAX;
  int32_t answer = 7;
  bool in_order = true;
};
int32_t Collect(void* collected, uint64_t offset, const void* bytes, size_t size);

}  // namespace modelvault

#endif  // MODELVAULT_TESTS_RESTORE_C_API_C_VAULT_H_
