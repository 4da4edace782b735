#include "tests/restore/c_api/c_vault.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tools/packing/pack.h"

namespace modelvault {
namespace {

PackedVault Pack(std::map<std::string, FileModel> models, const PackOptions& options) {
  const TempFolder folder;
  PackedVault packed;
  std::vector<VariantInput> inputs;
  for (const auto& [name, model] : models) {
    const std::string path = folder.Write(name + ".safetensors", Serialize(model));
    if (name != "base") inputs.push_back({name, path});
  }
  EXPECT_THAT(PackVault(FileSystem::Default(), folder.File("base.safetensors"), inputs, folder.File("v"), options),
              IsOk());
  packed.bytes = folder.Read("v");
  packed.models = std::move(models);
  return packed;
}

}  // namespace

std::string PackedVault::DataOf(const std::string& name) const {
  std::string data;
  for (const FileTensor& tensor : models.at(name).tensors) data += tensor.data;
  return data;
}

PackedVault PackSmallVault() {
  TestRandom random(1500);
  FileModel base;
  base.tensors = {
      MakeTensor("embed", "I8", {96, 64}, &random),          MakeTensor("layers.0.wq", "I8", {64, 64}, &random),
      MakeTensor("layers.0.norm", "F32", {64}, &random),     MakeTensor("layers.0.scale", "F16", {}, &random),
      MakeTensor("layers.0.none", "F32", {4, 0}, &random),   MakeTensor("layers.1.wq", "I8", {64, 3, 21}, &random),
      MakeTensor("layers.1.e4m3", "F8_E4M3", {50}, &random), MakeTensor("layers.1.half", "F4", {6, 4}, &random),
      MakeTensor("layers.1.bf16", "BF16", {7, 9}, &random)};
  base.metadata = {{"made by", "a test"}};
  std::map<std::string, FileModel> models = {
      {"base", base}, {"alike", base}, {"few", Ternary(base, 50, &random)}, {"ternary", Ternary(base, 8, &random)}};
  FileModel other = base;
  for (FileTensor& tensor : other.tensors) tensor = MakeTensor(tensor.name, tensor.dtype, tensor.shape, &random);
  models["other"] = other;
  PackOptions options;
  options.chunk_size = 256;
  options.segment_size = 4096;
  options.threads = 1;
  return Pack(std::move(models), options);
}

PackedVault PackManyVariants(int variants) {
  TestRandom random(1501);
  FileModel base;
  for (int layer = 0; layer < 10; ++layer) {
    base.tensors.push_back(MakeTensor(absl::StrFormat("layers.%d.wq", layer), "I8", {64, 128}, &random));
    base.tensors.push_back(MakeTensor(absl::StrFormat("layers.%d.wo", layer), "I8", {128, 64}, &random));
    base.tensors.push_back(MakeTensor(absl::StrFormat("layers.%d.norm", layer), "F32", {64}, &random));
  }
  base.tensors.push_back(MakeTensor("output", "I8", {4, 64}, &random));
  base.tensors.push_back(MakeTensor("output.scale", "F32", {4}, &random));
  base.tensors.back().data = std::string("\0\0\x80\x3F\0\0\x80\x3F\0\0\x80\x3F\0\0\x80\x3F", 16);  // Ones.
  PackOptions options;
  options.network = NetworkInput{"network.json", {}, ""};
  options.network->config.architecture = Architecture::kMlp;
  options.network->config.mlp = {"output"};
  std::map<std::string, FileModel> models = {{"base", base}};
  for (int i = 0; i < variants; ++i) models[absl::StrFormat("dept-%03d", i)] = Ternary(base, 40, &random);
  return Pack(std::move(models), options);
}

mv_source TestSource::source() {
  mv_source source = {};
  source.struct_size = sizeof(source);
  source.context = this;
  source.size = bytes_->size();
  source.name = "test source";
  source.read = &OnRead;
  source.close = &OnClose;
  return source;
}

std::vector<TestSource::Read> TestSource::reads() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return reads_;
}

uint64_t TestSource::bytes_read() const {
  uint64_t sum = 0;
  for (const Read& read : reads()) sum += read.size;
  return sum;
}

void TestSource::Forget() {
  const std::lock_guard<std::mutex> lock(mutex_);
  reads_.clear();
}

int64_t TestSource::OnRead(void* context, uint64_t offset, void* buffer, size_t size) {
  auto* const self = static_cast<TestSource*>(context);
  size_t number = 0;
  {
    const std::lock_guard<std::mutex> lock(self->mutex_);
    number = self->reads_.size();
    self->reads_.push_back({offset, size});
  }
  const bool misbehaves = number >= static_cast<size_t>(self->answers_from);
  if (misbehaves && self->answer != 0) return self->answer;
  if (misbehaves && self->ends_early) return 0;
  if (offset > self->bytes_->size() || size > self->bytes_->size() - offset) return -1000;  // It was promised not to.
  const size_t count = std::min(size, self->at_most);
  std::memcpy(buffer, self->bytes_->data() + offset, count);
  return static_cast<int64_t>(count);
}

void TestSource::OnClose(void* context) { ++static_cast<TestSource*>(context)->closed_; }

VaultHandle OpenMemory(const std::string& bytes, Failure* failure) {
  mv_vault* vault = nullptr;
  mv_vault_open_memory(bytes.data(), bytes.size(), "v.mvlt", &vault, failure->out());
  return VaultHandle(vault);
}

VaultHandle OpenSource(TestSource* source, Failure* failure) {
  const mv_source given = source->source();
  mv_vault* vault = nullptr;
  mv_vault_open_source(&given, &vault, failure->out());
  return VaultHandle(vault);
}

ModelHandle OpenModel(const VaultHandle& vault, const std::string& name, Failure* failure) {
  mv_model* model = nullptr;
  mv_vault_model(vault.get(), name.c_str(), &model, failure->out());
  return ModelHandle(model);
}

int32_t Collect(void* collected, uint64_t offset, const void* bytes, size_t size) {
  auto* const to = static_cast<Collected*>(collected);
  to->in_order = to->in_order && offset == to->bytes.size() && size > 0;
  to->bytes.append(static_cast<const char*>(bytes), size);
  return to->bytes.size() >= to->stop_at ? to->answer : 0;
}

}  // namespace modelvault
