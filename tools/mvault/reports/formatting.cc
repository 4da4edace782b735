#include "tools/mvault/reports/formatting.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "tools/formats/readable_text.h"
#include "tools/mvault/cli/text_table.h"

namespace modelvault {

std::string FormatParts(const std::vector<AccountPart>& parts, uint64_t total) {
  TextTable table({"part", ">bytes", ">share"});
  for (const AccountPart& part : parts) {
    if (part.bytes > 0) table.AddRow({part.label, Grouped(part.bytes), Percent(part.bytes, total)});
  }
  table.AddRow({"file", Grouped(total), Percent(total, total)});
  return table.Format();
}

Json PartsToJson(const std::vector<AccountPart>& parts) {
  Json json = Json::object();
  for (const AccountPart& part : parts) json[part.key] = part.bytes;
  return json;
}

std::string Percent(uint64_t part, uint64_t whole) {
  return absl::StrFormat("%.2f %%", whole == 0 ? 0 : 100 * static_cast<double>(part) / static_cast<double>(whole));
}

double BitsPerWeight(uint64_t bytes, uint64_t weights) {
  return weights == 0 ? 0 : 8 * static_cast<double>(bytes) / static_cast<double>(weights);
}

std::string FormatBits(double bits) { return absl::StrFormat("%.3f", bits); }

std::string FormatShape(const std::vector<uint64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

std::string FormatHash(uint64_t hash) { return absl::StrFormat("%016x", hash); }

}  // namespace modelvault
