#include "tools/demo/network_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/status_matchers.h"
#include "tests/temp_folder.h"
#include "tests/vault/faulty_file_system.h"
#include "tools/demo/random.h"

namespace modelvault::demo {
namespace {

using testing::HasSubstr;

Network SmallModel() {
  Network network = ZeroNetwork({5, 7, 3});
  Random random(4);
  InitializeWeights(random, &network);
  for (Layer& layer : network.layers) {
    for (float& bias : layer.biases) bias = random.Normal();
  }
  return network;
}

// A safetensors file put together here, with any header.
std::string FileWith(const std::string& header, const std::string& data) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>((header.size() >> (8 * i)) & 0xff);
  return bytes + header + data;
}

std::string Floats(std::vector<float> values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

// One layer of two inputs and one output: weights at 0, scale at 2, bias at 6, end at 10.
std::string OneLayerHeader(const std::string& weights = R"("dtype":"I8","shape":[1,2])",
                           const std::string& scale = R"("a.scale":{"dtype":"F32","shape":[1])") {
  return absl::StrCat(R"({"a":{)", weights, R"(,"data_offsets":[0,2]},)", scale,
                      R"(,"data_offsets":[2,6]},"a.bias":{"dtype":"F32","shape":[1],"data_offsets":[6,10]}})");
}

class NetworkFileTest : public testing::Test {
 protected:
  absl::StatusOr<Network> Read(const std::string& bytes) {
    return ReadNetwork(FileSystem::Default(), folder_.Write("m.safetensors", bytes));
  }

  const TempFolder folder_;
};

TEST_F(NetworkFileTest, ReadsBackWhatWasWritten) {
  const Network model = SmallModel();
  ASSERT_OK_AND_ASSIGN(const uint64_t size,
                       WriteNetwork(FileSystem::Default(), folder_.File("m"), model, {{"role", "base"}}));
  EXPECT_EQ(size, folder_.Read("m").size());
  ASSERT_OK_AND_ASSIGN(const Network back, ReadNetwork(FileSystem::Default(), folder_.File("m")));
  ASSERT_EQ(back.layers.size(), model.layers.size());
  for (size_t l = 0; l < model.layers.size(); ++l) {
    EXPECT_EQ(back.layers[l].inputs, model.layers[l].inputs);
    EXPECT_EQ(back.layers[l].outputs, model.layers[l].outputs);
    EXPECT_EQ(back.layers[l].weights, model.layers[l].weights);
    EXPECT_EQ(back.layers[l].biases, model.layers[l].biases);
  }
}

TEST_F(NetworkFileTest, TheFileIsSafetensorsWithNamedLayersAndMetadata) {
  const Network model = SmallModel();
  ASSERT_THAT(WriteNetwork(FileSystem::Default(), folder_.File("m"), model, {{"role", "variant"}, {"department", "x"}}),
              IsOk());
  const std::string bytes = folder_.Read("m");
  uint64_t header_size = 0;
  for (int i = 7; i >= 0; --i) header_size = header_size << 8 | static_cast<uint8_t>(bytes[i]);
  EXPECT_EQ(header_size % 8, 0u);
  ASSERT_LT(header_size, bytes.size());
  const auto header = nlohmann::json::parse(bytes.substr(8, header_size));
  EXPECT_EQ(header["__metadata__"], (nlohmann::json{{"role", "variant"}, {"department", "x"}}));
  EXPECT_EQ(header.size(), 5u);
  EXPECT_EQ(header["hidden1"]["dtype"], "F32");
  EXPECT_EQ(header["hidden1"]["shape"], (nlohmann::json{7, 5}));
  EXPECT_EQ(header["hidden1"]["data_offsets"], (nlohmann::json{0, 140}));
  EXPECT_EQ(header["output"]["shape"], (nlohmann::json{3, 7}));
  EXPECT_EQ(header["output.bias"]["dtype"], "F32");
  EXPECT_EQ(header["output.bias"]["data_offsets"][1], bytes.size() - 8 - header_size);
  const size_t bias_at = 8 + header_size + header["output.bias"]["data_offsets"][0].get<size_t>();
  EXPECT_EQ(bytes.substr(bias_at, 12), Floats(model.layers[1].biases));
}

TEST_F(NetworkFileTest, EveryTruncationIsAnError) {
  ASSERT_THAT(WriteNetwork(FileSystem::Default(), folder_.File("m"), SmallModel(), {}), IsOk());
  const std::string bytes = folder_.Read("m");
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THAT(Read(bytes.substr(0, size)), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("m.safetensors")))
        << size << " bytes";
  }
}

TEST_F(NetworkFileTest, AcceptsTheHandMadeLayerTheOtherTestsSpoil) {
  ASSERT_OK_AND_ASSIGN(const Network model, Read(FileWith(OneLayerHeader(), "\x01\xfe" + Floats({0.5f, 2}))));
  ASSERT_EQ(model.layers.size(), 1u);
  EXPECT_THAT(model.layers[0].weights, testing::ElementsAre(0.5f, -1.0f));
  EXPECT_THAT(model.layers[0].biases, testing::ElementsAre(2.0f));
}

TEST_F(NetworkFileTest, RefusesScalesThatAreNoGrid) {
  for (const float scale : {0.0f, -1.0f, NAN, HUGE_VALF}) {
    EXPECT_THAT(Read(FileWith(OneLayerHeader(), "ab" + Floats({scale, 2}))),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("tensor 'a.scale', row 0")));
  }
}

TEST_F(NetworkFileTest, RefusesOtherTensors) {
  const std::string data = "ab" + Floats({1, 2});
  EXPECT_THAT(Read(FileWith(OneLayerHeader(R"("dtype":"U8","shape":[1,2])"), data)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'a' is U8 [1, 2], expected F32 or I8")));
  EXPECT_THAT(Read(FileWith(OneLayerHeader(R"("dtype":"I8","shape":[2])"), data)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no layers")));
  EXPECT_THAT(Read(FileWith(OneLayerHeader(R"("dtype":"I8","shape":[2,1])"), data)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'a.bias' is F32 [1], expected F32 [2]")));
  EXPECT_THAT(
      Read(FileWith(OneLayerHeader(R"("dtype":"I8","shape":[1,2])", R"("b":{"dtype":"F32","shape":[1])"), data)),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no tensor 'a.scale'")));
  EXPECT_THAT(Read(FileWith(R"({"a":{"dtype":"I8","shape":[1,2],"data_offsets":[0,2]}})", "ab")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no tensor 'a.bias'")));
  EXPECT_THAT(
      Read(FileWith(
          R"({"a":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},"a.bias":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"c":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
          Floats({1, 2, 3}))),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("'c' is F32 [1], expected only weights")));
  EXPECT_THAT(Read(FileWith("{}", "")), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no layers")));
}

TEST_F(NetworkFileTest, RefusesLayersThatDoNotFitOneAnother) {
  Network model = SmallModel();
  model.layers[1].inputs = 3;
  model.layers[1].outputs = 7;
  model.layers[1].biases.resize(7);
  ASSERT_THAT(WriteNetwork(FileSystem::Default(), folder_.File("m"), model, {}), IsOk());
  EXPECT_THAT(ReadNetwork(FileSystem::Default(), folder_.File("m")),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("tensor 'output' takes 3 inputs, the layer before it gives 7")));
}

TEST_F(NetworkFileTest, AMissingFileIsNotFound) {
  EXPECT_THAT(ReadNetwork(FileSystem::Default(), folder_.File("none")), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(NetworkFileTest, AnyFailingOperationIsReportedAndLeavesNoFile) {
  FaultyFileSystem disk;
  const Network model = SmallModel();
  ASSERT_THAT(WriteNetwork(disk, folder_.File("m"), model, {}), IsOk());
  const int count = disk.count() - disk.count(DiskOperation::kSyncDirectory);
  ASSERT_GT(count, 3);
  ASSERT_EQ(unlink(folder_.File("m").c_str()), 0);
  for (int n = 1; n <= count; ++n) {
    SCOPED_TRACE(absl::StrCat("fault at operation ", n, " of ", count));
    disk.FailAt(n, ENOSPC);
    EXPECT_THAT(WriteNetwork(disk, folder_.File("m"), model, {}), StatusIs(absl::StatusCode::kUnavailable));
    EXPECT_THAT(folder_.Names(), testing::IsEmpty());
  }
}

TEST(DescribeNetworkTest, NamesTheLayersInOrder) {
  EXPECT_EQ(DescribeNetwork(3),
            "{\"config\": {\"architecture\": \"mlp\", \"layers\": [\"hidden1\", \"hidden2\", \"output\"], "
            "\"activation\": \"relu\"}}\n");
}

}  // namespace
}  // namespace modelvault::demo
