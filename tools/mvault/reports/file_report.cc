#include "tools/mvault/reports/file_report.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tools/formats/model_formats.h"
#include "tools/formats/readable_text.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/cli/text_table.h"
#include "vault/file_reading.h"

namespace modelvault {
namespace {

constexpr uint64_t kMostRestored = uint64_t{256} << 20;

// A restored file.
class BytesFile : public RandomAccessFile {
 public:
  explicit BytesFile(std::vector<uint8_t> bytes) : bytes_(std::move(bytes)) {}
  absl::Status ReadAt(uint64_t offset, absl::Span<uint8_t> out) const override {
    if (absl::Status status = CheckRange(path_, offset, out.size(), bytes_.size()); !status.ok()) return status;
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return absl::OkStatus();
  }
  uint64_t size() const override { return bytes_.size(); }
  const std::string& path() const override { return path_; }

 private:
  const std::vector<uint8_t> bytes_;
  const std::string path_ = "the restored file";
};

// "0.5", or "0.25 … 0.5" for several.
template <typename Number>
std::string RangeText(const std::vector<Number>& numbers) {
  const auto [least, most] = std::minmax_element(numbers.begin(), numbers.end());
  return *least == *most ? absl::StrCat(*least) : absl::StrCat(*least, " … ", *most);
}

}  // namespace

Json QuantisationJson(const std::vector<TensorQuantisation>& quantisation) {
  Json json = Json::array();
  for (const TensorQuantisation& q : quantisation) {
    json.push_back({{"tensor", q.tensor}, {"axis", q.axis}, {"scales", q.scales}, {"zero_points", q.zero_points}});
  }
  return json;
}

std::string QuantisationText(const std::vector<TensorQuantisation>& quantisation) {
  if (quantisation.empty()) return "";
  TextTable table({">scales", ">axis", "scale", "zero point", "tensor"});
  for (const TensorQuantisation& q : quantisation) {
    table.AddRow({Grouped(q.scales.size()), q.scales.size() > 1 ? absl::StrCat(q.axis) : "-", RangeText(q.scales),
                  q.zero_points.empty() ? "0" : RangeText(q.zero_points), Printable(q.tensor)});
  }
  return absl::StrCat("\nquantisation: scale times (integer - zero point)\n", table.Format());
}

Json FileJson(const ModelFile& file, const std::vector<TensorQuantisation>& quantisation) {
  Json json = {{"file", file.path()},
               {"format", file.structure().format},
               {"bytes", file.size()},
               {"data_bytes", file.data_size()}};
  Json& files = json["files"] = Json::array();
  for (const FilePart& part : file.structure().files) files.push_back({{"path", part.path}, {"bytes", part.size}});
  Json& tensors = json["tensors"] = Json::array();
  for (const ModelTensor& tensor : file.tensors()) {
    tensors.push_back(
        {{"name", tensor.name}, {"dtype", tensor.type_name()}, {"shape", tensor.shape}, {"bytes", tensor.size()}});
  }
  json["quantisation"] = QuantisationJson(quantisation);
  return json;
}

std::string FileText(const ModelFile& file, const std::vector<TensorQuantisation>& quantisation) {
  std::string text =
      absl::StrFormat("%s: %s, %s bytes: %s of %s bytes, and %s bytes of everything else\n", Printable(file.path()),
                      file.structure().format, Grouped(file.size()), Counted(file.tensors().size(), "tensor"),
                      Grouped(file.data_size()), Grouped(file.size() - file.data_size()));
  for (const FilePart& part : file.structure().files) {
    absl::StrAppend(&text, "file ", Printable(part.path), ": ", Counted(part.size, "byte"), "\n");
  }
  TextTable table({"tensor", "dtype", "shape", ">bytes"});
  for (const ModelTensor& tensor : file.tensors()) {
    table.AddRow(
        {Printable(tensor.name), Printable(tensor.type_name()), FormatShape(tensor.shape), Grouped(tensor.size())});
  }
  absl::StrAppend(&text, "\n", table.Format(), QuantisationText(quantisation));
  return text;
}

absl::StatusOr<std::vector<TensorQuantisation>> ReadStoredQuantisation(const NamedModel& model) {
  const ModelFormat* const format = KnownModelFormats().Named(model.format);
  const bool told = format != nullptr && format->has_quantisation() && model.file_size() <= kMostRestored;
  if (!told) return std::vector<TensorQuantisation>();
  std::vector<uint8_t> bytes;
  const absl::Status status = model.RestoreFile({}, [&](absl::Span<const uint8_t> more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return format->ReadQuantisation(BytesFile(std::move(bytes)), model.files);
}

}  // namespace modelvault
