// Memory that runs out at any allocation ends the call with its code, and the next call finds all as it was.
#include <gtest/gtest.h>
#include <modelvault/modelvault.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <new>
#include <string>

#include "tests/restore/c_api/c_vault.h"

namespace {

// Allocations until one fails; negative: none does.
std::atomic<int64_t> allocations_left{-1};
// A single one fails, or all from there on.
std::atomic<bool> fail_all{false};

void* Allocate(size_t size) {
  if (allocations_left >= 0) {
    const int64_t left = allocations_left.fetch_sub(1);
    if (left == 0) {
      allocations_left = fail_all ? 0 : -1;
      throw std::bad_alloc();
    }
  }
  void* const block = std::malloc(size != 0 ? size : 1);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

}  // namespace

// The library's allocations, too, come here: a shared library takes the program's operator new.
void* operator new(size_t size) { return Allocate(size); }
void* operator new[](size_t size) { return Allocate(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept try {
  return Allocate(size);
} catch (const std::bad_alloc&) {
  return nullptr;
}
void* operator new[](size_t size, const std::nothrow_t& tag) noexcept { return operator new(size, tag); }
void operator delete(void* pointer) noexcept { std::free(pointer); }
void operator delete[](void* pointer) noexcept { std::free(pointer); }
void operator delete(void* pointer, size_t) noexcept { std::free(pointer); }
void operator delete[](void* pointer, size_t) noexcept { std::free(pointer); }
void operator delete(void* pointer, const std::nothrow_t&) noexcept { std::free(pointer); }
void operator delete[](void* pointer, const std::nothrow_t&) noexcept { std::free(pointer); }

namespace modelvault {
namespace {

class CApiMemoryTest : public testing::TestWithParam<bool> {
 protected:
  // Runs `call` with its first, second, … allocation failing until it does without a failure. Every other end of it
  // must be the one for want of memory.
  void FailEach(const char* what, const std::function<mv_code(mv_failure**)>& call) {
    SCOPED_TRACE(what);
    fail_all = GetParam();
    for (int64_t n = 0; n < 100000; ++n) {
      mv_failure* failure = nullptr;
      allocations_left = n;
      const mv_code code = call(&failure);
      const bool failed = fail_all ? allocations_left == 0 : allocations_left < 0;
      allocations_left = -1;
      const mv_code told = mv_failure_code(failure);
      const std::string message = mv_failure_message(failure);
      mv_failure_free(failure);
      ASSERT_EQ(code, told);
      if (!failed) {
        EXPECT_EQ(code, MV_CODE_OK) << message;
        EXPECT_GT(n, 0);
        return;
      }
      // Some do with less.
      ASSERT_TRUE(code == MV_CODE_OK || code == MV_CODE_OUT_OF_MEMORY) << "allocation " << n << ": " << message;
    }
    FAIL() << "it never succeeded";
  }
};

TEST_P(CApiMemoryTest, EndsTheCallWithItsCode) {
  const PackedVault packed = PackSmallVault();
  const auto open = [&](mv_failure** failure) {
    mv_vault* vault = nullptr;
    const mv_code code = mv_vault_open_memory(packed.bytes.data(), packed.bytes.size(), "v", &vault, failure);
    EXPECT_EQ(vault != nullptr, code == MV_CODE_OK);
    mv_vault_close(vault);
    return code;
  };
  FailEach("open", open);
  Failure failure;
  const VaultHandle vault = OpenMemory(packed.bytes, &failure);
  FailEach("model", [&](mv_failure** f) {
    mv_model* model = nullptr;
    const mv_code code = mv_vault_model(vault.get(), "few", &model, f);
    mv_model_free(model);
    return code;
  });
  FailEach("tensors of a model that was not read", [&](mv_failure** f) {
    mv_model* model = nullptr;
    size_t count = 0;
    mv_code code = mv_vault_model(vault.get(), "few", &model, f);
    if (code == MV_CODE_OK) code = mv_model_tensor_count(model, &count, f);
    mv_model_free(model);
    return code;
  });
  const ModelHandle model = OpenModel(vault, "few", &failure);
  std::string file(packed.FileOf("few").size(), '?');
  FailEach("file",
           [&](mv_failure** f) { return mv_model_read_file(model.get(), file.data(), file.size(), nullptr, f); });
  EXPECT_EQ(file, packed.FileOf("few"));
  FailEach("tensor", [&](mv_failure** f) {
    return mv_model_read_tensor(model.get(), "embed", file.data(), file.size(), nullptr, f);
  });
  mv_read_options options = {};
  options.struct_size = sizeof(options);
  options.threads = 2;
  FailEach("file, on two threads",
           [&](mv_failure** f) { return mv_model_read_file(model.get(), file.data(), file.size(), &options, f); });
}

TEST_P(CApiMemoryTest, EndsOpeningWithKeysWithItsCode) {
  const auto golden = [](const std::string& name) {
    std::ifstream in(std::string(MODELVAULT_SOURCE_DIR "/tests/vault/golden/") + name, std::ios::binary);
    EXPECT_TRUE(in.good()) << name;
    return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  };
  const std::string bytes = golden("v1.4-tenants.mvlt"), list = golden("v1.4-tenants.revocations");
  const std::string root = golden("keys-1.4/root.pub"), ward = golden("keys-1.4/ward.key");
  const auto input = [](const std::string& text) { return mv_input{nullptr, text.data(), text.size()}; };
  const mv_input trusted = input(root), opening = input(ward), revocations = input(list);
  mv_open_options options = {};
  options.struct_size = sizeof(options);
  options.trusted_keys = &trusted;
  options.trusted_key_count = 1;
  options.opening_keys = &opening;
  options.opening_key_count = 1;
  options.time = MV_TIME_UNKNOWN;
  options.revocations = &revocations;
  FailEach("open a model of a vault with keys", [&](mv_failure** f) {
    mv_vault* vault = nullptr;
    mv_model* model = nullptr;
    size_t count = 0;
    mv_code code = mv_vault_open_memory_with(bytes.data(), bytes.size(), "v", &options, &vault, f);
    if (code == MV_CODE_OK) code = mv_vault_model(vault, "acme.heart", &model, f);
    if (code == MV_CODE_OK) code = mv_model_tensor_count(model, &count, f);
    mv_model_free(model);
    mv_vault_close(vault);
    return code;
  });
}

TEST_P(CApiMemoryTest, AFailureThatCannotBeDescribedIsOneForWantOfMemory) {
  fail_all = GetParam();
  mv_failure* failure = nullptr;
  allocations_left = 0;
  const mv_code code = mv_vault_verify(nullptr, nullptr, &failure);
  allocations_left = -1;
  EXPECT_EQ(code, MV_CODE_OUT_OF_MEMORY);
  EXPECT_EQ(mv_failure_code(failure), MV_CODE_OUT_OF_MEMORY);
  EXPECT_STREQ(mv_failure_message(failure), "out of memory");
  EXPECT_STREQ(mv_failure_path(failure), "");
  EXPECT_EQ(mv_failure_offset(failure), MV_NO_OFFSET);
  mv_failure_free(failure);
}

INSTANTIATE_TEST_SUITE_P(OneOrAllFromThere, CApiMemoryTest, testing::Bool());

}  // namespace
}  // namespace modelvault
