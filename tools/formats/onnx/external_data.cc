#include "tools/formats/onnx/external_data.h"

#include <algorithm>
#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "restore/described_frame.h"
#include "vault/quoted_text.h"

namespace modelvault {
namespace {

absl::Status Bad(absl::string_view key, absl::string_view value, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat("external ", key, " ", Quoted(value), ": ", problem));
}

// Digits and nothing else: SimpleAtoi alone takes spaces and a sign, too.
absl::Status ReadNumber(absl::string_view key, absl::string_view value, uint64_t* number) {
  if (!std::all_of(value.begin(), value.end(), absl::ascii_isdigit) || !absl::SimpleAtoi(value, number)) {
    return Bad(key, value, "not a number of bytes below 2^64");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ExternalDataReader::Add(absl::string_view key, absl::string_view value) {
  const bool known = key == "location" || key == "offset" || key == "length";
  const bool before = (key == "location" && has_location_) || (key == "offset" && has_offset_) ||
                      (key == "length" && data_.length.has_value());
  if (!known) return absl::OkStatus();
  if (before) return Bad(key, value, "it is there twice");
  if (key == "offset") {
    has_offset_ = true;
    return ReadNumber(key, value, &data_.offset);
  }
  if (key == "length") return ReadNumber(key, value, &data_.length.emplace());
  has_location_ = true;
  if (!IsSafePath(value)) {
    return Bad(key, value, "expected the path of a file below the model's folder, without '..', NUL, '\\' and ':'");
  }
  data_.location = std::string(value);
  return absl::OkStatus();
}

absl::Status ExternalDataReader::Finish(ExternalData* data) const {
  if (!has_location_) return absl::InvalidArgumentError("external data without a location");
  if (data_.length.value_or(0) > std::numeric_limits<uint64_t>::max() - data_.offset) {
    return absl::InvalidArgumentError(
        absl::StrCat("external data: ", *data_.length, " bytes at ", data_.offset, " do not fit 64 bits"));
  }
  *data = data_;
  return absl::OkStatus();
}

}  // namespace modelvault
