#include "tools/mvault/reports/fit_report.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tests/status_matchers.h"
#include "tests/tools/fitting/fitting_files.h"

namespace modelvault {
namespace {

using ::google::protobuf::Descriptor;
using ::google::protobuf::FieldDescriptor;
using ::google::protobuf::Message;
using ::google::protobuf::Reflection;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

// The program's own message is without descriptors: this is the same from the same file, with them.
class FitReportSchema {
 public:
  FitReportSchema() {
    google::protobuf::FileDescriptorSet files;
    std::ifstream in(MODELVAULT_FIT_REPORT_SCHEMA, std::ios::binary);
    if (!files.ParseFromIstream(&in) || files.file_size() != 1) return;
    const google::protobuf::FileDescriptor* const file = pool_.BuildFile(files.file(0));
    if (file != nullptr) type_ = file->FindMessageTypeByName("FitReport");
  }

  const Descriptor* type() const { return type_; }
  std::unique_ptr<Message> New() { return std::unique_ptr<Message>(factory_.GetPrototype(type_)->New()); }

 private:
  google::protobuf::DescriptorPool pool_;
  google::protobuf::DynamicMessageFactory factory_;
  const Descriptor* type_ = nullptr;
};

// Gives each field another value, repeated ones two.
void Fill(Message* message, int* next) {
  const Reflection* const set = message->GetReflection();
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* const field = message->GetDescriptor()->field(i);
    for (int k = 0; k < (field->is_repeated() ? 2 : 1); ++k) {
      const int value = ++*next;
      switch (field->cpp_type()) {
        case FieldDescriptor::CPPTYPE_UINT64: {
          const uint64_t number = static_cast<uint64_t>(value) << 40;
          field->is_repeated() ? set->AddUInt64(message, field, number) : set->SetUInt64(message, field, number);
          break;
        }
        case FieldDescriptor::CPPTYPE_DOUBLE:
          ASSERT_FALSE(field->is_repeated());
          set->SetDouble(message, field, value + 1.0 / 3);
          break;
        case FieldDescriptor::CPPTYPE_STRING: {
          const std::string text = "\"text\" " + std::to_string(value);
          field->is_repeated() ? set->AddString(message, field, text) : set->SetString(message, field, text);
          break;
        }
        case FieldDescriptor::CPPTYPE_MESSAGE:
          Fill(field->is_repeated() ? set->AddMessage(message, field) : set->MutableMessage(message, field), next);
          break;
        default:
          FAIL() << field->full_name() << " has a type that this test does not know";
      }
    }
  }
}

TEST(FitReportTest, JsonIsTheMessage) {
  FitReportSchema schema;
  ASSERT_NE(schema.type(), nullptr);
  const std::unique_ptr<Message> filled = schema.New();
  int next = 0;
  Fill(filled.get(), &next);
  EXPECT_GT(next, 80);
  proto::FitReport report;
  ASSERT_TRUE(report.ParseFromString(filled->SerializeAsString()));
  const std::unique_ptr<Message> read = schema.New();
  // Strict: a key that is no field of the message is an error.
  const google::protobuf::util::Status status =
      google::protobuf::util::JsonStringToMessage(FitToJson(report).dump(), read.get());
  ASSERT_TRUE(status.ok()) << status.ToString();
  google::protobuf::util::MessageDifferencer differencer;
  std::string differences;
  differencer.ReportDifferencesToString(&differences);
  EXPECT_TRUE(differencer.Compare(*filled, *read)) << differences;
}

// The notes in the JSON of a fit that came to a vault of `size` of 1,000 bytes.
std::vector<std::string> NotesOf(const FitInput& input, uint64_t size, bool saturated, const FitRunOptions& more = {}) {
  FitRunOptions options = more;
  options.budget = 1000;
  FitRun run;
  run.vault_size = size;
  run.saturated = saturated;
  run.models.base.resize(input.tensors().size());
  run.models.variants.resize(input.variant_count());
  for (FittedVariant& variant : run.models.variants) {
    variant.tensors.resize(input.tensors().size());
    for (VariantTensorFit& tensor : variant.tensors) tensor.signal = tensor.remaining = 1;
  }
  run.stored_sizes.resize(input.variant_count());
  return FitToJson(MakeFitReport("v.mvlt", input, options, run))["notes"];
}

TEST(FitReportTest, JsonSaysWhyAVaultIsBelowItsBudget) {
  const FittingFiles models;
  ASSERT_OK_AND_ASSIGN(const FitInput input, models.Open(models.files()));
  EXPECT_THAT(NotesOf(input, 994, true), Contains(HasSubstr("The variants need no more")));
  EXPECT_THAT(NotesOf(input, 994, false), Contains(HasSubstr("No price of a bit was found that comes nearer")));
  EXPECT_THAT(NotesOf(input, 996, true), Not(Contains(HasSubstr("budget"))));
}

TEST(FitReportTest, NotesTellWhatFloorsCameToWithoutTensorWeights) {
  const FittingFiles models;
  FitRunOptions options;
  options.fit.floors["beta"] = 30;
  ASSERT_OK_AND_ASSIGN(const FitInput plain, models.Open(models.files()));
  EXPECT_THAT(NotesOf(plain, 1000, false, options), Not(Contains(HasSubstr("beta"))));
  options.curvature.tensor_weights = {{"embed", 0.25}};
  ASSERT_OK_AND_ASSIGN(const FitInput input,
                       FitInput::Open(FileSystem::Default(), models.files(), options.curvature, 1));
  const size_t count = input.tensors().size();
  EXPECT_THAT(NotesOf(input, 1000, false, options),
              Contains(HasSubstr("without them 'beta' loses " + std::to_string(count + 3) + ", of 30 that it may.")));
}

}  // namespace
}  // namespace modelvault
