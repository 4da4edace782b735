#include "tools/mvault/reports/eval_report.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "tools/formats/readable_text.h"
#include "tools/mvault/cli/printable.h"
#include "tools/mvault/cli/text_table.h"

namespace modelvault {
namespace {

std::string InPercent(double share) { return absl::StrFormat("%.2f %%", 100 * share); }
std::string Points(double share) { return absl::StrFormat("%+.2f", 100 * share); }
std::string PointsInterval(const Interval& i) { return absl::StrCat(Points(i.low), " … ", Points(i.high)); }
std::string Nats(double nats) { return absl::StrFormat("%+.4f", nats); }
std::string NatsInterval(const Interval& i) { return absl::StrCat(Nats(i.low), " … ", Nats(i.high)); }

std::string Kept(const std::optional<double>& share) {
  return share.has_value() ? absl::StrFormat("%.1f %%", 100 * *share) : "-";
}

std::vector<std::vector<std::string>> SummaryRows(const EvalSummary& s) {
  return {
      {"mean", Points(s.top1.mean), PointsInterval(s.top1.mean_interval), Nats(s.nll.mean),
       NatsInterval(s.nll.mean_interval)},
      {"median", Points(s.top1.median), "", Nats(s.nll.median), ""},
      {"worst", Points(s.top1.worst), Printable(s.top1.worst_name), Nats(s.nll.worst), Printable(s.nll.worst_name)},
      {"pooled", Points(s.top1.pooled), PointsInterval(s.top1.pooled_interval), Nats(s.nll.pooled),
       NatsInterval(s.nll.pooled_interval)},
      {"gain kept", Kept(s.top1.gain_kept), "", Kept(s.nll.gain_kept), ""},
  };
}

const std::vector<std::string> kSummaryHeadings = {"restored - fine-tune", ">top-1, points", "95 % interval", ">nats",
                                                   "95 % interval"};
const std::vector<std::string> kDepartmentHeadings = {"department", ">base",         ">fine-tune", ">restored",
                                                      ">change",    "95 % interval", ">bytes"};

std::vector<std::string> Row(const std::string& name, const ThreeScores& scores, const Interval& interval,
                             uint64_t bytes) {
  return {name,
          InPercent(scores.base.top1),
          InPercent(scores.finetune.top1),
          InPercent(scores.restored.top1),
          Points(scores.top1_change()),
          PointsInterval(interval),
          Grouped(bytes)};
}

std::vector<std::vector<std::string>> DepartmentRows(const EvalReport& report) {
  std::vector<std::vector<std::string>> rows;
  for (const DepartmentScores& d : report.departments) {
    rows.push_back(Row(Printable(d.name), d.scores, d.top1_interval, d.bytes));
  }
  const EvalSummary& s = report.summary;
  rows.push_back(Row("mean", s.mean, s.top1.mean_interval, s.bytes / s.departments));
  rows.push_back(Row("pooled", s.pooled, s.top1.pooled_interval, s.bytes));
  return rows;
}

std::string Notes(const EvalReport& report) {
  const EvalSummary& s = report.summary;
  std::string text = absl::StrFormat(
      "%s: %s, %s, nats a token: base %.4f, fine-tune %.4f, restored "
      "%.4f (pooled)\n",
      Printable(report.source), Counted(s.departments, "department"), Counted(s.tokens, "token"), s.pooled.base.nll,
      s.pooled.finetune.nll, s.pooled.restored.nll);
  if (report.activation_bits.has_value()) {
    absl::StrAppend(&text, "restored variants run in integers, activations of ", *report.activation_bits, " bits\n");
  }
  if (!report.missing.empty()) {
    std::vector<std::string> names;
    for (const std::string& name : report.missing) names.push_back(Printable(name));
    absl::StrAppend(&text, "not in it, and in none of these figures: ", absl::StrJoin(names, ", "), "\n");
  }
  return text;
}

Json ScoresToJson(const ThreeScores& scores) {
  return {{"base_top1", scores.base.top1},         {"finetune_top1", scores.finetune.top1},
          {"restored_top1", scores.restored.top1}, {"base_nll", scores.base.nll},
          {"finetune_nll", scores.finetune.nll},   {"restored_nll", scores.restored.nll}};
}

Json ToJson(const Interval& interval) { return Json::array({interval.low, interval.high}); }

Json ToJson(const ChangeSummary& c) {
  return {{"mean", c.mean},
          {"mean_interval", ToJson(c.mean_interval)},
          {"median", c.median},
          {"worst", c.worst},
          {"worst_name", c.worst_name},
          {"pooled", c.pooled},
          {"pooled_interval", ToJson(c.pooled_interval)},
          {"gain_kept", c.gain_kept.has_value() ? Json(*c.gain_kept) : Json(nullptr)}};
}

std::string HtmlTable(const std::vector<std::string>& headings, const std::vector<std::vector<std::string>>& rows) {
  std::string html = "<table>\n<tr>";
  for (const std::string& heading : headings) {
    const bool right = heading.front() == '>';
    absl::StrAppend(&html, right ? "<th class=\"n\">" : "<th>", EscapedForHtml(heading.substr(right ? 1 : 0)), "</th>");
  }
  for (const std::vector<std::string>& row : rows) {
    absl::StrAppend(&html, "</tr>\n<tr>");
    for (size_t i = 0; i < row.size(); ++i) {
      absl::StrAppend(&html, headings[i].front() == '>' ? "<td class=\"n\">" : "<td>", EscapedForHtml(row[i]), "</td>");
    }
  }
  return absl::StrCat(html, "</tr>\n</table>\n");
}

// A line a department, the greatest loss first: its change of top-1 as a dot, the interval as a bar.
std::string Plot(const EvalReport& report) {
  constexpr double kLeft = 260, kWidth = 560, kLine = 14;
  std::vector<const DepartmentScores*> sorted;
  double least = 0;
  double most = 0;
  for (const DepartmentScores& d : report.departments) {
    sorted.push_back(&d);
    least = std::min(least, d.top1_interval.low);
    most = std::max(most, d.top1_interval.high);
  }
  std::stable_sort(sorted.begin(), sorted.end(), [](const DepartmentScores* a, const DepartmentScores* b) {
    return a->scores.top1_change() < b->scores.top1_change();
  });
  // Whole points at both ends.
  least = std::floor(100 * least) / 100;
  most = std::max(std::ceil(100 * most) / 100, least + 0.01);
  const auto x = [&](double share) { return kLeft + kWidth * (share - least) / (most - least); };
  const double height = kLine * static_cast<double>(sorted.size()) + 40;
  std::string svg = absl::StrFormat("<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"change of top-1\">\n",
                                    kLeft + kWidth + 20, height);
  const double points = 100 * (most - least);
  const double step = std::max(1.0, std::ceil(points / 12));
  for (double p = std::ceil(100 * least / step) * step; p <= 100 * most + 0.001; p += step) {
    absl::StrAppendFormat(&svg,
                          "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"20\" y2=\"%.0f\" class=\"%s\"/>"
                          "<text x=\"%.1f\" y=\"14\" text-anchor=\"middle\">%+.0f</text>\n",
                          x(p / 100), x(p / 100), height - 16, p == 0 ? "zero" : "grid", x(p / 100), p + 0.0);
  }
  double y = 30;
  for (const DepartmentScores* d : sorted) {
    absl::StrAppendFormat(&svg,
                          "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">%s</text>"
                          "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"bar\"/>"
                          "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>\n",
                          kLeft - 10, y + 4, EscapedForHtml(Printable(d->name)), x(d->top1_interval.low),
                          x(d->top1_interval.high), y, y, x(d->scores.top1_change()), y);
    y += kLine;
  }
  return absl::StrCat(svg, "</svg>\n");
}

constexpr char kStyle[] =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.15em .8em;text-align:left;border-bottom:1px solid #ddd}"
    ".n{text-align:right;font-variant-numeric:tabular-nums}svg{width:100%;font-size:11px}"
    ".grid{stroke:#e4e4e4}.zero{stroke:#444}.bar{stroke:#7aa6d8;stroke-width:4}circle{fill:#134f91}";

}  // namespace

std::string EvalToText(const EvalReport& report) {
  TextTable departments(kDepartmentHeadings);
  for (std::vector<std::string>& row : DepartmentRows(report)) departments.AddRow(std::move(row));
  TextTable summary(kSummaryHeadings);
  for (std::vector<std::string>& row : SummaryRows(report.summary)) summary.AddRow(std::move(row));
  return absl::StrCat(departments.Format(), "\n", summary.Format(), "\n", Notes(report));
}

Json EvalToJson(const EvalReport& report) {
  const EvalSummary& s = report.summary;
  Json json = {{"source", report.source},
               {"model", report.model},
               {"variants", Json::array()},
               {"activation_bits", report.activation_bits.has_value() ? Json(*report.activation_bits) : Json(nullptr)},
               {"missing", report.missing},
               {"summary",
                {{"departments", s.departments},
                 {"tokens", s.tokens},
                 {"bytes", s.bytes},
                 {"mean", ScoresToJson(s.mean)},
                 {"pooled", ScoresToJson(s.pooled)},
                 {"top1_change", ToJson(s.top1)},
                 {"nll_change", ToJson(s.nll)}}}};
  for (const DepartmentScores& d : report.departments) {
    Json variant = {{"name", d.name}, {"bytes", d.bytes}, {"tokens", d.tokens}};
    variant.update(ScoresToJson(d.scores));
    variant["top1_change"] = d.scores.top1_change();
    variant["top1_interval"] = ToJson(d.top1_interval);
    variant["nll_change"] = d.scores.nll_change();
    variant["nll_interval"] = ToJson(d.nll_interval);
    json["variants"].push_back(std::move(variant));
  }
  return json;
}

std::string EvalToHtml(const EvalReport& report) {
  return absl::StrCat("<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>mvault eval: ",
                      EscapedForHtml(Printable(report.source)), "</title>\n<style>", kStyle, "</style>\n<h1>",
                      EscapedForHtml(Printable(report.source)), "</h1>\n<p>", EscapedForHtml(Notes(report)), "</p>\n",
                      HtmlTable(kSummaryHeadings, SummaryRows(report.summary)),
                      "<h2>Change of top-1, restored less fine-tune, in points</h2>\n", Plot(report),
                      "<h2>Departments: next-token top-1 on held-out text</h2>\n",
                      HtmlTable(kDepartmentHeadings, DepartmentRows(report)), "</html>\n");
}

}  // namespace modelvault
