#include "tools/demo/page.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/formats/readable_text.h"

namespace modelvault::demo {
namespace {

constexpr uint64_t kFlashSize = uint64_t{1} << 20;

constexpr char kStyle[] =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:66em;margin:2em auto;padding:0 1em;color:#222}"
    "h1{margin-bottom:.2em}svg{width:100%;font:10px system-ui,sans-serif}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.15em .9em;text-align:left;border-bottom:1px solid #ddd}"
    ".n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}"
    ".big{font-size:1.5em;font-weight:600}.tile{display:inline-block;margin:1em 1.5em .6em 0;vertical-align:top}"
    ".tables{fill:#9a6fb0}.base{fill:#134f91}.odd{fill:#a9cbec}.even{fill:#d3e4f5}.index{fill:#e0a54a}.free{fill:#"
    "f1f1f1}"
    ".light{fill:#fff}.grid{stroke:#e4e4e4}.gap{stroke:#c9d6e3;stroke-width:2}.before{fill:#b0b0b0}"
    ".tuned{fill:#fff;stroke:#2c7a3f;stroke-width:1.5}.vault{fill:#134f91}.key{width:.9em;height:.9em;display:inline-"
    "block;"
    "vertical-align:-.1em;margin-right:.35em}.legend{margin:.2em 0 1.6em}.legend "
    "span{margin-right:1.1em;white-space:nowrap}";

std::string Tile(absl::string_view big, absl::string_view small) {
  return absl::StrCat("<div class=\"tile\"><div class=\"big\">", big, "</div>", small, "</div>\n");
}

std::string Key(absl::string_view colour, absl::string_view what) {
  return absl::StrCat("<span><i class=\"key\" style=\"background:", colour, "\"></i>", what, "</span>\n");
}

// Bytes side by side, like lines of text: what does not end in one row goes on in the next.
class FlashMap {
 public:
  explicit FlashMap(uint64_t size) : bytes_in_row_((size + kRows - 1) / kRows) {}

  void Add(absl::string_view style, const std::string& label, uint64_t bytes) {
    bool labelled = false;
    const std::string title = EscapedForHtml(absl::StrCat(label, ": ", Grouped(bytes), " bytes"));
    while (bytes > 0) {
      const uint64_t row = used_ / bytes_in_row_;
      const uint64_t at = used_ % bytes_in_row_;
      const uint64_t piece = std::min(bytes, bytes_in_row_ - at);
      const double x = Width(at);
      const double width = Width(piece);
      const auto y = static_cast<double>(row * kRowHeight);
      absl::StrAppendFormat(
          &pieces_, "<rect class=\"%s\" x=\"%.1f\" y=\"%.0f\" width=\"%.1f\" height=\"%d\"><title>%s</title></rect>\n",
          style, x, y, std::max(width - 1, 0.5), kRowHeight - 2, title);
      if (!labelled && width > kLetterWidth * static_cast<double>(label.size()) + 6) {
        absl::StrAppendFormat(&pieces_, "<text%s x=\"%.1f\" y=\"%.0f\">%s</text>\n",
                              style == "base" ? " class=\"light\"" : "", x + 4, y + 15, EscapedForHtml(label));
        labelled = true;
      }
      used_ += piece;
      bytes -= piece;
    }
  }

  std::string Svg() const {
    return absl::StrFormat("<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"what lies in the flash\">\n%s</svg>\n",
                           kWidth, kRows * kRowHeight, pieces_);
  }

 private:
  static constexpr int kRows = 20, kRowHeight = 24, kWidth = 1000;
  static constexpr double kLetterWidth = 5.4;

  double Width(uint64_t bytes) const {
    return kWidth * static_cast<double>(bytes) / static_cast<double>(bytes_in_row_);
  }

  const uint64_t bytes_in_row_;
  uint64_t used_ = 0;
  std::string pieces_;
};

std::string Flash(const TrainingRecord& record, const VaultSections& sections, const StoredSizes& sizes) {
  FlashMap map(std::max(kFlashSize, sections.size()));
  map.Add("tables", "tables", sections.tables);
  map.Add("base", "the base, in INT8", sections.base);
  uint64_t shown = 0;
  for (const DepartmentResult& department : record.departments) {
    const auto size = sizes.find(department.name);
    if (size == sizes.end()) continue;
    map.Add(shown % 2 == 0 ? "even" : "odd", department.name, size->second);
    ++shown;
  }
  map.Add("index", "index and names", sections.index);
  if (sections.size() < kFlashSize) map.Add("free", "free", kFlashSize - sections.size());
  const auto share = [&](uint64_t bytes) {
    return absl::StrCat(Grouped(bytes), " bytes, ",
                        Percent(static_cast<double>(bytes) / static_cast<double>(sections.size())));
  };
  return absl::StrCat(map.Svg(), "<p class=\"legend\">",
                      Key("#9a6fb0", absl::StrCat("tables ", share(sections.tables))),
                      Key("#134f91", absl::StrCat("base ", share(sections.base))),
                      Key("#a9cbec", absl::StrCat("departments ", share(sections.variants))),
                      Key("#e0a54a", absl::StrCat("index and names ", share(sections.index))), "</p>\n");
}

// A column a department: before fine-tuning, after it, and out of the vault.
std::string Accuracy(const TrainingRecord& record, absl::Span<const double> vault_top1) {
  constexpr double kLeft = 50, kTop = 10, kWidth = 940, kHeight = 260;
  const double floor =
      std::min(Summarize(record, &DepartmentResult::base_top1).least, Summarize(vault_top1).least) - 0.02;
  const double least = std::max(0.0, static_cast<int>(floor * 20) / 20.0);  // A multiple of 5 %.
  const auto y = [&](double top1) { return kTop + kHeight * (1 - (top1 - least) / (1 - least)); };
  std::string svg = "<svg viewBox=\"0 0 1000 280\" role=\"img\" aria-label=\"right answers by department\">\n";
  const int marks = least < 0.5 ? 10 : 5;  // Percent between two lines.
  for (int mark = static_cast<int>(100 * least + 0.5); mark <= 100; mark += marks) {
    absl::StrAppendFormat(&svg,
                          "<line class=\"grid\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                          "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%d %%</text>\n",
                          kLeft, kLeft + kWidth, y(mark / 100.0), y(mark / 100.0), kLeft - 8, y(mark / 100.0) + 4,
                          mark);
  }
  std::vector<size_t> order(record.departments.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return record.departments[a].base_top1 < record.departments[b].base_top1;
  });
  const double step = kWidth / static_cast<double>(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    const DepartmentResult& department = record.departments[order[i]];
    const double x = kLeft + step * (static_cast<double>(i) + 0.5);
    const double vault = vault_top1[order[i]];
    absl::StrAppendFormat(&svg,
                          "<g><title>%s: base %s, fine-tune %s, in the vault %s</title>"
                          "<line class=\"gap\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                          "<circle class=\"before\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>"
                          "<circle class=\"tuned\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>"
                          "<circle class=\"vault\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/></g>\n",
                          EscapedForHtml(department.name), Percent(department.base_top1),
                          Percent(department.finetune_top1), Percent(vault), x, x, y(department.base_top1),
                          y(department.finetune_top1), x, y(department.base_top1), x, y(department.finetune_top1), x,
                          y(vault));
  }
  return absl::StrCat(svg, "</svg>\n<p class=\"legend\">", Key("#b0b0b0", "base, before fine-tuning"),
                      Key("#2c7a3f", "fine-tune in floats (ring)"), Key("#134f91", "given back by the vault"),
                      "</p>\n");
}

std::string AllFigures(const TrainingRecord& record, absl::Span<const double> vault_top1, const StoredSizes& sizes) {
  std::string html =
      "<table>\n<tr><th>department</th><th class=\"n\">base</th><th class=\"n\">fine-tune, float</th>"
      "<th class=\"n\">in the vault</th><th class=\"n\">bytes</th></tr>\n";
  for (size_t d = 0; d < record.departments.size(); ++d) {
    const DepartmentResult& department = record.departments[d];
    const auto size = sizes.find(department.name);
    absl::StrAppendFormat(&html,
                          "<tr><td>%s</td><td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"n\">%s</td>"
                          "<td class=\"n\">%s</td></tr>\n",
                          EscapedForHtml(department.name), Percent(department.base_top1),
                          Percent(department.finetune_top1), Percent(vault_top1[d]),
                          size == sizes.end() ? "" : Grouped(size->second));
  }
  return absl::StrCat(html, "</table>\n");
}

}  // namespace

absl::StatusOr<VaultSections> VaultSectionsFromJson(const std::string& text, absl::string_view file_name) {
  using nlohmann::json;
  const auto bad = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat(file_name, ": ", what));
  };
  const json document = json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) return bad("not a JSON object");
  const auto found = document.find("sections");
  if (found == document.end() || !found->is_object()) return bad("'sections' is not an object");
  VaultSections sections;
  const std::pair<const char*, uint64_t*> fields[] = {{"header", &sections.tables},     {"model", &sections.tables},
                                                      {"chunks", &sections.tables},     {"base", &sections.base},
                                                      {"variants", &sections.variants}, {"index", &sections.index},
                                                      {"manifest", &sections.index},    {"padding", &sections.index}};
  for (const auto& [name, bytes] : fields) {
    const auto field = found->find(name);
    // More than any vault, and no sum of these is past 64 bits.
    constexpr uint64_t kMost = uint64_t{1} << 48;
    if (field == found->end() || !field->is_number_unsigned() || field->get<uint64_t>() > kMost) {
      return bad(absl::StrCat("'sections' without a number of bytes for '", name, "'"));
    }
    *bytes += field->get<uint64_t>();
  }
  return sections;
}

std::string FormatPage(const TrainingRecord& record, absl::Span<const double> vault_top1, const VaultSections& sections,
                       const StoredSizes& sizes) {
  const std::string models = absl::StrCat("a base and ", record.departments.size(), " departments");
  const auto mean = [&](double DepartmentResult::*figure) { return Percent(Summarize(record, figure).mean); };
  std::string html =
      absl::StrCat("<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>A vault: ", models,
                   "</title>\n<style>", kStyle, "</style>\n<h1>One flash image: ", models, "</h1>\n");
  absl::StrAppend(&html, Tile(Grouped(sections.size()), "bytes in the vault"),
                  Tile(absl::StrFormat("%.1f&times;", static_cast<double>(RawSize(record)) /
                                                          static_cast<double>(std::max<uint64_t>(1, sections.size()))),
                       "smaller than the float files"),
                  Tile(mean(&DepartmentResult::base_top1), "right: the base"),
                  Tile(mean(&DepartmentResult::finetune_top1), "right: the fine-tunes"),
                  Tile(Percent(Summarize(vault_top1).mean), "right: those in the vault"));
  absl::StrAppend(
      &html, "<p>The float files have ", Grouped(RawSize(record)),
      " bytes. Fitting them into the vault is lossy, and the difference of the last two figures is "
      "its price. From there on nothing is lost: every model comes back byte for byte as it was packed. Right "
      "answers are means over all departments, ",
      Grouped(record.heldout_samples), " samples each that no training saw; guessing gets ",
      Percent(1.0 / static_cast<double>(record.task.classes)), ".</p>\n");
  absl::StrAppend(&html, "<h2>What lies in 1 MiB of flash</h2>\n", Flash(record, sections, sizes),
                  "<h2>Right answers, a column for each department</h2>\n", Accuracy(record, vault_top1),
                  "<h2>All figures</h2>\n", AllFigures(record, vault_top1, sizes), "</html>\n");
  return html;
}

}  // namespace modelvault::demo
