// Any bytes as a vault, by the C library with a device group's key: as they are, and after all checksums were made
// right. Everything is listed and restored, and what the library promises of its failures is checked with aborts.
#include <modelvault/modelvault.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "tests/fuzz/codec_targets.h"
#include "tests/restore/forged_vault.h"

namespace modelvault {
namespace {

constexpr uint64_t kMostBytes = 1 << 18;  // Of a model that is restored.
constexpr size_t kMostModels = 8;
constexpr size_t kMostTensors = 64;

// Whether the call succeeded. Of hostile bytes only these may come.
bool Ok(mv_code code, mv_failure** told) {
  mv_failure* const failure = *told;
  Check((code == MV_CODE_OK) == (failure == nullptr));
  Check(code == mv_failure_code(failure));
  Check(code == MV_CODE_OK || code == MV_CODE_DAMAGED || code == MV_CODE_UNSUPPORTED || code == MV_CODE_SEALED ||
        code == MV_CODE_UNTRUSTED);
  Check(code == MV_CODE_OK || std::strstr(mv_failure_message(failure), "fuzzed") != nullptr);
  mv_failure_free(failure);
  return code == MV_CODE_OK;
}

int32_t CountBytes(void* context, uint64_t offset, const void*, size_t size) {
  auto* const count = static_cast<uint64_t*>(context);
  Check(offset == *count && size > 0);
  *count += size;
  return 0;
}

void UseModel(const mv_model* model) {
  mv_failure* failure = nullptr;
  uint64_t file_size = 0;
  uint64_t data_size = 0;
  if (!Ok(mv_model_sizes(model, &file_size, &data_size, &failure), &failure)) return;
  Check(data_size <= file_size);
  size_t count = 0;
  Check(Ok(mv_model_tensor_count(model, &count, &failure), &failure));
  uint64_t at = 0;
  for (size_t i = 0; i < count; ++i) {
    mv_tensor_info tensor = {};
    tensor.struct_size = sizeof(tensor);
    Check(Ok(mv_model_tensor_info(model, i, &tensor, &failure), &failure));
    Check(tensor.offset == at && tensor.size <= data_size - at);
    at += tensor.size;
    if (data_size > kMostBytes || i >= kMostTensors) continue;
    uint64_t bytes = 0;
    if (Ok(mv_model_stream_tensor(model, tensor.name, &CountBytes, &bytes, nullptr, &failure), &failure)) {
      Check(bytes == tensor.size);
    }
  }
  Check(at == data_size);
  if (data_size > kMostBytes) return;
  uint64_t bytes = 0;
  if (Ok(mv_model_stream_file(model, &CountBytes, &bytes, nullptr, &failure), &failure)) Check(bytes == file_size);
}

// The ward's, for which the seed with tenants has sealed variants.
constexpr char kWardKey[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VuBCIEIIKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKC\n"
    "-----END PRIVATE KEY-----\n";

void UseVault(const std::vector<uint8_t>& bytes) {
  mv_failure* failure = nullptr;
  mv_vault* vault = nullptr;
  const mv_input key = {nullptr, kWardKey, sizeof(kWardKey) - 1};
  mv_open_options options = {};
  options.struct_size = sizeof(options);
  options.opening_keys = &key;
  options.opening_key_count = 1;
  const mv_code code = mv_vault_open_memory_with(bytes.data(), bytes.size(), "fuzzed", &options, &vault, &failure);
  if (!Ok(code, &failure)) return;
  const size_t variants = mv_vault_variant_count(vault);
  for (size_t i = 0; i <= variants && i < kMostModels; ++i) {
    mv_model_info info = {};
    info.struct_size = sizeof(info);
    if (i < variants) Check(Ok(mv_vault_variant_info(vault, i, &info, &failure), &failure));
    mv_model* model = nullptr;
    Check(Ok(mv_vault_model(vault, i < variants ? info.name : "base", &model, &failure), &failure));
    UseModel(model);
    mv_model_free(model);
  }
  mv_vault_close(vault);
}

}  // namespace
}  // namespace modelvault

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> vault(data, data + size);
  modelvault::UseVault(vault);
  modelvault::RepairEverything(vault.data(), vault.size());
  modelvault::UseVault(vault);
  return 0;
}
