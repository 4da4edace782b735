// The C library by its header alone: what it tells, what it gives back, and every way in which it may refuse.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <modelvault/modelvault.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "tests/restore/c_api/c_vault.h"
#include "tests/temp_folder.h"
#include "tests/vault/test_vault.h"

namespace modelvault {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

const PackedVault& Small() {
  static const PackedVault* const vault = new PackedVault(PackSmallVault());
  return *vault;
}

const std::vector<std::string> kNames = {"alike", "base", "few", "other", "ternary"};

std::string ReadWhole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

std::string GoldenVault(const std::string& version) {
  return ReadWhole(absl::StrCat(MODELVAULT_SOURCE_DIR "/tests/vault/golden/v", version, ".mvlt"));
}

class CApiTest : public testing::Test {
 protected:
  void SetUp() override {
    vault_ = OpenMemory(Small().bytes, &failure_);
    ASSERT_NE(vault_, nullptr) << failure_.message();
  }
  ModelHandle Model(const std::string& name) {
    ModelHandle model = OpenModel(vault_, name, &failure_);
    EXPECT_NE(model, nullptr) << failure_.message();
    return model;
  }
  std::string ReadFile(const mv_model* model, const mv_read_options* options = nullptr) {
    uint64_t size = 0;
    EXPECT_EQ(mv_model_sizes(model, &size, nullptr, failure_.out()), MV_CODE_OK) << failure_.message();
    std::string file(size, '?');
    EXPECT_EQ(mv_model_read_file(model, file.data(), file.size(), options, failure_.out()), MV_CODE_OK)
        << failure_.message();
    return file;
  }

  TempFolder folder_;
  Failure failure_;
  VaultHandle vault_;
};

// --- What is in a vault.

TEST_F(CApiTest, PathMemoryAndCallbacksGiveTheSame) {
  const std::string path = folder_.Write("v.mvlt", Small().bytes);
  TestSource source(&Small().bytes);
  mv_vault* by_path = nullptr;
  ASSERT_EQ(mv_vault_open(path.c_str(), &by_path, failure_.out()), MV_CODE_OK) << failure_.message();
  VaultHandle vaults[] = {VaultHandle(by_path), std::move(vault_), OpenSource(&source, &failure_)};
  const char* const paths[] = {path.c_str(), "v.mvlt", "test source"};
  for (int i = 0; i < 3; ++i) {
    SCOPED_TRACE(paths[i]);
    ASSERT_NE(vaults[i], nullptr) << failure_.message();
    EXPECT_STREQ(mv_vault_path(vaults[i].get()), paths[i]);
    EXPECT_EQ(mv_vault_variant_count(vaults[i].get()), 4u);
    for (const std::string& name : kNames) {
      const ModelHandle model = OpenModel(vaults[i], name, &failure_);
      ASSERT_NE(model, nullptr) << failure_.message();
      EXPECT_EQ(ReadFile(model.get()), Small().FileOf(name)) << name;
    }
  }
}

TEST_F(CApiTest, UrlsAreOpenedAndTellNoPasswords) {
  const std::string path = folder_.Write("a b.mvlt", Small().bytes);
  mv_vault* opened = nullptr;
  const std::string url = absl::StrCat("file://", folder_.path(), "/a%20b.mvlt");
  ASSERT_EQ(mv_vault_open(url.c_str(), &opened, failure_.out()), MV_CODE_OK) << failure_.message();
  const VaultHandle vault(opened);
  EXPECT_EQ(mv_vault_path(vault.get()), path);
  EXPECT_EQ(mv_vault_variant_count(vault.get()), kNames.size() - 1);
  EXPECT_EQ(mv_vault_open("http://me:secret@127.0.0.1:1/v.mvlt", &opened, failure_.out()), MV_CODE_INVALID_ARGUMENT);
  EXPECT_EQ(failure_.path(), "http://127.0.0.1:1/v.mvlt");
  EXPECT_THAT(failure_.message(), AllOf(HasSubstr("http://127.0.0.1:1/v.mvlt"), testing::Not(HasSubstr("secret"))));
  EXPECT_EQ(mv_vault_open("ftp://host/v.mvlt", &opened, failure_.out()), MV_CODE_UNSUPPORTED);
}

TEST_F(CApiTest, TellsOfVariantsByTheVaultsLists) {
  const auto reader = VaultReader::FromFile(
      std::make_unique<MemoryFile>(std::vector<uint8_t>(Small().bytes.begin(), Small().bytes.end())));
  ASSERT_THAT(reader, IsOk());
  const auto expect = [&](const mv_model_info& info, const std::string& name, uint64_t stored,
                          const ModelDigests& digests) {
    EXPECT_EQ(info.name, name);
    EXPECT_EQ(info.is_base, name == "base" ? 1u : 0u);
    EXPECT_EQ(info.stored_size, stored);
    EXPECT_EQ(absl::HexStringToBytes(info.xxh3_128), std::string(digests.xxh3.begin(), digests.xxh3.end()));
    EXPECT_EQ(info.xxh64, absl::StrCat(absl::Hex(digests.xxh64, absl::kZeroPad16)));
  };
  ASSERT_EQ(mv_vault_variant_count(vault_.get()), (*reader)->variants().size());
  for (size_t i = 0; i < (*reader)->variants().size(); ++i) {
    const VaultVariant& variant = (*reader)->variants()[i];
    mv_model_info info = {};
    info.struct_size = sizeof(info);
    ASSERT_EQ(mv_vault_variant_info(vault_.get(), i, &info, failure_.out()), MV_CODE_OK) << failure_.message();
    EXPECT_EQ(info.struct_size, sizeof(info));
    expect(info, variant.name, variant.stored_size, variant.digests);
    const ModelHandle model = Model(variant.name);
    ASSERT_EQ(mv_model_get_info(model.get(), &info, failure_.out()), MV_CODE_OK) << failure_.message();
    expect(info, variant.name, variant.stored_size, variant.digests);
  }
  mv_model_info info = {};
  info.struct_size = sizeof(info);
  ASSERT_EQ(mv_model_get_info(Model("base").get(), &info, failure_.out()), MV_CODE_OK) << failure_.message();
  expect(info, "base", SectionSize(Small().bytes, 2), (*reader)->base_digests());
  EXPECT_EQ(mv_vault_variant_info(vault_.get(), 4, &info, failure_.out()), MV_CODE_INVALID_ARGUMENT);
  EXPECT_EQ(failure_.message(), "v.mvlt: no variant with index 4, there are 4");
}

TEST_F(CApiTest, TellsOfTensors) {
  const ModelHandle model = Model("ternary");
  const FileModel& file = Small().models.at("ternary");
  size_t count = 0;
  ASSERT_EQ(mv_model_tensor_count(model.get(), &count, failure_.out()), MV_CODE_OK) << failure_.message();
  ASSERT_EQ(count, file.tensors.size());
  uint64_t at = 0;
  for (size_t i = 0; i < count; ++i) {
    const FileTensor& expected = file.tensors[i];
    SCOPED_TRACE(expected.name);
    mv_tensor_info by_index = {};
    mv_tensor_info by_name = {};
    by_index.struct_size = by_name.struct_size = sizeof(mv_tensor_info);
    ASSERT_EQ(mv_model_tensor_info(model.get(), i, &by_index, failure_.out()), MV_CODE_OK) << failure_.message();
    ASSERT_EQ(mv_model_find_tensor(model.get(), expected.name.c_str(), &by_name, failure_.out()), MV_CODE_OK);
    EXPECT_EQ(std::memcmp(&by_index, &by_name, sizeof(by_index)), 0);
    EXPECT_EQ(by_index.name, expected.name);
    EXPECT_EQ(by_index.type_name, expected.dtype);
    EXPECT_EQ(std::vector<uint64_t>(by_index.shape, by_index.shape + by_index.rank), expected.shape);
    EXPECT_EQ(by_index.offset, at);
    EXPECT_EQ(by_index.size, expected.data.size());
    at += expected.data.size();
  }
  using About = std::pair<mv_dtype, uint32_t>;
  mv_tensor_info info = {};
  info.struct_size = sizeof(info);
  const auto about = [&](const char* name) {
    EXPECT_EQ(mv_model_find_tensor(model.get(), name, &info, failure_.out()), MV_CODE_OK) << failure_.message();
    return About{info.dtype, info.element_bits};
  };
  EXPECT_EQ(about("embed"), (About{MV_DTYPE_I8, 8u}));
  EXPECT_EQ(about("layers.0.norm"), (About{MV_DTYPE_F32, 32u}));
  EXPECT_EQ(about("layers.1.bf16"), (About{MV_DTYPE_BF16, 16u}));
  EXPECT_EQ(about("layers.1.e4m3"), (About{MV_DTYPE_OPAQUE, 8u}));
  EXPECT_EQ(about("layers.1.half"), (About{MV_DTYPE_OPAQUE, 4u}));
  EXPECT_EQ(about("layers.0.scale"), (About{MV_DTYPE_F16, 16u}));
  EXPECT_EQ(info.rank, 0u);
  EXPECT_EQ(info.shape, nullptr);
  EXPECT_EQ(mv_model_tensor_info(model.get(), count, &info, failure_.out()), MV_CODE_INVALID_ARGUMENT);
  EXPECT_EQ(failure_.message(), "v.mvlt: 'ternary' has no tensor with index 9, there are 9");
}

TEST_F(CApiTest, TypesHaveTheNumbersOfTheFormat) {
  const std::pair<mv_dtype, DType> types[] = {
      {MV_DTYPE_OPAQUE, DType::kOpaque}, {MV_DTYPE_BOOL, DType::kBool}, {MV_DTYPE_U8, DType::kU8},
      {MV_DTYPE_I8, DType::kI8},         {MV_DTYPE_I16, DType::kI16},   {MV_DTYPE_U16, DType::kU16},
      {MV_DTYPE_I32, DType::kI32},       {MV_DTYPE_U32, DType::kU32},   {MV_DTYPE_I64, DType::kI64},
      {MV_DTYPE_U64, DType::kU64},       {MV_DTYPE_F16, DType::kF16},   {MV_DTYPE_BF16, DType::kBf16},
      {MV_DTYPE_F32, DType::kF32},       {MV_DTYPE_F64, DType::kF64}};
  EXPECT_EQ(std::size(types), size_t{kDTypeCount});
  for (const auto& [ours, formats] : types) EXPECT_EQ(ours, static_cast<mv_dtype>(formats));
}

// --- Giving back.

TEST_F(CApiTest, GivesBackTensorsRangesAndFilesOfEveryModel) {
  for (const std::string& name : kNames) {
    SCOPED_TRACE(name);
    const ModelHandle model = Model(name);
    const std::string data = Small().DataOf(name);
    const std::string file = Small().FileOf(name);
    uint64_t file_size = 0;
    uint64_t data_size = 0;
    ASSERT_EQ(mv_model_sizes(model.get(), &file_size, &data_size, failure_.out()), MV_CODE_OK) << failure_.message();
    EXPECT_EQ(file_size, file.size());
    EXPECT_EQ(data_size, data.size());
    EXPECT_EQ(ReadFile(model.get()), file);
    Collected streamed;
    EXPECT_EQ(mv_model_stream_file(model.get(), &Collect, &streamed, nullptr, failure_.out()), MV_CODE_OK);
    EXPECT_TRUE(streamed.in_order);
    EXPECT_EQ(streamed.bytes, file);
    for (const FileTensor& tensor : Small().models.at(name).tensors) {
      SCOPED_TRACE(tensor.name);
      std::string bytes(tensor.data.size() + 1, '?');
      EXPECT_EQ(
          mv_model_read_tensor(model.get(), tensor.name.c_str(), bytes.data(), bytes.size(), nullptr, failure_.out()),
          MV_CODE_OK)
          << failure_.message();
      EXPECT_EQ(bytes, tensor.data + "?");
      Collected collected;
      EXPECT_EQ(mv_model_stream_tensor(model.get(), tensor.name.c_str(), &Collect, &collected, nullptr, failure_.out()),
                MV_CODE_OK);
      EXPECT_TRUE(collected.in_order);
      EXPECT_EQ(collected.bytes, tensor.data);
    }
    for (const uint64_t begin : {uint64_t{0}, uint64_t{1}, uint64_t{255}, uint64_t{4096}, uint64_t{6144}, data_size}) {
      for (const uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{257}, uint64_t{5000}, data_size}) {
        if (size > data_size - begin) continue;
        std::string bytes(size, '?');
        EXPECT_EQ(mv_model_read_data(model.get(), begin, bytes.data(), size, nullptr, failure_.out()), MV_CODE_OK)
            << failure_.message();
        EXPECT_EQ(bytes, data.substr(begin, size)) << begin << " " << size;
        Collected collected;
        EXPECT_EQ(mv_model_stream_data(model.get(), begin, size, &Collect, &collected, nullptr, failure_.out()),
                  MV_CODE_OK);
        EXPECT_EQ(collected.bytes, bytes);
      }
    }
    EXPECT_EQ(mv_model_verify(model.get(), nullptr, failure_.out()), MV_CODE_OK) << failure_.message();
  }
  EXPECT_EQ(mv_vault_verify(vault_.get(), nullptr, failure_.out()), MV_CODE_OK) << failure_.message();
}

TEST_F(CApiTest, GivesBackPartsOfTensors) {
  const ModelHandle model = Model("few");
  const FileTensor& tensor = Small().models.at("few").tensors[1];
  for (const auto& [offset, size] : {std::pair<uint64_t, size_t>(0, 4096), {0, 1}, {4095, 1}, {4096, 0}, {100, 300}}) {
    std::string bytes(size, '?');
    EXPECT_EQ(
        mv_model_read_tensor_range(model.get(), "layers.0.wq", offset, bytes.data(), size, nullptr, failure_.out()),
        MV_CODE_OK)
        << failure_.message();
    EXPECT_EQ(bytes, tensor.data.substr(offset, size));
  }
  char byte = '?';
  for (const auto& [offset, size] : {std::pair<uint64_t, size_t>(4096, 1), {4097, 0}, {UINT64_MAX, 1}, {1, 4096}}) {
    EXPECT_EQ(mv_model_read_tensor_range(model.get(), "layers.0.wq", offset, &byte, size, nullptr, failure_.out()),
              MV_CODE_INVALID_ARGUMENT);
    EXPECT_EQ(failure_.message(), absl::StrCat("few: ", size, " bytes at offset ", offset,
                                               " do not lie within tensor 'layers.0.wq', which has 4096"));
    EXPECT_EQ(failure_.tensor(), "layers.0.wq");
  }
}

TEST_F(CApiTest, ManyThreadsGiveTheSameBytes) {
  const ModelHandle model = Model("other");
  mv_read_options options = {};
  options.struct_size = sizeof(options);
  for (const int32_t threads : {-1, 0, 1, 3, 100}) {
    options.threads = threads;
    EXPECT_EQ(ReadFile(model.get(), &options), Small().FileOf("other")) << threads;
    EXPECT_EQ(mv_vault_verify(vault_.get(), &options, failure_.out()), MV_CODE_OK) << failure_.message();
  }
  options.threads = -2;
  EXPECT_EQ(mv_model_verify(model.get(), &options, failure_.out()), MV_CODE_INVALID_ARGUMENT);
  EXPECT_EQ(failure_.message(), "options->threads: expected -1 or more, found -2");
}

TEST_F(CApiTest, FilesAppearWholeOrNotAtAll) {
  const std::string path = folder_.Write("few.safetensors", "what was there");
  const ModelHandle model = Model("few");
  ASSERT_EQ(mv_model_restore_file(model.get(), path.c_str(), nullptr, failure_.out()), MV_CODE_OK)
      << failure_.message();
  EXPECT_EQ(folder_.Read("few.safetensors"), Small().FileOf("few"));
  EXPECT_THAT(folder_.Names(), ElementsAre("few.safetensors"));

  // A model that turns out to be damaged.
  std::string damaged = Small().bytes;
  damaged[SectionOffset(damaged, 2) + SectionSize(damaged, 2) - 1] ^= 1;
  folder_.Write("few.safetensors", "what was there");
  vault_ = OpenMemory(damaged, &failure_);
  EXPECT_EQ(mv_model_restore_file(Model("few").get(), path.c_str(), nullptr, failure_.out()), MV_CODE_DAMAGED);
  EXPECT_EQ(failure_.path(), "v.mvlt");
  EXPECT_EQ(folder_.Read("few.safetensors"), "what was there");
  EXPECT_THAT(folder_.Names(), ElementsAre("few.safetensors"));
}

TEST_F(CApiTest, RefusesPathsThatAreNoPlaceForAFile) {
  const std::string vault = folder_.Write("v.mvlt", Small().bytes);
  mv_vault* opened = nullptr;
  ASSERT_EQ(mv_vault_open(vault.c_str(), &opened, failure_.out()), MV_CODE_OK) << failure_.message();
  vault_.reset(opened);
  const ModelHandle model = Model("few");
  const auto restore = [&](const std::string& path) {
    return mv_model_restore_file(model.get(), path.c_str(), nullptr, failure_.out());
  };
  EXPECT_EQ(restore(folder_.path()), MV_CODE_INVALID_ARGUMENT);
  EXPECT_EQ(failure_.path(), folder_.path());
  EXPECT_EQ(restore(folder_.File("none/x")), MV_CODE_NOT_FOUND);
  EXPECT_EQ(failure_.path(), folder_.File("none/x"));
  EXPECT_EQ(failure_.variant(), "few");
  EXPECT_EQ(restore(folder_.File("./v.mvlt")), MV_CODE_INVALID_ARGUMENT);
  EXPECT_THAT(failure_.message(), EndsWith("v.mvlt is the vault itself"));
  EXPECT_EQ(restore("/dev/null"), MV_CODE_INVALID_ARGUMENT);
  EXPECT_EQ(folder_.Read("v.mvlt"), Small().bytes);
}

TEST_F(CApiTest, AModelOfSeveralFilesBecomesAFolder) {
  const std::string vault = GoldenVault("1.3");
  vault_ = OpenMemory(vault, &failure_);
  const ModelHandle model = Model("radiology");
  const char* format = nullptr;
  ASSERT_EQ(mv_model_format(model.get(), &format, failure_.out()), MV_CODE_OK) << failure_.message();
  EXPECT_STREQ(format, "golden");
  const std::string inputs = MODELVAULT_SOURCE_DIR "/tests/vault/golden/inputs-1.3/radiology/";
  const std::pair<std::string, std::string> files[] = {{"notes.txt", ReadWhole(inputs + "notes.txt")},
                                                       {"weights.bin", ReadWhole(inputs + "weights.bin")}};
  size_t count = 0;
  ASSERT_EQ(mv_model_file_count(model.get(), &count, failure_.out()), MV_CODE_OK) << failure_.message();
  ASSERT_EQ(count, std::size(files));
  mv_file_info info = {};
  info.struct_size = sizeof(info);
  for (size_t i = 0; i < count; ++i) {
    ASSERT_EQ(mv_model_file_info(model.get(), i, &info, failure_.out()), MV_CODE_OK) << failure_.message();
    EXPECT_EQ(info.path, files[i].first);
    EXPECT_EQ(info.size, files[i].second.size());
  }
  EXPECT_EQ(mv_model_file_info(model.get(), count, &info, failure_.out()), MV_CODE_INVALID_ARGUMENT);
  EXPECT_EQ(failure_.message(), "v.mvlt: 'radiology' has no file with index 2, there are 2");
  EXPECT_EQ(ReadFile(model.get()), files[0].second + files[1].second);

  const std::string path = folder_.File("radiology");
  ASSERT_EQ(mv_model_restore_file(model.get(), path.c_str(), nullptr, failure_.out()), MV_CODE_OK)
      << failure_.message();
  for (const auto& [name, bytes] : files) EXPECT_EQ(folder_.Read("radiology/" + name), bytes);
  EXPECT_EQ(mv_model_restore_file(model.get(), path.c_str(), nullptr, failure_.out()), MV_CODE_ALREADY_EXISTS);
  EXPECT_EQ(failure_.path(), path);
  EXPECT_THAT(folder_.Names(), ElementsAre("radiology"));
}

TEST_F(CApiTest, AModelThatIsOneFileHasNoListOfFiles) {
  const ModelHandle model = Model("few");
  size_t count = 7;
  ASSERT_EQ(mv_model_file_count(model.get(), &count, failure_.out()), MV_CODE_OK) << failure_.message();
  EXPECT_EQ(count, 0u);
  const char* format = nullptr;
  ASSERT_EQ(mv_model_format(model.get(), &format, failure_.out()), MV_CODE_OK) << failure_.message();
  EXPECT_STREQ(format, "safetensors");
}

TEST_F(CApiTest, CallbacksEndCalls) {
  const ModelHandle model = Model("few");
  Collected collected;
  collected.stop_at = 300;
  EXPECT_EQ(mv_model_stream_data(model.get(), 0, 5000, &Collect, &collected, nullptr, failure_.out()),
            MV_CODE_CANCELLED);
  EXPECT_THAT(failure_.message(), HasSubstr("the write callback returned 7"));
  EXPECT_LT(collected.bytes.size(), 5000u);
  EXPECT_EQ(mv_model_stream_file(model.get(), &Collect, &collected, nullptr, failure_.out()), MV_CODE_CANCELLED);
  EXPECT_EQ(mv_model_stream_tensor(model.get(), "embed", &Collect, &collected, nullptr, failure_.out()),
            MV_CODE_CANCELLED);

  struct Progress {
    std::vector<std::pair<uint64_t, uint64_t>> told;
    uint64_t stop_at = UINT64_MAX;
  } progress;
  mv_read_options options = {};
  options.struct_size = sizeof(options);
  options.progress_context = &progress;
  options.progress = [](void* context, uint64_t done, uint64_t total) {
    auto* const p = static_cast<Progress*>(context);
    p->told.emplace_back(done, total);
    return done >= p->stop_at ? 3 : 0;
  };
  const auto expect_to_end_at = [&](uint64_t total) {
    ASSERT_FALSE(progress.told.empty());
    for (size_t i = 1; i < progress.told.size(); ++i) EXPECT_GE(progress.told[i].first, progress.told[i - 1].first);
    EXPECT_EQ(progress.told.back(), std::make_pair(total, total));
    progress.told.clear();
  };
  EXPECT_EQ(ReadFile(model.get(), &options), Small().FileOf("few"));
  expect_to_end_at(Small().FileOf("few").size());
  std::string bytes(6144, '?');
  EXPECT_EQ(mv_model_read_tensor(model.get(), "embed", bytes.data(), bytes.size(), &options, nullptr), MV_CODE_OK);
  expect_to_end_at(6144);
  EXPECT_EQ(mv_model_read_tensor(model.get(), "layers.0.none", nullptr, 0, &options, nullptr), MV_CODE_OK);
  expect_to_end_at(0);
  EXPECT_EQ(mv_model_verify(model.get(), &options, nullptr), MV_CODE_OK);
  expect_to_end_at(Small().DataOf("few").size());
  EXPECT_EQ(mv_vault_verify(vault_.get(), &options, nullptr), MV_CODE_OK);
  expect_to_end_at(5);
  progress.stop_at = 2;
  EXPECT_EQ(mv_vault_verify(vault_.get(), &options, failure_.out()), MV_CODE_CANCELLED);
  EXPECT_EQ(failure_.message(), "the progress callback returned 3 at 2 of 5");
  EXPECT_EQ(mv_model_restore_file(model.get(), folder_.File("x").c_str(), &options, failure_.out()), MV_CODE_CANCELLED);
  EXPECT_THAT(folder_.Names(), testing::IsEmpty());
}

TEST_F(CApiTest, AnExceptionOfACallbackEndsTheCallAndNothingElse) {
  const ModelHandle model = Model("few");
  const mv_write_function throws = [](void*, uint64_t, const void*, size_t) -> int32_t {
    throw std::runtime_error("thrown by a test");
  };
  EXPECT_EQ(mv_model_stream_file(model.get(), throws, nullptr, nullptr, failure_.out()), MV_CODE_INTERNAL);
  EXPECT_EQ(failure_.message(), "thrown by a test");
  const mv_write_function throws_a_number = [](void*, uint64_t, const void*, size_t) -> int32_t { throw 7; };
  EXPECT_EQ(mv_model_stream_file(model.get(), throws_a_number, nullptr, nullptr, failure_.out()), MV_CODE_INTERNAL);
  EXPECT_EQ(failure_.message(), "an exception of an unknown type");
  EXPECT_EQ(ReadFile(model.get()), Small().FileOf("few"));
}

TEST_F(CApiTest, SmallBuffersStayAsTheyWere) {
  const ModelHandle model = Model("few");
  std::string bytes(4095, '?');
  EXPECT_EQ(mv_model_read_tensor(model.get(), "layers.0.wq", bytes.data(), bytes.size(), nullptr, failure_.out()),
            MV_CODE_BUFFER_TOO_SMALL);
  EXPECT_EQ(failure_.message(), "few: tensor 'layers.0.wq' has 4096 bytes, the buffer has 4095");
  EXPECT_EQ(failure_.tensor(), "layers.0.wq");
  EXPECT_EQ(bytes, std::string(4095, '?'));
  EXPECT_EQ(mv_model_read_file(model.get(), bytes.data(), bytes.size(), nullptr, failure_.out()),
            MV_CODE_BUFFER_TOO_SMALL);
  EXPECT_EQ(bytes, std::string(4095, '?'));
}

TEST_F(CApiTest, RefusesRangesOutsideTheData) {
  const ModelHandle model = Model("few");
  const uint64_t size = Small().DataOf("few").size();
  char byte = '?';
  Collected collected;
  for (const auto& [offset, count] : {std::pair<uint64_t, size_t>(size, 1),
                                      {size + 1, 0},
                                      {UINT64_MAX, 1},
                                      {1, size},
                                      {0, SIZE_MAX},
                                      {1, SIZE_MAX}}) {
    EXPECT_EQ(mv_model_read_data(model.get(), offset, &byte, count, nullptr, failure_.out()), MV_CODE_INVALID_ARGUMENT);
    EXPECT_THAT(failure_.message(), AllOf(HasSubstr(absl::StrCat(count, " bytes at offset ", offset)),
                                          HasSubstr(absl::StrCat("the data section, which has ", size))));
    EXPECT_EQ(mv_model_stream_data(model.get(), offset, count, &Collect, &collected, nullptr, nullptr),
              MV_CODE_INVALID_ARGUMENT);
  }
  EXPECT_EQ(byte, '?');
  EXPECT_EQ(collected.bytes, "");
}

// --- What is not there, or not sound.

TEST_F(CApiTest, NamesWhatIsNotThere) {
  mv_vault* vault = nullptr;
  EXPECT_EQ(mv_vault_open(folder_.File("none").c_str(), &vault, failure_.out()), MV_CODE_NOT_FOUND);
  EXPECT_EQ(vault, nullptr);
  EXPECT_EQ(failure_.path(), folder_.File("none"));
  EXPECT_THAT(failure_.message(), HasSubstr(folder_.File("none")));
  EXPECT_EQ(mv_vault_open(folder_.path().c_str(), &vault, failure_.out()), MV_CODE_INVALID_ARGUMENT);
  EXPECT_EQ(OpenModel(vault_, "ternery", &failure_), nullptr);
  EXPECT_EQ(failure_.code(), MV_CODE_NOT_FOUND);
  EXPECT_EQ(failure_.message(), "v.mvlt: no variant 'ternery'; there is 'ternary'");
  EXPECT_EQ(failure_.variant(), "ternery");
  const ModelHandle model = Model("few");
  mv_tensor_info info = {};
  info.struct_size = sizeof(info);
  char byte = '?';
  Collected collected;
  const std::vector<mv_code> codes = {
      mv_model_find_tensor(model.get(), "embedd", &info, failure_.out()),
      mv_model_read_tensor(model.get(), "embedd", &byte, 1, nullptr, failure_.out()),
      mv_model_read_tensor_range(model.get(), "embedd", 0, &byte, 1, nullptr, failure_.out()),
      mv_model_stream_tensor(model.get(), "embedd", &Collect, &collected, nullptr, failure_.out())};
  EXPECT_EQ(codes, std::vector<mv_code>(4, MV_CODE_NOT_FOUND));
  EXPECT_EQ(failure_.message(), "v.mvlt: 'few' has no tensor 'embedd'; there is 'embed'");
  EXPECT_EQ(failure_.tensor(), "embedd");
  EXPECT_EQ(failure_.offset(), MV_NO_OFFSET);
}

TEST_F(CApiTest, TellsWhatIsNoSoundVault) {
  const auto open = [&](const std::string& bytes) {
    EXPECT_EQ(OpenMemory(bytes, &failure_), nullptr);
    return failure_.code();
  };
  EXPECT_EQ(open(""), MV_CODE_DAMAGED);
  EXPECT_EQ(open("PK\3\4 something else"), MV_CODE_DAMAGED);
  EXPECT_THAT(failure_.message(), HasSubstr("v.mvlt: not a vault: it is a ZIP archive"));
  EXPECT_EQ(open(Small().bytes.substr(0, Small().bytes.size() - 1)), MV_CODE_DAMAGED);
  EXPECT_THAT(failure_.message(), HasSubstr("truncated"));
  EXPECT_EQ(open(Small().bytes + "x"), MV_CODE_DAMAGED);
  std::string newer = Small().bytes;
  Store<uint16_t>(&newer, 8, 2);
  RepairChecksums(&newer);
  EXPECT_EQ(open(newer), MV_CODE_UNSUPPORTED);
  std::string damaged = Small().bytes;
  const uint64_t index = SectionOffset(damaged, 3);
  damaged[index + 10] ^= 1;
  EXPECT_EQ(open(damaged), MV_CODE_DAMAGED);
  EXPECT_EQ(failure_.path(), "v.mvlt");
  EXPECT_EQ(failure_.offset(), index);
  EXPECT_EQ(failure_.variant(), "");
}

TEST_F(CApiTest, TellsWhereAModelIsDamaged) {
  // The chunk that has bytes 512 to 767, of the first tensor.
  std::string damaged = Small().bytes;
  const uint64_t chunk = SectionOffset(damaged, 2) + Load<uint32_t>(damaged, SectionOffset(damaged, 1) + 2 * 8);
  damaged[chunk] ^= 1;
  vault_ = OpenMemory(damaged, &failure_);
  const ModelHandle few = Model("few");
  uint64_t size = 0;
  ASSERT_EQ(mv_model_sizes(few.get(), &size, nullptr, failure_.out()), MV_CODE_OK) << failure_.message();
  std::string bytes(size, '?');
  EXPECT_EQ(mv_model_read_file(few.get(), bytes.data(), size, nullptr, failure_.out()), MV_CODE_DAMAGED);
  EXPECT_THAT(failure_.message(), HasSubstr("base chunk 2 at offset"));
  EXPECT_EQ(failure_.path(), "v.mvlt");
  EXPECT_EQ(failure_.variant(), "few");
  EXPECT_EQ(failure_.tensor(), "embed");
  EXPECT_EQ(failure_.offset(), chunk);
  EXPECT_LT(failure_.data_offset(), 768u);
  EXPECT_EQ(mv_model_verify(few.get(), nullptr, failure_.out()), MV_CODE_DAMAGED);
  // What does not touch it is still good; what does is not.
  EXPECT_EQ(mv_model_read_tensor(few.get(), "layers.0.wq", bytes.data(), size, nullptr, failure_.out()), MV_CODE_OK)
      << failure_.message();
  EXPECT_EQ(bytes.substr(0, 4096), Small().models.at("few").tensors[1].data);
  EXPECT_EQ(mv_model_read_data(few.get(), 767, bytes.data(), 1, nullptr, failure_.out()), MV_CODE_DAMAGED);
  EXPECT_EQ(mv_model_read_data(few.get(), 768, bytes.data(), 1, nullptr, failure_.out()), MV_CODE_OK);
}

TEST_F(CApiTest, TellsOfADamagedVariantOnceItIsRead) {
  mv_model_info info = {};
  info.struct_size = sizeof(info);
  ASSERT_EQ(mv_vault_variant_info(vault_.get(), 3, &info, failure_.out()), MV_CODE_OK);
  std::string damaged = Small().bytes;
  const auto reader =
      VaultReader::FromFile(std::make_unique<MemoryFile>(std::vector<uint8_t>(damaged.begin(), damaged.end())));
  const uint64_t blob = (*(*reader)->Find("ternary"))->offset;
  damaged[blob] ^= 4;
  vault_ = OpenMemory(damaged, &failure_);
  const ModelHandle model = Model("ternary");
  EXPECT_EQ(mv_model_get_info(model.get(), &info, failure_.out()), MV_CODE_OK);
  size_t count = 0;
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(mv_model_tensor_count(model.get(), &count, failure_.out()), MV_CODE_DAMAGED);
    EXPECT_THAT(failure_.message(), HasSubstr("variant 'ternary', blob at offset"));
    EXPECT_EQ(failure_.offset(), blob);
    EXPECT_EQ(failure_.variant(), "ternary");
  }
  EXPECT_EQ(mv_vault_verify(vault_.get(), nullptr, failure_.out()), MV_CODE_DAMAGED);
  EXPECT_EQ(failure_.variant(), "ternary");
  EXPECT_EQ(ReadFile(Model("few").get()), Small().FileOf("few"));
}

TEST_F(CApiTest, DigestsDecideWhereEverythingIsAskedFor) {
  // A digest that is not the model's: its checksums are all right.
  std::string forged = Small().bytes;
  for (size_t i = 0; i < 4; ++i) Store<uint64_t>(&forged, IndexEntry(forged, i) + 16, 1);
  RepairChecksums(&forged);
  vault_ = OpenMemory(forged, &failure_);
  ASSERT_NE(vault_, nullptr) << failure_.message();
  const ModelHandle model = Model("few");
  const uint64_t size = Small().DataOf("few").size();
  std::string bytes(size + 10000, '?');
  EXPECT_EQ(mv_model_read_data(model.get(), 0, bytes.data(), size, nullptr, failure_.out()), MV_CODE_DAMAGED);
  EXPECT_THAT(failure_.message(), HasSubstr("digest mismatch"));
  EXPECT_EQ(mv_model_read_file(model.get(), bytes.data(), bytes.size(), nullptr, failure_.out()), MV_CODE_DAMAGED);
  EXPECT_EQ(mv_model_verify(model.get(), nullptr, failure_.out()), MV_CODE_DAMAGED);
  EXPECT_EQ(mv_model_restore_file(model.get(), folder_.File("x").c_str(), nullptr, failure_.out()), MV_CODE_DAMAGED);
  EXPECT_THAT(folder_.Names(), testing::IsEmpty());
  EXPECT_EQ(mv_model_read_data(model.get(), 0, bytes.data(), size - 1, nullptr, failure_.out()), MV_CODE_OK);
}

TEST_F(CApiTest, VerifyLooksAtAllBytesOfTheFile) {
  const auto verify = [&](std::string bytes, uint64_t offset) {
    bytes[offset] = static_cast<char>(bytes[offset] ^ 1);
    const VaultHandle vault = OpenMemory(bytes, &failure_);
    EXPECT_NE(vault, nullptr) << failure_.message();
    return mv_vault_verify(vault.get(), nullptr, failure_.out());
  };
  // Parts begin at multiples of 4.
  uint64_t padding = 0;
  for (const size_t section : {0, 1, 2, 3}) {
    const uint64_t end = SectionOffset(Small().bytes, section) + SectionSize(Small().bytes, section);
    if (end % 4 != 0) padding = end;
  }
  ASSERT_NE(padding, 0u) << "the vault has no padding behind a section: change the models";
  EXPECT_EQ(verify(Small().bytes, padding), MV_CODE_DAMAGED);
  EXPECT_THAT(failure_.message(), HasSubstr("padding at offset"));
  EXPECT_EQ(failure_.offset(), padding);
  const std::string talking = GoldenVault("1.2");
  ASSERT_GT(SectionSize(talking, 6), 0u);
  EXPECT_EQ(verify(talking, SectionOffset(talking, 6)), MV_CODE_DAMAGED);
  EXPECT_THAT(failure_.message(), HasSubstr("NETWORK"));
}

TEST_F(CApiTest, GoldenVaultsOfEveryVersionVerify) {
  for (const char* const version : {"1.0", "1.1", "1.2", "1.3", "1.4", "1.4-tenants"}) {
    const std::string bytes = GoldenVault(version);
    vault_ = OpenMemory(bytes, &failure_);
    EXPECT_EQ(mv_vault_verify(vault_.get(), nullptr, failure_.out()), MV_CODE_OK) << failure_.message();
    vault_.reset();
  }
}

// --- Sources.

TEST_F(CApiTest, SourcesMayGiveAByteAtATime) {
  TestSource source(&Small().bytes);
  source.at_most = 1;
  vault_ = OpenSource(&source, &failure_);
  ASSERT_NE(vault_, nullptr) << failure_.message();
  EXPECT_EQ(ReadFile(Model("few").get()), Small().FileOf("few"));
}

TEST_F(CApiTest, SourcesThatFailEndOrLieAreNamed) {
  struct Case {
    int64_t answer;
    bool ends_early;
    std::string message;
  };
  for (const Case& c : {Case{-5, false, "failed with -5"}, Case{0, true, "says that it ends there; its size is "},
                        Case{INT64_MAX, false, absl::StrCat("says that it wrote ", INT64_MAX)},
                        Case{INT64_MIN, false, "failed with -9223372036854775808"}}) {
    TestSource source(&Small().bytes);
    source.answer = c.answer;
    source.ends_early = c.ends_early;
    EXPECT_EQ(OpenSource(&source, &failure_), nullptr);
    EXPECT_EQ(failure_.code(), MV_CODE_STORAGE);
    EXPECT_THAT(failure_.message(),
                AllOf(HasSubstr("test source: the source, asked for "), HasSubstr(" at offset 0, " + c.message)));
    EXPECT_EQ(failure_.path(), "test source");
    EXPECT_EQ(failure_.offset(), 0u);
    EXPECT_EQ(source.closed(), 1);
  }
}

TEST_F(CApiTest, AnyReadThatFailsIsReportedAndAnotherCallSucceeds) {
  TestSource source(&Small().bytes);
  const auto restore = [&]() -> mv_code {
    const VaultHandle vault = OpenSource(&source, &failure_);
    if (vault == nullptr) return failure_.code();
    const ModelHandle model = OpenModel(vault, "few", &failure_);
    Collected collected;
    const mv_code code = mv_model_stream_file(model.get(), &Collect, &collected, nullptr, failure_.out());
    if (code == MV_CODE_OK) {
      EXPECT_EQ(collected.bytes, Small().FileOf("few"));
    }
    return code;
  };
  ASSERT_EQ(restore(), MV_CODE_OK) << failure_.message();
  const size_t reads = source.reads().size();
  ASSERT_GT(reads, 60u);
  for (size_t n = 0; n < reads; ++n) {
    SCOPED_TRACE(absl::StrCat("read ", n, " of ", reads));
    source.Forget();
    source.answers_from = static_cast<int>(n);
    source.answer = -1;
    EXPECT_EQ(restore(), MV_CODE_STORAGE);
    EXPECT_NE(failure_.offset(), MV_NO_OFFSET);
    source.Forget();
    source.answer = 0;
    EXPECT_EQ(restore(), MV_CODE_OK) << failure_.message();
  }
}

TEST_F(CApiTest, SourcesAreClosedOnceWhenTheLastHandleGoes) {
  TestSource source(&Small().bytes);
  vault_ = OpenSource(&source, &failure_);
  ModelHandle first = Model("few");
  ModelHandle second = Model("base");
  vault_.reset();
  EXPECT_EQ(ReadFile(first.get()), Small().FileOf("few"));
  first.reset();
  EXPECT_EQ(source.closed(), 0);
  EXPECT_EQ(ReadFile(second.get()), Small().FileOf("base"));
  second.reset();
  EXPECT_EQ(source.closed(), 1);
}

// --- The interface itself.

TEST_F(CApiTest, StructsMayBeOfAnotherVersion) {
  struct {
    mv_model_info info;
    uint64_t more;
  } longer = {};
  longer.info.struct_size = sizeof(longer);
  longer.more = 7;
  EXPECT_EQ(mv_vault_variant_info(vault_.get(), 0, &longer.info, failure_.out()), MV_CODE_OK) << failure_.message();
  EXPECT_STREQ(longer.info.name, "alike");
  EXPECT_EQ(longer.info.struct_size, sizeof(longer));
  EXPECT_EQ(longer.more, 0u);
  mv_model_info shorter = {};
  shorter.struct_size = sizeof(shorter) - 1;
  EXPECT_EQ(mv_vault_variant_info(vault_.get(), 0, &shorter, failure_.out()), MV_CODE_INVALID_ARGUMENT);
  EXPECT_EQ(failure_.message(),
            absl::StrCat("info->struct_size: expected ", sizeof(shorter), ", found ", sizeof(shorter) - 1));
  const ModelHandle model = Model("few");
  EXPECT_EQ(mv_model_get_info(model.get(), &shorter, nullptr), MV_CODE_INVALID_ARGUMENT);
  mv_tensor_info tensor = {};
  EXPECT_EQ(mv_model_tensor_info(model.get(), 0, &tensor, nullptr), MV_CODE_INVALID_ARGUMENT);
  EXPECT_EQ(mv_model_find_tensor(model.get(), "embed", &tensor, nullptr), MV_CODE_INVALID_ARGUMENT);

  struct {
    mv_read_options options;
    uint64_t more;
  } options = {};
  options.options.struct_size = sizeof(options);
  EXPECT_EQ(mv_model_verify(model.get(), &options.options, failure_.out()), MV_CODE_OK) << failure_.message();
  options.more = 1;
  EXPECT_EQ(mv_model_verify(model.get(), &options.options, failure_.out()), MV_CODE_INVALID_ARGUMENT);
  EXPECT_EQ(failure_.message(), "options has members that this version of the library does not know");
  EXPECT_EQ(mv_vault_verify(vault_.get(), &options.options, nullptr), MV_CODE_INVALID_ARGUMENT);

  TestSource bytes(&Small().bytes);
  mv_source source = bytes.source();
  source.struct_size = 8;
  mv_vault* vault = nullptr;
  EXPECT_EQ(mv_vault_open_source(&source, &vault, nullptr), MV_CODE_INVALID_ARGUMENT);
  EXPECT_EQ(bytes.closed(), 0);
  source = bytes.source();
  source.reserved = 1;
  EXPECT_EQ(mv_vault_open_source(&source, &vault, nullptr), MV_CODE_INVALID_ARGUMENT);
  EXPECT_EQ(bytes.closed(), 1);
}

TEST_F(CApiTest, NullIsRefusedByName) {
  const ModelHandle model = Model("few");
  mv_vault* vault = nullptr;
  mv_model* opened = nullptr;
  mv_model_info info = {};
  info.struct_size = sizeof(info);
  mv_tensor_info tensor = {};
  tensor.struct_size = sizeof(tensor);
  mv_file_info file = {};
  file.struct_size = sizeof(file);
  const char* format = nullptr;
  Collected collected;
  TestSource bytes(&Small().bytes);
  mv_source no_read = bytes.source();
  no_read.read = nullptr;
  const mv_source source = bytes.source();
  const auto refused = [&](mv_code code, const std::string& what) {
    EXPECT_EQ(code, MV_CODE_INVALID_ARGUMENT) << what;
    EXPECT_EQ(failure_.message(), what + " is NULL");
  };
  const auto f = [&] { return failure_.out(); };
  refused(mv_vault_open(nullptr, &vault, f()), "path");
  refused(mv_vault_open("x", nullptr, f()), "vault");
  refused(mv_vault_open_memory(nullptr, 1, "x", &vault, f()), "bytes");
  refused(mv_vault_open_memory("x", 1, "x", nullptr, f()), "vault");
  refused(mv_vault_open_source(nullptr, &vault, f()), "source");
  refused(mv_vault_open_source(&no_read, &vault, f()), "source->read");
  refused(mv_vault_open_source(&source, nullptr, f()), "vault");
  refused(mv_vault_open_with(nullptr, nullptr, &vault, f()), "path");
  refused(mv_vault_open_with("x", nullptr, nullptr, f()), "vault");
  refused(mv_vault_open_memory_with(nullptr, 1, "x", nullptr, &vault, f()), "bytes");
  refused(mv_vault_open_memory_with("x", 1, "x", nullptr, nullptr, f()), "vault");
  refused(mv_vault_open_source_with(nullptr, nullptr, &vault, f()), "source");
  refused(mv_vault_variant_info(nullptr, 0, &info, f()), "vault");
  refused(mv_vault_variant_info(vault_.get(), 0, nullptr, f()), "info");
  refused(mv_vault_verify(nullptr, nullptr, f()), "vault");
  refused(mv_vault_model(nullptr, "few", &opened, f()), "vault");
  refused(mv_vault_model(vault_.get(), nullptr, &opened, f()), "name");
  refused(mv_vault_model(vault_.get(), "few", nullptr, f()), "model");
  refused(mv_model_get_info(nullptr, &info, f()), "model");
  refused(mv_model_get_info(model.get(), nullptr, f()), "info");
  refused(mv_model_sizes(nullptr, nullptr, nullptr, f()), "model");
  size_t count = 0;
  refused(mv_model_format(nullptr, &format, f()), "model");
  refused(mv_model_format(model.get(), nullptr, f()), "format");
  refused(mv_model_file_count(nullptr, &count, f()), "model");
  refused(mv_model_file_count(model.get(), nullptr, f()), "count");
  refused(mv_model_file_info(nullptr, 0, &file, f()), "model");
  refused(mv_model_file_info(model.get(), 0, nullptr, f()), "info");
  refused(mv_model_tensor_count(nullptr, &count, f()), "model");
  refused(mv_model_tensor_count(model.get(), nullptr, f()), "count");
  refused(mv_model_tensor_info(nullptr, 0, &tensor, f()), "model");
  refused(mv_model_tensor_info(model.get(), 0, nullptr, f()), "info");
  refused(mv_model_find_tensor(nullptr, "embed", &tensor, f()), "model");
  refused(mv_model_find_tensor(model.get(), nullptr, &tensor, f()), "name");
  refused(mv_model_find_tensor(model.get(), "embed", nullptr, f()), "info");
  refused(mv_model_restore_file(nullptr, "x", nullptr, f()), "model");
  refused(mv_model_restore_file(model.get(), nullptr, nullptr, f()), "path");
  refused(mv_model_read_file(nullptr, &info, 1, nullptr, f()), "model");
  refused(mv_model_read_file(model.get(), nullptr, 100000, nullptr, f()), "buffer");
  refused(mv_model_stream_file(nullptr, &Collect, &collected, nullptr, f()), "model");
  refused(mv_model_stream_file(model.get(), nullptr, &collected, nullptr, f()), "write");
  refused(mv_model_read_tensor(nullptr, "embed", &info, 1, nullptr, f()), "model");
  refused(mv_model_read_tensor(model.get(), nullptr, &info, 1, nullptr, f()), "name");
  refused(mv_model_read_tensor(model.get(), "embed", nullptr, 10000, nullptr, f()), "buffer");
  refused(mv_model_stream_tensor(nullptr, "embed", &Collect, &collected, nullptr, f()), "model");
  refused(mv_model_stream_tensor(model.get(), nullptr, &Collect, &collected, nullptr, f()), "name");
  refused(mv_model_stream_tensor(model.get(), "embed", nullptr, &collected, nullptr, f()), "write");
  refused(mv_model_read_tensor_range(nullptr, "embed", 0, &info, 1, nullptr, f()), "model");
  refused(mv_model_read_tensor_range(model.get(), nullptr, 0, &info, 1, nullptr, f()), "name");
  refused(mv_model_read_tensor_range(model.get(), "embed", 0, nullptr, 1, nullptr, f()), "buffer");
  refused(mv_model_read_data(nullptr, 0, &info, 1, nullptr, f()), "model");
  refused(mv_model_read_data(model.get(), 0, nullptr, 1, nullptr, f()), "buffer");
  refused(mv_model_stream_data(nullptr, 0, 1, &Collect, &collected, nullptr, f()), "model");
  refused(mv_model_stream_data(model.get(), 0, 1, nullptr, &collected, nullptr, f()), "write");
  refused(mv_model_verify(nullptr, nullptr, f()), "model");
  EXPECT_EQ(collected.bytes, "");
  // Where NULL is allowed.
  EXPECT_EQ(mv_model_sizes(model.get(), nullptr, nullptr, nullptr), MV_CODE_OK);
  EXPECT_EQ(mv_vault_open(nullptr, &vault, nullptr), MV_CODE_INVALID_ARGUMENT);
  EXPECT_STREQ(mv_vault_path(nullptr), "");
  EXPECT_EQ(mv_vault_variant_count(nullptr), 0u);
  EXPECT_EQ(mv_failure_code(nullptr), MV_CODE_OK);
  EXPECT_STREQ(mv_failure_message(nullptr), "");
  EXPECT_STREQ(mv_failure_path(nullptr), "");
  EXPECT_EQ(mv_failure_offset(nullptr), MV_NO_OFFSET);
  EXPECT_EQ(mv_failure_data_offset(nullptr), MV_NO_OFFSET);
  mv_vault_close(nullptr);
  mv_model_free(nullptr);
  mv_failure_free(nullptr);
  EXPECT_EQ(bytes.closed(), 2);
}

TEST_F(CApiTest, AFailureIsForgottenBySuccess) {
  mv_failure* failure = nullptr;
  EXPECT_EQ(mv_vault_verify(nullptr, nullptr, &failure), MV_CODE_INVALID_ARGUMENT);
  ASSERT_NE(failure, nullptr);
  mv_failure_free(failure);
  EXPECT_EQ(mv_vault_verify(vault_.get(), nullptr, &failure), MV_CODE_OK);
  EXPECT_EQ(failure, nullptr);
}

TEST_F(CApiTest, CodesHaveNames) {
  for (mv_code code = MV_CODE_OK; code <= MV_CODE_REVOKED; ++code) EXPECT_STRNE(mv_code_name(code), "unknown");
  EXPECT_STREQ(mv_code_name(MV_CODE_BUFFER_TOO_SMALL), "buffer-too-small");
  EXPECT_STREQ(mv_code_name(-1), "unknown");
  EXPECT_STREQ(mv_code_name(MV_CODE_REVOKED + 1), "unknown");
  EXPECT_STREQ(mv_library_version(), MODELVAULT_VERSION);
}

}  // namespace
}  // namespace modelvault
