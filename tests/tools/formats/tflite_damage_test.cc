// What is said of a damaged TensorFlow Lite model: which part, and where it is in the file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "codec/split_mix_64.h"
#include "tests/status_matchers.h"
#include "tests/tools/formats/tflite_models.h"
#include "tests/vault/memory_file.h"
#include "tools/formats/tflite/tflite_format.h"

namespace modelvault {
namespace {

using absl::StatusCode;
using testing::HasSubstr;
using testing::StrEq;

absl::Status Refusal(const std::string& bytes) {
  static const TfliteFormat kFormat;
  auto file = std::make_unique<MemoryFile>(std::vector<uint8_t>(bytes.begin(), bytes.end()), "m.tflite");
  return ModelFile::FromFile(kFormat, std::move(file)).status();
}

// Two subgraphs and three buffers; tensors 0.1 and 1.0 have all that a tensor may have.
class TfliteDamageTest : public testing::Test {
 protected:
  TfliteDamageTest()
      : bytes_(MakeTflite({{{"plain", 9, {4}, 1}, {"full", 9, {2, 2}, 1, {1, 2, 3, 4}, {5, 6, 7, 8}, 1, true}},
                           {{"other", 9, {8}, 2, {0.5f}, {3}, 0, true}}},
                          {{}, {"abcd"}, {"12345678"}})) {}

  const tflite::Model& model() const { return *tflite::GetModel(bytes_.data()); }
  const tflite::Tensor& full() const { return *model().subgraphs()->Get(0)->tensors()->Get(1); }

  size_t OffsetOf(const void* part) const {
    return static_cast<size_t>(static_cast<const char*>(part) - bytes_.data());
  }
  // Of the place in a table where a field is.
  size_t FieldOf(const void* table, flatbuffers::voffset_t slot) const {
    const auto* const fields = static_cast<const flatbuffers::Table*>(table);
    return OffsetOf(fields) + fields->GetOptionalFieldOffset(slot);
  }

  void ExpectDamage(size_t at, uint32_t word, const std::string& what) const {
    std::string damaged = bytes_;
    std::memcpy(damaged.data() + at, &word, sizeof(word));
    const absl::Status status = Refusal(damaged);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message(), absl::StrCat("m.tflite: bad TFLite file: ", what)) << "at " << at;
  }
  void ExpectOutside(const void* vector, size_t element, const std::string& name) const {
    ExpectDamage(OffsetOf(vector), 1000000,
                 absl::StrCat(name, " at offset ", OffsetOf(vector), ": 1000000 elements of ", element,
                              " bytes do not lie within the ", bytes_.size(), " that there are"));
  }
  // The offset of the list of fields is what a table begins with.
  void ExpectNoFields(const void* table, const std::string& name) const {
    ExpectDamage(OffsetOf(table), 1000000,
                 absl::StrCat(name, " at offset ", OffsetOf(table),
                              ": its list of fields, 1000000 bytes before it, is damaged"));
  }

  const std::string bytes_;
};

TEST_F(TfliteDamageTest, FilesWithoutARoot) {
  ASSERT_THAT(Refusal(bytes_), IsOk());
  EXPECT_THAT(Refusal(bytes_.substr(0, 11)),
              StatusIs(StatusCode::kInvalidArgument, StrEq("m.tflite: bad TFLite file: 11 bytes are too short for a "
                                                           "root table")));
  ExpectDamage(4, 0, "no TFL3 at offset 4");
  ExpectDamage(0, 0, "reference to the root table at offset 0: leads to itself");
  ExpectDamage(0, 1000000,
               absl::StrCat("reference to the root table at offset 0: leads 1000000 bytes on, out of the ",
                            bytes_.size(), " that there are"));
  ExpectDamage(0, 9, "the root table at offset 9: not at a multiple of 4");
  ExpectNoFields(&model(), "the root table");
}

TEST_F(TfliteDamageTest, Vectors) {
  const auto& graph = *model().subgraphs()->Get(0);
  ExpectOutside(model().subgraphs(), 4, "subgraphs");
  ExpectOutside(model().buffers(), 4, "buffers");
  ExpectOutside(graph.tensors(), 4, "subgraph 0, tensors");
  ExpectOutside(model().subgraphs()->Get(1)->tensors(), 4, "subgraph 1, tensors");
  ExpectOutside(full().shape(), 4, "subgraph 0, tensor 1, shape");
  ExpectOutside(full().name(), 1, "subgraph 0, tensor 1, name");
  ExpectOutside(full().quantisation()->scale(), 4, "subgraph 0, tensor 1, quantisation, scale");
  ExpectOutside(full().quantisation()->zero_point(), 8, "subgraph 0, tensor 1, quantisation, zero_point");
  ExpectOutside(model().buffers()->Get(1)->data(), 1, "buffer 1, data");
  ExpectOutside(model().buffers()->Get(2)->data(), 1, "buffer 2, data");
}

TEST_F(TfliteDamageTest, Tables) {
  const auto& graph = *model().subgraphs()->Get(1);
  ExpectNoFields(&graph, "subgraph 1");
  ExpectNoFields(&full(), "subgraph 0, tensor 1");
  ExpectNoFields(full().quantisation(), "subgraph 0, tensor 1, quantisation");
  ExpectNoFields(full().sparsity(), "subgraph 0, tensor 1, sparsity");
  ExpectNoFields(graph.tensors()->Get(0), "subgraph 1, tensor 0");
  ExpectNoFields(model().buffers()->Get(2), "buffer 2");
  // What a vector refers to.
  const size_t element = OffsetOf(model().buffers()) + 4 + 4 * 2;
  ExpectDamage(element, 0x10000000,
               absl::StrCat("buffer 2 at offset ", element + 0x10000000, ": 4 bytes do not lie within the ",
                            bytes_.size(), " that there are"));
  ExpectDamage(element, 5, absl::StrCat("buffer 2 at offset ", element + 5, ": not at a multiple of 4"));
}

TEST_F(TfliteDamageTest, ReferencesOfFields) {
  const auto expect = [&](const void* table, flatbuffers::voffset_t slot, const std::string& name) {
    const size_t field = FieldOf(table, slot);
    ExpectDamage(field, 0, absl::StrCat("reference to ", name, " at offset ", field, ": leads to itself"));
    ExpectDamage(field, 0xFFFFFFFC,
                 absl::StrCat("reference to ", name, " at offset ", field, ": leads 4294967292 bytes on, out of the ",
                              bytes_.size(), " that there are"));
  };
  expect(&model(), tflite::Model::VT_BUFFERS, "buffers");
  expect(&full(), tflite::Tensor::VT_SHAPE, "subgraph 0, tensor 1, shape");
  expect(&full(), tflite::Tensor::VT_NAME, "subgraph 0, tensor 1, name");
  expect(&full(), tflite::Tensor::VT_QUANTISATION, "subgraph 0, tensor 1, quantisation");
  expect(full().quantisation(), tflite::Quantisation::VT_SCALE, "subgraph 0, tensor 1, quantisation, scale");
  expect(model().buffers()->Get(1), tflite::Buffer::VT_DATA, "buffer 1, data");
}

TEST_F(TfliteDamageTest, ScalarsAndTexts) {
  // The list of fields says where a scalar is.
  std::string damaged = bytes_;
  const auto* const tensor = model().subgraphs()->Get(1)->tensors()->Get(0);
  const size_t fields = OffsetOf(reinterpret_cast<const flatbuffers::Table*>(tensor)->GetVTable());
  damaged.replace(fields + tflite::Tensor::VT_BUFFER, 2, "\xFF\x7F");
  EXPECT_THAT(Refusal(damaged), StatusIs(StatusCode::kInvalidArgument, HasSubstr(", buffer at offset ")));
  damaged.replace(fields + tflite::Tensor::VT_BUFFER, 2, std::string("\x02\0", 2));
  EXPECT_THAT(Refusal(damaged), StatusIs(StatusCode::kInvalidArgument, HasSubstr(": not at a multiple of 4")));
  const size_t end = OffsetOf(full().name()->c_str()) + full().name()->size();
  ExpectDamage(
      end, 0x01010101,
      absl::StrCat("subgraph 0, tensor 1, name at offset ", OffsetOf(full().name()), ": no zero byte ends it"));
}

// As many references to one tensor as a small file can hold stand for more tables than anybody should look at.
TEST(TfliteTablesTest, ManyTablesInOneAreRefused) {
  flatbuffers::FlatBufferBuilder builder;
  const std::vector<int32_t> shape = {1};
  const auto tensor = tflite::CreateTensorDirect(builder, &shape, 9, 0, "t");
  const std::vector<flatbuffers::Offset<tflite::Tensor>> tensors(3000, tensor);
  const auto graph = tflite::CreateSubGraphDirect(builder, &tensors);
  const std::vector<flatbuffers::Offset<tflite::SubGraph>> graphs(3000, graph);
  const std::vector<flatbuffers::Offset<tflite::Buffer>> buffers = {tflite::CreateBuffer(builder)};
  builder.Finish(tflite::CreateModelDirect(builder, 3, &graphs, &buffers), tflite::ModelIdentifier());
  const std::string bytes(reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize());
  // 87 subgraphs of 3,001 tables, and the root table.
  const auto& one = *tflite::GetModel(bytes.data())->subgraphs()->Get(87)->tensors()->Get(1055);
  EXPECT_THAT(Refusal(bytes), StatusIs(StatusCode::kInvalidArgument,
                                       HasSubstr(absl::StrCat("file: subgraph 87, tensor 1055 at offset ",
                                                              reinterpret_cast<const char*>(&one) - bytes.data(),
                                                              ": more than 262144 tables"))));
}

// Whatever is damaged: it is told where.
TEST_F(TfliteDamageTest, EveryRefusalHasAnOffset) {
  constexpr int kMutants = 30000;
  SplitMix64 random(15);
  int refused = 0;
  for (int i = 0; i < kMutants; ++i) {
    std::string mutant = bytes_;
    for (uint64_t changes = 1 + random.Below(3); changes > 0; --changes) {
      const size_t at = static_cast<size_t>(random.Below(mutant.size()));
      mutant[at] = static_cast<char>(random.Below(2) == 0 ? random.Next() : mutant[at] ^ (1 << random.Below(8)));
    }
    if (random.Below(4) == 0) mutant.resize(static_cast<size_t>(random.Below(mutant.size())));
    if (mutant.empty()) continue;
    const absl::Status status = Refusal(mutant);
    if (status.ok()) continue;
    ++refused;
    ASSERT_EQ(status.code(), StatusCode::kInvalidArgument) << status;
    EXPECT_TRUE(absl::StrContains(status.message(), " at offset ") ||
                absl::StrContains(status.message(), " bytes are too short for a root table"))
        << "mutant " << i << ": " << status;
    EXPECT_FALSE(absl::StrContains(status.message(), "does not tell")) << "mutant " << i << ": " << status;
  }
  EXPECT_GT(refused, kMutants / 4);
  EXPECT_LT(refused, kMutants);
}

}  // namespace
}  // namespace modelvault
