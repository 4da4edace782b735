#include "tools/demo/table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/formats/readable_text.h"

namespace modelvault::demo {
namespace {

constexpr size_t kDepartmentsShown = 10;

void AppendRow(absl::string_view name, absl::string_view base, absl::string_view tuned, absl::string_view variant,
               absl::string_view bytes, std::string* text) {
  std::string line = absl::StrFormat("  %-28s %8s %18s %14s %10s", name, base, tuned, variant, bytes);
  absl::StripTrailingAsciiWhitespace(&line);
  absl::StrAppend(text, line, "\n");
}

void AppendSummaryRow(const TrainingRecord& record, absl::Span<const double> vault_top1, absl::string_view name,
                      double Range::*of, absl::string_view bytes, std::string* text) {
  AppendRow(name, Percent(Summarize(record, &DepartmentResult::base_top1).*of),
            Percent(Summarize(record, &DepartmentResult::finetune_top1).*of), Percent(Summarize(vault_top1).*of), bytes,
            text);
}

}  // namespace

absl::StatusOr<StoredSizes> StoredSizesFromJson(const std::string& text, absl::string_view file_name) {
  using nlohmann::json;
  const auto bad = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(file_name, ": ", what));
  };
  const json document = json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) return bad("not a JSON object");
  const auto variants = document.find("variants");
  if (variants == document.end() || !variants->is_array()) return bad("'variants' is not an array");
  StoredSizes sizes;
  for (const json& variant : *variants) {
    if (!variant.is_object()) return bad("a variant is not an object");
    const auto name = variant.find("name");
    const auto size = variant.find("stored_bytes");
    if (name == variant.end() || !name->is_string()) return bad("a variant without a 'name'");
    if (size == variant.end() || !size->is_number_unsigned()) {
      return bad(absl::StrCat("variant '", name->get<std::string>(), "' without 'stored_bytes'"));
    }
    sizes[name->get<std::string>()] = size->get<uint64_t>();
  }
  return sizes;
}

std::string FormatTable(const TrainingRecord& record, absl::Span<const double> vault_top1, uint64_t vault_size,
                        const StoredSizes& sizes) {
  std::string text;
  const auto line = [&text](absl::string_view what, absl::string_view bytes, absl::string_view remark) {
    absl::StrAppend(&text, absl::StrFormat("%-58s %12s bytes%s\n", what, bytes, remark));
  };
  const size_t models = record.departments.size() + 1;
  const double ratio = static_cast<double>(RawSize(record)) / static_cast<double>(vault_size);
  line(absl::StrCat(models, " float models of ", Grouped(record.weights), " weights, one file each"),
       Grouped(RawSize(record)), "");
  line("an INT8 base and INT1 deltas in one vault", Grouped(vault_size),
       absl::StrFormat("   %.1f times smaller", ratio));

  uint64_t total = 0;
  uint64_t least = UINT64_MAX;
  uint64_t most = 0;
  size_t sized = 0;
  for (const DepartmentResult& department : record.departments) {
    const auto size = sizes.find(department.name);
    if (size == sizes.end()) continue;
    total += size->second;
    least = std::min(least, size->second);
    most = std::max(most, size->second);
    ++sized;
  }
  const auto bytes_or_nothing = [&](uint64_t bytes) { return sized == 0 ? std::string() : Grouped(bytes); };

  absl::StrAppend(&text, "\nRight answers on ", Grouped(record.heldout_samples),
                  " held-out samples a department (chance ", Percent(1.0 / static_cast<double>(record.task.classes)),
                  "):\n");
  AppendRow("department", "base", "fine-tune, float", "in the vault", sized == 0 ? "" : "bytes", &text);
  const size_t shown = std::min(kDepartmentsShown, record.departments.size());
  for (size_t i = 0; i < shown; ++i) {
    const DepartmentResult& department = record.departments[i * record.departments.size() / shown];
    const auto size = sizes.find(department.name);
    AppendRow(department.name, Percent(department.base_top1), Percent(department.finetune_top1),
              Percent(vault_top1[i * record.departments.size() / shown]),
              size == sizes.end() ? "" : Grouped(size->second), &text);
  }
  AppendSummaryRow(record, vault_top1, absl::StrCat("mean of all ", record.departments.size()), &Range::mean,
                   bytes_or_nothing(sized == 0 ? 0 : (total + sized / 2) / sized), &text);
  AppendSummaryRow(record, vault_top1, "lowest", &Range::least, bytes_or_nothing(least), &text);
  AppendSummaryRow(record, vault_top1, "highest", &Range::most, bytes_or_nothing(most), &text);
  if (record.departments.size() > 1) {
    absl::StrAppend(&text, "\nA department's fine-tune asked about the next department's patients is right in ",
                    Percent(Summarize(record, &DepartmentResult::other_department_top1).mean), " of cases.\n");
  }
  return text;
}

}  // namespace modelvault::demo
